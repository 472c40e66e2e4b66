import { describe, expect, test } from 'vitest'
import { openTestHandle, type TestHandle } from '../../test/support/handle.js'
import { memoryPins } from '../../test/support/pins.js'
import { copyOf, restored } from '../../test/support/vault-copy.js'
import type { StateRow, Store, StoredRow } from '../storage/contract.js'
import { createMemoryStore, type MemoryStore } from '../storage/memory/index.js'
import { createFakeClock } from '../testing/fake-clock.js'
import type { PinStore } from './pin-keeper.js'

const clock = createFakeClock()

/** A vault with three accounts and a secret, and somebody who can write its bytes but has no key. */
async function victim(): Promise<{ memory: MemoryStore; attacker: Store }> {
  const memory = createMemoryStore()
  const owner = await openTestHandle({ store: memory.connect(), clock })
  for (const name of ['a', 'b', 'c'])
    await owner.profiles.add({ provider: 'openai', name, secret: `sk-${name}` })
  await owner.vault.set('NAMED', 'a named secret')
  await owner.close()
  return { memory, attacker: memory.connect() }
}

/** Length of the head of a row: what its mark in the manifest follows from. */
const ROW_HEAD = 29

/** A row whose body was damaged behind its head. */
function cut(row: StoredRow): Uint8Array {
  return (row.body ?? new Uint8Array()).slice(0, -1)
}

/** Keeps what can be opened, as `keymux vault check --salvage` does. */
async function salvage(owner: TestHandle): Promise<void> {
  await owner.vault.dropDamaged()
  await owner.vault.acceptRollback(async () => {})
  await owner.close()
}

/** Damages the rows of state of a store, or some of them. */
async function damageState(store: Store, howMany = Number.POSITIVE_INFINITY): Promise<void> {
  const rows = await store.read((reader) => reader.scanState())
  await store.write(async (tx) => {
    await tx.writeState(
      rows
        .slice(0, howMany)
        .map(({ id, revision, body }) => ({ id, expected: revision, body: body.slice(0, -1) })),
    )
  })
}

const rowsOf = (store: Store, table?: string): Promise<StoredRow[]> =>
  store.read((reader) => reader.scan(table))

async function put(store: Store, row: StoredRow, body: Uint8Array | undefined): Promise<void> {
  await store.write(async (tx) => {
    if (body === undefined) await tx.deleteRow(row.table, row.id)
    else await tx.putRow(row.table, row.id, body)
  })
}

describe('somebody who can write the bytes but has no key', () => {
  test('cannot remove a record unnoticed', async () => {
    const { memory, attacker } = await victim()
    const [row] = await rowsOf(attacker, 'profile')
    if (row === undefined) throw new Error('no row')
    await put(attacker, row, undefined)
    await expect(openTestHandle({ store: memory.connect(), clock })).rejects.toMatchObject({
      code: 'vault_tampered',
      exitCode: 6,
    })
    const lenient = await openTestHandle({ store: memory.connect(), clock, lenient: true })
    expect((await lenient.vault.check()).map((problem) => problem.code)).toEqual(['vault_tampered'])
  })

  test('cannot put an older record back in its place', async () => {
    const { memory, attacker } = await victim()
    const before = await rowsOf(attacker, 'profile')
    const owner = await openTestHandle({ store: memory.connect(), clock })
    for (const name of ['a', 'b', 'c']) {
      await owner.profiles.add({ provider: 'openai', name, secret: `sk-new-${name}` }, { replace: true })
    }
    await owner.close()
    const [old] = before
    if (old === undefined) throw new Error('no row')
    await put(attacker, old, old.body)
    await expect(openTestHandle({ store: memory.connect(), clock })).rejects.toMatchObject({
      code: 'vault_tampered',
    })
  })

  test('cannot bring a deleted record back', async () => {
    const { memory, attacker } = await victim()
    const before = await rowsOf(attacker, 'profile')
    const owner = await openTestHandle({ store: memory.connect(), clock })
    await owner.profiles.delete('openai:a')
    await owner.close()
    const now = new Set((await rowsOf(attacker, 'profile')).map((row) => Buffer.from(row.id).toString('hex')))
    const gone = before.find((row) => !now.has(Buffer.from(row.id).toString('hex')))
    if (gone === undefined) throw new Error('nothing was deleted')
    await put(attacker, gone, gone.body)
    await expect(openTestHandle({ store: memory.connect(), clock })).rejects.toMatchObject({
      code: 'vault_tampered',
    })
  })

  test('is noticed by a process that is running', async () => {
    const { memory, attacker } = await victim()
    const owner = await openTestHandle({ store: memory.connect(), clock })
    await owner.resolver.resolve('openai')
    const [row] = await rowsOf(attacker, 'profile')
    if (row === undefined) throw new Error('no row')
    await put(attacker, row, undefined)
    await expect(owner.resolver.resolve('openai')).rejects.toMatchObject({ code: 'vault_tampered' })
    await expect(owner.profiles.markFailure('openai:b', 'auth')).rejects.toMatchObject({
      code: 'vault_tampered',
    })
  })

  test('cannot exchange two records; what opens can be saved', async () => {
    const { memory, attacker } = await victim()
    const [one, two] = await rowsOf(attacker, 'profile')
    if (one?.body === undefined || two?.body === undefined) throw new Error('no rows')
    await put(attacker, one, two.body)
    await put(attacker, two, one.body)
    await expect(openTestHandle({ store: memory.connect(), clock })).rejects.toMatchObject({
      code: 'vault_tampered',
    })
    const owner = await openTestHandle({ store: memory.connect(), clock, lenient: true })
    expect(owner.profiles.damaged()).toHaveLength(2)
    expect(await owner.vault.get('NAMED')).toBe('a named secret')
    const problems = await owner.vault.check()
    expect(problems.map((problem) => problem.code)).toEqual([
      'vault_corrupt',
      'vault_corrupt',
      'vault_tampered',
    ])
    await salvage(owner)
    const again = await openTestHandle({ store: memory.connect(), clock })
    expect(await again.vault.check()).toEqual([])
    expect(await again.profiles.list()).toHaveLength(1)
  })

  test('cannot bring back a slot that was removed', async () => {
    const { memory, attacker } = await victim()
    const owner = await openTestHandle({ store: memory.connect(), clock })
    await owner.vault.addSlot({ keyFile: '/second' }, { label: 'second' })
    await owner.close()
    const header = await attacker.read((reader) => reader.getBlob('header'))
    const again = await openTestHandle({ store: memory.connect(), clock })
    const second = (await again.vault.slots()).find((slot) => slot.label === 'second')
    await again.vault.removeSlot(second?.id ?? '')
    await again.close()
    await attacker.write(async (tx) => tx.putBlob('header', header ?? new Uint8Array()))
    await expect(openTestHandle({ store: memory.connect(), clock })).rejects.toMatchObject({
      code: 'vault_tampered',
    })
  })

  test('every byte of every record, changed one at a time, is noticed or harmless', async () => {
    const { memory, attacker } = await victim()
    const rows = await rowsOf(attacker)
    const secrets = { 'openai:a': 'sk-a', 'openai:b': 'sk-b', 'openai:c': 'sk-c' }
    for (const row of rows) {
      const { body } = row
      if (body === undefined) continue
      for (let at = 0; at < body.length; at += 1) {
        const damaged = Uint8Array.from(body)
        damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8))
        await put(attacker, row, damaged)
        if (at < ROW_HEAD) {
          await expect(openTestHandle({ store: memory.connect(), clock })).rejects.toMatchObject({
            code: 'vault_tampered',
          })
          continue
        }
        const owner = await openTestHandle({ store: memory.connect(), clock })
        const seen = await owner.profiles.list()
        let unreadable = owner.profiles.damaged().length
        for (const profile of seen) {
          try {
            expect(profile.apiKey?.key).toBe(secrets[profile.id as keyof typeof secrets])
          } catch (error) {
            expect(error).toMatchObject({ code: 'vault_corrupt' })
            unreadable += 1
          }
        }
        if (row.table === 'profile') {
          expect(unreadable).toBe(1)
          expect((await owner.resolver.resolve('openai')).credential).toMatch(/^sk-[abc]$/)
        }
        if (row.table === 'secret') {
          await expect(owner.vault.get('NAMED')).rejects.toMatchObject({ name: 'KeymuxError' })
        }
        await owner.close()
      }
      await put(attacker, row, body)
    }
  })
})

describe('damage beside a roll-back', () => {
  type Forgery = (
    attacker: Store,
    before: readonly StoredRow[],
    present: readonly StoredRow[],
  ) => Promise<void>
  const ofTable = (rows: readonly StoredRow[], table: string): StoredRow => {
    const row = rows.find((each) => each.table === table)
    if (row === undefined) throw new Error(`no row of ${table}`)
    return row
  }
  const forgeries: Record<string, Forgery> = {
    'an older profile': (attacker, before) => {
      const old = ofTable(before, 'profile')
      return put(attacker, old, old.body)
    },
    'an older secret': (attacker, before) => {
      const old = ofTable(before, 'secret')
      return put(attacker, old, old.body)
    },
    'a removed profile': (attacker, _before, present) =>
      put(attacker, ofTable(present, 'profile'), undefined),
    'a removed secret': (attacker, _before, present) => put(attacker, ofTable(present, 'secret'), undefined),
    'an added row': (attacker, before) =>
      put(
        attacker,
        { ...ofTable(before, 'profile'), id: Buffer.alloc(16, 9) },
        ofTable(before, 'profile').body,
      ),
    'a row of a table of its own': (attacker, before) =>
      put(attacker, { ...ofTable(before, 'profile'), table: 'other' }, ofTable(before, 'profile').body),
    'an exchanged row': (attacker, _before, present) => {
      const other = present.filter((each) => each.table === 'profile').at(-1)
      return put(attacker, ofTable(present, 'profile'), other?.body)
    },
  }
  type Damage = (attacker: Store, present: readonly StoredRow[]) => Promise<void>
  const damages: Record<string, Damage> = {
    'a state row': (attacker) => damageState(attacker, 1),
    'the last profile': async (attacker, present) => {
      const last = present.filter((each) => each.table === 'profile').at(-1)
      if (last !== undefined) await put(attacker, last, cut(last))
    },
    'every state row': (attacker) => damageState(attacker),
  }
  const cases = Object.keys(forgeries).flatMap((forgery) =>
    Object.keys(damages).map((damage) => [forgery, damage] as const),
  )

  test.each(cases)(
    '%s beside %s damaged in place is noticed, by who opens and by who runs',
    async (forgery, damage) => {
      const { memory, attacker } = await victim()
      const before = await rowsOf(attacker)
      const owner = await openTestHandle({ store: memory.connect(), clock })
      for (const name of ['a', 'b', 'c']) {
        await owner.profiles.add({ provider: 'openai', name, secret: `sk-new-${name}` }, { replace: true })
        await owner.profiles.markFailure(`openai:${name}`, 'format')
      }
      await owner.vault.set('NAMED', 'a newer secret')
      const present = await rowsOf(attacker)
      await damages[damage]?.(attacker, present)
      await forgeries[forgery]?.(attacker, before, present)

      const tampered = expect.objectContaining({ code: 'vault_tampered', exitCode: 6 })
      await expect(openTestHandle({ store: memory.connect(), clock })).rejects.toThrow(tampered)
      await expect(owner.resolver.resolve('openai')).rejects.toThrow(tampered)
      // Nothing that comes later takes the forged rows for the truth.
      await expect(owner.profiles.markFailure('openai:a', 'format')).rejects.toThrow(tampered)
      const lenient = await openTestHandle({ store: memory.connect(), clock, lenient: true })
      await lenient.vault.set('ANOTHER', 'value')
      await lenient.vault.dropDamaged()
      expect((await lenient.vault.check()).map(({ code }) => code)).toEqual(['vault_tampered'])
      await salvage(lenient)
      const again = await openTestHandle({ store: memory.connect(), clock })
      expect(await again.vault.check()).toEqual([])
      expect(await again.vault.get('ANOTHER')).toBe('value')
    },
  )

  test('a manifest that cannot be read is named, and what opens can be saved', async () => {
    const { memory, attacker } = await victim()
    await attacker.write((tx) => tx.putBlob('manifest', Buffer.alloc(20)))
    await expect(openTestHandle({ store: memory.connect(), clock })).rejects.toMatchObject({ exitCode: 6 })
    const lenient = await openTestHandle({ store: memory.connect(), clock, lenient: true })
    expect((await lenient.vault.check()).map(({ code }) => code)).toEqual(['vault_corrupt'])
    await salvage(lenient)
    const again = await openTestHandle({ store: memory.connect(), clock })
    expect(await again.vault.check()).toEqual([])
    expect(await again.profiles.list()).toHaveLength(3)
  })
})

describe('a row that somebody without the key has added', () => {
  const cases = ['profile', 'secret', 'provider', 'anything'].flatMap((table) =>
    [0, 1, ROW_HEAD - 1, ROW_HEAD, 61, 300].map((length) => [table, length] as const),
  )

  test.each(cases)('%s, %d bytes: is refused, named, and gone after a salvage', async (table, length) => {
    const { memory, attacker } = await victim()
    const running = await openTestHandle({ store: memory.connect(), clock })
    const id = new Uint8Array(16).fill(9)
    await put(attacker, { table, id, body: undefined }, new Uint8Array(length).fill(2))
    const refusal = { code: 'vault_tampered', exitCode: 6 }
    await expect(openTestHandle({ store: memory.connect(), clock })).rejects.toMatchObject(refusal)
    await expect(running.vault.set('NAMED', 'another')).rejects.toMatchObject(refusal)
    const lenient = await openTestHandle({ store: memory.connect(), clock, lenient: true })
    const record = `${table}/${Buffer.from(id).toString('hex')}`
    const named = await lenient.vault.check()
    expect(named.map(({ code }) => code).sort()).toEqual(['vault_corrupt', 'vault_tampered'])
    expect(named.find(({ code }) => code === 'vault_corrupt')).toMatchObject({ record })
    await salvage(lenient)
    const opened = await openTestHandle({ store: memory.connect(), clock })
    expect(await opened.vault.check()).toEqual([])
    expect(await opened.vault.get('NAMED')).toBe('a named secret')
    expect((await rowsOf(attacker)).map((row) => row.table)).not.toContain('anything')
  })

  test('and its owner accepted: is named, and hinders nobody', async () => {
    const { memory, attacker } = await victim()
    const id = new Uint8Array(16).fill(9)
    await put(attacker, { table: 'profile', id, body: undefined }, new Uint8Array(300))
    const lenient = await openTestHandle({ store: memory.connect(), clock, lenient: true })
    await lenient.vault.acceptRollback(async () => {})
    const opened = await openTestHandle({ store: memory.connect(), clock })
    await opened.vault.set('NAMED', 'another')
    expect((await opened.vault.check()).map(({ code }) => code)).toEqual(['vault_corrupt'])
    await opened.vault.dropDamaged()
    expect(await opened.vault.check()).toEqual([])
    await put(attacker, { table: 'profile', id, body: undefined }, new Uint8Array(300))
    await expect(openTestHandle({ store: memory.connect(), clock })).rejects.toMatchObject({ exitCode: 6 })
  })
})

describe('a row of state that somebody without the key has touched', () => {
  type Touch = (rows: readonly StateRow[], older: readonly StateRow[]) => Uint8Array | undefined
  const touches: Record<string, Touch> = {
    'cut short': ([row]) => row?.body.slice(0, -1),
    'cut to nothing': () => new Uint8Array(0),
    'put back as it was': (_rows, [row]) => row?.body,
    'exchanged for another': (rows) => rows.at(-1)?.body,
    'of another vault': () => Buffer.alloc(300, 7),
  }

  test.each(Object.entries(touches))(
    '%s: has no effect, is named by the check, and is no exit 6',
    async (_what, touch) => {
      const { memory, attacker } = await victim()
      const owner = await openTestHandle({ store: memory.connect(), clock })
      await owner.profiles.markFailure('openai:a', 'billing')
      await owner.profiles.markFailure('openai:b', 'format')
      const older = await attacker.read((reader) => reader.scanState())
      await owner.profiles.markFailure('openai:a', 'billing')
      const rows = await attacker.read((reader) => reader.scanState())
      const [row] = rows
      if (row === undefined) throw new Error('no state')
      const body = touch(
        rows,
        older.filter(({ id }) => Buffer.from(id).equals(Buffer.from(row.id))),
      )
      await attacker.write(async (tx) => {
        await tx.writeState([{ id: row.id, expected: row.revision, body }])
      })
      for (const handle of [owner, await openTestHandle({ store: memory.connect(), clock })]) {
        expect(await handle.profiles.list()).toHaveLength(3)
        await handle.resolver.resolve('openai')
        expect((await handle.vault.check()).map(({ record }) => record)).toEqual([
          expect.stringMatching(/^state\/[0-9a-f]{32}$/),
        ])
      }
      // What comes next takes its place.
      for (const name of ['a', 'b']) await owner.profiles.markFailure(`openai:${name}`, 'billing')
      expect(await owner.vault.check()).toEqual([])
    },
  )

  test.each(['known to the process', 'from before it opened the vault'])(
    'deleted (%s): what is learnt next counts for everybody',
    async (when) => {
      const { memory, attacker } = await victim()
      const first = await openTestHandle({ store: memory.connect(), clock })
      for (const name of ['a', 'b']) await first.profiles.markFailure(`openai:${name}`, 'format')
      for (const { id, revision } of await attacker.read((reader) => reader.scanState())) {
        await attacker.writeState({ term: 1, writes: [{ id, expected: revision, body: undefined }] })
      }
      const owner =
        when === 'known to the process' ? first : await openTestHandle({ store: memory.connect(), clock })
      // One in the lane of state, one in a transaction of records.
      await owner.profiles.markFailure('openai:a', 'billing')
      await owner.profiles.markFailure('openai:b', 'billing')
      await owner.profiles.reset('openai:b')
      const other = await openTestHandle({ store: memory.connect(), clock })
      expect(await other.profiles.view('openai:a')).toMatchObject({ state: 'disabled', errorCount: 1 })
      expect(await other.profiles.view('openai:b')).toMatchObject({ state: 'available', errorCount: 1 })
      expect(await other.vault.check()).toEqual([])
    },
  )

  test('deleted before a change of records: that change counts for everybody', async () => {
    const { memory, attacker } = await victim()
    const first = await openTestHandle({ store: memory.connect(), clock })
    await first.profiles.markFailure('openai:a', 'billing')
    await first.close()
    for (const { id, revision } of await attacker.read((reader) => reader.scanState())) {
      await attacker.writeState({ term: 1, writes: [{ id, expected: revision, body: undefined }] })
    }
    const owner = await openTestHandle({ store: memory.connect(), clock })
    const [profile] = await owner.profiles.list()
    if (profile === undefined) throw new Error('no profile')
    await owner.profiles.importProfile(
      profile,
      { stats: { errorCount: 7, failureCounts: {} }, lastGood: false },
      { replace: true },
    )
    const other = await openTestHandle({ store: memory.connect(), clock })
    expect(await other.profiles.view(profile.id)).toMatchObject({ errorCount: 7 })
    expect(await other.vault.check()).toEqual([])
  })

  test('of a profile that is not there has no effect', async () => {
    const { memory } = await victim()
    const owner = await openTestHandle({ store: memory.connect(), clock })
    await owner.profiles.markFailure('openai:a', 'billing')
    await owner.profiles.delete('openai:a')
    await owner.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-other' })
    expect(await owner.profiles.view('openai:a')).toMatchObject({ state: 'available', errorCount: 0 })
    expect(await owner.vault.check()).toEqual([])
  })
})

describe('an older copy of the whole vault', () => {
  test('is refused, and accepted only when somebody says so', async () => {
    const pins = memoryPins()
    const memory = createMemoryStore()
    const first = await openTestHandle({ store: memory.connect(), clock, pins })
    await first.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await first.close()
    const copy = await copyOf(memory.connect())
    const second = await openTestHandle({ store: memory.connect(), clock, pins })
    await second.profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b' })
    await second.close()

    const older = await restored(copy)
    await expect(openTestHandle({ store: older.connect(), clock, pins })).rejects.toMatchObject({
      code: 'vault_rolled_back',
      exitCode: 6,
      hint: expect.stringContaining('--accept-rollback'),
    })
    const lenient = await openTestHandle({ store: older.connect(), clock, pins, lenient: true })
    expect((await lenient.vault.check()).map((problem) => problem.code)).toEqual(['vault_rolled_back'])
    let marked = 0
    await lenient.vault.acceptRollback(async () => {
      marked += 1
    })
    expect(await lenient.vault.check()).toEqual([])
    await lenient.close()
    expect(marked).toBe(1)
    const accepted = await openTestHandle({ store: older.connect(), clock, pins })
    expect((await accepted.profiles.list()).map((profile) => profile.id)).toEqual(['openai:a'])
  })

  test('is refused although it moved on elsewhere', async () => {
    const pins = memoryPins()
    const memory = createMemoryStore()
    const first = await openTestHandle({ store: memory.connect(), clock, pins })
    await first.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await first.close()
    const copy = await restored(await copyOf(memory.connect()))
    const here = await openTestHandle({ store: memory.connect(), clock, pins })
    for (const name of ['b', 'c']) await here.profiles.add({ provider: 'openai', name, secret: 'sk' })
    await here.close()
    const elsewhere = await openTestHandle({ store: copy.connect(), clock })
    for (let turn = 0; turn < 12; turn++) await elsewhere.vault.set(`S${turn}`, 'value')
    await elsewhere.close()
    await expect(openTestHandle({ store: copy.connect(), clock, pins })).rejects.toMatchObject({
      code: 'vault_rolled_back',
      exitCode: 6,
      message: expect.stringContaining('went its own way'),
    })
    const lenient = await openTestHandle({ store: copy.connect(), clock, pins, lenient: true })
    expect((await lenient.vault.check()).map(({ code }) => code)).toContain('vault_rolled_back')
    await lenient.vault.acceptRollback(async () => {})
    await lenient.close()
    const again = await openTestHandle({ store: copy.connect(), clock, pins })
    expect(await again.vault.check()).toEqual([])
  })

  test('with keys that this machine has not seen is refused, and accepted when its owner says so', async () => {
    const pins = memoryPins()
    const memory = createMemoryStore()
    await (await openTestHandle({ store: memory.connect(), clock, pins })).close()
    const [[id, text]] = [...pins.kept] as [[string, string]]
    const bytes = Buffer.from(text.slice('keymux-pin-2:'.length), 'base64url')
    // Another term; another MAC under a term that is known.
    for (const at of [19, 20, 40, bytes.length - 1]) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      pins.kept.set(id, `keymux-pin-2:${changed.toString('base64url')}`)
      await expect(openTestHandle({ store: memory.connect(), clock, pins })).rejects.toMatchObject({
        code: 'vault_rolled_back',
        exitCode: 6,
      })
    }
    const lenient = await openTestHandle({ store: memory.connect(), clock, pins, lenient: true })
    await lenient.vault.acceptRollback(async () => {})
    await lenient.close()
    await (await openTestHandle({ store: memory.connect(), clock, pins })).close()
  })

  test('a damaged or missing memory of it does not lock the owner out', async () => {
    const pins = memoryPins()
    const memory = createMemoryStore()
    await (await openTestHandle({ store: memory.connect(), clock, pins })).close()
    for (const id of pins.kept.keys()) pins.kept.set(id, 'garbage')
    await (await openTestHandle({ store: memory.connect(), clock, pins })).close()
    expect([...pins.kept.values()][0]).toMatch(/^keymux-pin-2:/)
  })
})

describe('many processes at once', () => {
  /** A pin store in which another process works each time before it answers `read`. */
  function interrupted(pins: PinStore, work: () => Promise<void>): PinStore {
    return {
      read: async (id) => {
        await work()
        return pins.read(id)
      },
      update: (id, next) => pins.update(id, next),
    }
  }

  test('a commit of another process while a vault is opened is no roll-back', async () => {
    const pins = memoryPins()
    const memory = createMemoryStore()
    let turn = 0
    const work = async (): Promise<void> => {
      const other = await openTestHandle({ store: memory.connect(), clock, pins })
      await other.profiles.add({ provider: 'openai', name: `other-${turn++}`, secret: 'sk' })
      await other.close()
    }
    await work()
    const busy = interrupted(pins, work)
    const handle = await openTestHandle({ store: memory.connect(), clock, pins: busy })
    expect((await handle.profiles.list()).map((each) => each.name)).toEqual(['other-0', 'other-1'])
    expect(await handle.vault.check()).toEqual([])
    await handle.close()
  })

  test('an older copy is refused although other processes commit meanwhile', async () => {
    const pins = memoryPins()
    const memory = createMemoryStore()
    await (await openTestHandle({ store: memory.connect(), clock, pins })).close()
    let turn = 0
    const elsewhere = async (): Promise<void> => {
      const other = await openTestHandle({ store: memory.connect(), clock, pins })
      await other.profiles.add({ provider: 'openai', name: `other-${turn++}`, secret: 'sk' })
      await other.close()
    }
    const older = await restored(await copyOf(memory.connect()))
    await elsewhere()
    const busy = interrupted(pins, elsewhere)
    await expect(openTestHandle({ store: older.connect(), clock, pins: busy })).rejects.toMatchObject({
      code: 'vault_rolled_back',
    })
    // Looked at twice before it was said.
    expect(turn).toBe(3)
  })

  test('the memory outside the vault does not go back when two write it at once', async () => {
    const pins = memoryPins()
    const memory = createMemoryStore()
    const slow = await openTestHandle({
      store: memory.connect(),
      clock,
      pins: {
        read: (id) => pins.read(id),
        // The other one writes after this one has begun, and before its look.
        update: async (id, next) => {
          await quick.close()
          await pins.update(id, next)
        },
      },
    })
    await slow.profiles.add({ provider: 'openai', name: 'a', secret: 'sk' })
    const quick = await openTestHandle({ store: memory.connect(), clock, pins })
    await quick.profiles.add({ provider: 'openai', name: 'b', secret: 'sk' })
    await slow.close()
    const [pinned] = pins.kept.values()
    const last = await openTestHandle({ store: memory.connect(), clock, pins })
    await last.close()
    expect([...pins.kept.values()]).toEqual([pinned])
  })
})

describe('a process that is running', () => {
  test('refuses an older state that is put back under it, until its owner accepts it', async () => {
    const pins = memoryPins()
    const memory = createMemoryStore()
    const running = await openTestHandle({ store: memory.connect(), clock, pins })
    await running.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-old' })
    const attacker = memory.connect()
    const rows = await rowsOf(attacker)
    const [manifest, log] = await attacker.read(async (reader) => [
      await reader.getBlob('manifest'),
      await reader.readLog(1, 1000),
    ])
    await running.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-new' }, { replace: true })
    expect(log).toHaveLength(2)
    await attacker.write(async (tx) => {
      for (const row of rows) if (row.body !== undefined) await tx.putRow(row.table, row.id, row.body)
      await tx.putBlob('manifest', manifest ?? new Uint8Array())
    })
    await expect(running.resolver.resolve('openai')).rejects.toMatchObject({ code: 'vault_rolled_back' })
    const owner = await openTestHandle({ store: memory.connect(), clock, pins, lenient: true })
    await owner.vault.acceptRollback(async () => {})
    await owner.close()
    expect((await running.resolver.resolve('openai')).credential).toBe('sk-old')
  })

  test('does not put the memory outside the vault back when it writes late', async () => {
    const pins = memoryPins()
    const memory = createMemoryStore()
    const slow = await openTestHandle({ store: memory.connect(), clock, pins })
    await slow.profiles.add({ provider: 'openai', name: 'a', secret: 'sk' })
    const quick = await openTestHandle({ store: memory.connect(), clock, pins })
    for (const name of ['b', 'c', 'd']) await quick.profiles.add({ provider: 'openai', name, secret: 'sk' })
    await quick.close()
    const latest = [...pins.kept.values()][0]
    await slow.close()
    expect([...pins.kept.values()][0]).toBe(latest)
  })
})

describe('a damaged record', () => {
  test('of bookkeeping does not keep the vault from being mended', async () => {
    const { memory, attacker } = await victim()
    const owner = await openTestHandle({ store: memory.connect(), clock })
    await owner.profiles.markFailure('openai:a', 'auth')
    const [profile] = await rowsOf(attacker, 'profile')
    if (profile !== undefined) await put(attacker, profile, cut(profile))
    await damageState(attacker)
    expect(await owner.vault.dropDamaged()).toHaveLength(2)
    expect(owner.profiles.damaged()).toEqual([])
    await owner.close()
    const again = await openTestHandle({ store: memory.connect(), clock })
    expect(await again.profiles.list()).toHaveLength(2)
    expect(await again.vault.check()).toEqual([])
    // What is learnt next has an effect again.
    const [left] = await again.profiles.list()
    await again.profiles.markFailure(left?.id ?? '', 'billing')
    const third = await openTestHandle({ store: memory.connect(), clock })
    expect(await third.profiles.view(left?.id ?? '')).toMatchObject({ state: 'disabled' })
    expect(await third.vault.check()).toEqual([])
  })

  test('of bookkeeping is forgotten when it is written anew', async () => {
    const { memory, attacker } = await victim()
    const owner = await openTestHandle({ store: memory.connect(), clock })
    await owner.profiles.markFailure('openai:a', 'auth')
    await damageState(attacker)
    await owner.profiles.list()
    expect(owner.profiles.damaged()).toHaveLength(1)
    await owner.profiles.markFailure('openai:a', 'auth')
    expect(owner.profiles.damaged()).toEqual([])
  })

  test('can be replaced, and the vault is whole again', async () => {
    const { memory, attacker } = await victim()
    const owner = await openTestHandle({ store: memory.connect(), clock })
    const [row] = await rowsOf(attacker, 'profile')
    if (row?.body === undefined) throw new Error('no row')
    await put(attacker, row, row.body.slice(0, 40))
    const before = new Set((await owner.profiles.list()).map((profile) => profile.name))
    const lost = ['a', 'b', 'c'].find((name) => !before.has(name)) ?? ''
    expect(before.size).toBe(2)
    const again = { provider: 'openai', name: lost, secret: 'sk-again' }
    await expect(owner.profiles.add(again)).rejects.toMatchObject({ code: 'vault_corrupt', exitCode: 6 })
    await owner.profiles.add(again, { replace: true })
    expect(owner.profiles.damaged()).toEqual([])
    expect(await owner.vault.check()).toEqual([])
    await owner.close()
    const opened = await openTestHandle({ store: memory.connect(), clock })
    expect(await opened.profiles.list()).toHaveLength(3)
    expect(await opened.vault.check()).toEqual([])
  })

  test('can be dropped', async () => {
    const { memory, attacker } = await victim()
    const [row] = await rowsOf(attacker, 'profile')
    if (row?.body === undefined) throw new Error('no row')
    await put(attacker, row, cut(row))
    const owner = await openTestHandle({ store: memory.connect(), clock })
    expect(await owner.vault.dropDamaged()).toHaveLength(1)
    expect(await owner.vault.check()).toEqual([])
    await owner.close()
    const again = await openTestHandle({ store: memory.connect(), clock })
    expect(await again.profiles.list()).toHaveLength(2)
  })
})

describe('the audit', () => {
  test('tells what was done and by whom, without values, and a cut is found', async () => {
    const { memory, attacker } = await victim()
    const owner = await openTestHandle({ store: memory.connect(), clock })
    await owner.profiles.markFailure('openai:a', 'billing')
    await owner.profiles.noteRevealed('openai:a', 'revealed')
    const entries = await owner.vault.audit()
    expect(entries.map((entry) => entry.event)).toEqual([
      'vault_created',
      'created',
      'created',
      'created',
      'secret_created',
      'revealed',
      'chain',
    ])
    expect(entries.at(-2)).toMatchObject({ subject: 'openai:a', surface: 'test', pid: process.pid })
    expect(JSON.stringify(entries)).not.toContain('sk-')
    expect(await owner.vault.verifyAudit()).toEqual([])
    const lines = await attacker.read((reader) => reader.readLog(1, 100))
    expect(Buffer.concat(lines.map((line) => line.body)).toString('latin1')).not.toContain('openai')
  })

  test('whose end was cut off stops writing until its owner accepts that', async () => {
    const memory = createMemoryStore()
    const owner = await openTestHandle({ store: memory.connect(), clock })
    await owner.profiles.add({ provider: 'openai', name: 'a', secret: 'sk' })
    await owner.close()
    const copy = await copyOf(memory.connect())
    const cut = await restored({ ...copy, log: copy.log.slice(0, -1) })
    const opened = await openTestHandle({ store: cut.connect(), clock })
    expect((await opened.vault.verifyAudit()).map((problem) => problem.code)).toEqual(['audit_cut'])
    await expect(opened.vault.set('S', 'value')).rejects.toMatchObject({ code: 'vault_tampered' })
    await opened.vault.acceptRollback(async () => {})
    await opened.vault.set('S', 'value')
    expect(await opened.vault.check()).toEqual([])
  })
})
