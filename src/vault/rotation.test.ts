import { describe, expect, test } from 'vitest'
import { openTestHandle, TEST_KEY, type TestHandle } from '../../test/support/handle.js'
import { memoryPins } from '../../test/support/pins.js'
import { copyOf, putCopy, restored, type VaultCopy } from '../../test/support/vault-copy.js'
import { decodeHeader, encodeHeader, headerMac, sealHeader, type VaultHeader } from '../crypto/header.js'
import { Keyring } from '../crypto/keyring.js'
import { type Keyset, newKeyset, openKeyset, sealKeyset, wipeKeyset, withNewTerm } from '../crypto/keyset.js'
import { digestHeader, sealManifest } from '../crypto/manifest.js'
import { openRow, readRow, sealRow } from '../crypto/seal.js'
import type { SlotSecret } from '../crypto/slot.js'
import { openAnySlot, rewrapRoot } from '../crypto/slots.js'
import { openUnsaved, sealUnsaved } from '../crypto/unsaved.js'
import type { Store } from '../storage/contract.js'
import { createMemoryStore, type MemoryStore } from '../storage/memory/index.js'
import { createFakeClock } from '../testing/fake-clock.js'
import { AuditLog } from './audit-log.js'
import { VaultHandle } from './handle.js'
import { markBytes, markNumber, wrap } from './manifest-sum.js'
import { createVault, openVault } from './open.js'
import type { PinStore } from './pin-keeper.js'

const clock = createFakeClock()
const MEMBER: Uint8Array = new Uint8Array(32).fill(9)

/** A vault with three accounts, a secret, a row in the lane of state, and a second member. */
async function shared(
  pins?: PinStore,
): Promise<{ memory: MemoryStore; owner: TestHandle; memberSlot: string }> {
  const memory = createMemoryStore()
  const owner = await openTestHandle({ store: memory.connect(), clock, ...(pins && { pins }) })
  for (const name of ['a', 'b', 'c'])
    await owner.profiles.add({ provider: 'openai', name, secret: `sk-${name}` })
  await owner.vault.set('NAMED', 'a named secret')
  await owner.profiles.markFailure('openai:a', 'rate_limit')
  const { id } = await owner.vault.addSlot({ keyFile: 'member' }, { label: 'member' })
  return { memory, owner, memberSlot: id }
}

/** What a member takes with him: the root key and the keyset of his time. */
async function keysOf(
  copy: VaultCopy,
  key: Uint8Array,
): Promise<{ header: VaultHeader; root: Buffer; keyset: Keyset }> {
  const { header } = decodeHeader(copy.header)
  const { rootKey } = await openAnySlot(header.slots, header.vaultId, { type: 'key_file', key })
  return { header, root: rootKey, keyset: openKeyset(rootKey, header.vaultId, header.keyset) }
}

/**
 * A copy of his time that a former member has sealed anew as a whole, under a root key of his own that he has wrapped
 * into every slot with the binding keys that he knows.
 */
async function forged(
  copy: VaultCopy,
  terms: (keyset: Keyset) => Keyset = (keyset) => keyset,
): Promise<VaultCopy> {
  const { header, root, keyset } = await keysOf(copy, MEMBER)
  const mine = Buffer.alloc(32, 0x66)
  const present = new Keyring(root, header.vaultId, keyset)
  const next = new Keyring(mine, header.vaultId, terms(keyset))
  const bytes = sealHeader(next, {
    ...header,
    revision: header.revision + 5,
    keyset: sealKeyset(mine, header.vaultId, next.keyset),
    slots: header.slots.map((slot) => rewrapRoot(slot, header.vaultId, root, mine)),
  })
  let sum = 0n
  let count = 0
  const rows = copy.rows.map(({ table, id, body }) => {
    const { meta, openSecret } = openRow(present, table, id, body ?? new Uint8Array())
    const secret = openSecret()
    const sealed = sealRow(
      next,
      { table, id, revision: 1_000 },
      secret === undefined ? { meta } : { meta, secret },
    )
    if (table !== 'state') {
      sum += markNumber(sealed.mark)
      count += 1
    }
    return { table, id, body: sealed.body }
  })
  const scratch = createMemoryStore().connect()
  const log = await scratch.write(async (tx) => {
    for (const { body } of copy.log) await tx.appendLog(body)
    const last = copy.log.at(-1)?.body ?? new Uint8Array()
    const audit = new AuditLog(next, clock, 'cli', 1)
    let head = { sequence: copy.log.length, mac: last.subarray(-32) as Uint8Array }
    for (let line = 0; line < 10; line++) head = await audit.append(tx, head, 'used')
    return { lines: await tx.readLog(1, 1_000), head }
  })
  const manifest = sealManifest(next, {
    accumulator: markBytes(wrap(sum)),
    count,
    sequence: 1_000,
    headerDigest: digestHeader(bytes),
    audit: log.head,
  })
  return { rows, states: [], header: bytes, manifest, log: log.lines, term: next.term.number }
}

const openAt = (memory: MemoryStore, more: object = {}): Promise<TestHandle> =>
  openTestHandle({ store: memory.connect(), clock, ...more })

/** Everything that the test's vault holds can be had, through a process that is told nothing. */
async function expectAll(handle: TestHandle): Promise<void> {
  expect((await handle.profiles.list()).map(({ id }) => id).sort()).toEqual([
    'openai:a',
    'openai:b',
    'openai:c',
  ])
  expect(await handle.vault.get('NAMED')).toBe('a named secret')
  const { credential } = await handle.resolver.resolve('openai', 'b')
  expect(credential).toBe('sk-b')
}

describe('a rotation', () => {
  test('keeps everything, under keys that nobody had before', async () => {
    const { memory, owner } = await shared()
    const before = await copyOf(memory.connect())
    expect(before.term).toBe(1)
    expect(await owner.vault.rotate()).toMatchObject({
      term: 2,
      rows: before.rows.length + before.states.length,
    })
    expect(await owner.vault.status()).toMatchObject({ term: 2 })
    await expectAll(owner)
    expect(await owner.vault.check()).toEqual([])
    await owner.close()
    const after = await copyOf(memory.connect())
    expect(after.term).toBe(2)
    const bodies = new Set(before.rows.map(({ body }) => Buffer.from(body ?? []).toString('hex')))
    expect(after.rows.some(({ body }) => bodies.has(Buffer.from(body ?? []).toString('hex')))).toBe(false)
    const again = await openAt(memory)
    await expectAll(again)
    expect(await again.profiles.stats('openai:a')).toMatchObject({ errorCount: 1 })
    await again.close()
  })

  test('is one line of an audit that holds across it', async () => {
    const { memory, owner } = await shared()
    await owner.vault.rotate()
    await owner.vault.set('LATER', 'x')
    await owner.vault.rotate()
    const events = (await owner.vault.audit()).map(({ event, detail }) => [event, detail])
    expect(events.filter(([event]) => event === 'rotated')).toEqual([
      ['rotated', 'term 2'],
      ['rotated', 'term 3'],
    ])
    expect(await owner.vault.verifyAudit()).toEqual([])
    await owner.close()
    const again = await openAt(memory)
    expect(await again.vault.verifyAudit()).toEqual([])
  })

  test('leaves a former member keys that open nothing', async () => {
    const { memory, owner, memberSlot } = await shared()
    const { header, root, keyset } = await keysOf(await copyOf(memory.connect()), MEMBER)
    await owner.vault.removeSlot(memberSlot)
    await owner.close()
    const former = new Keyring(root, header.vaultId, keyset)
    const after = await copyOf(memory.connect())
    for (const { table, id, body } of after.rows) {
      expect(readRow(former, table, id, body ?? new Uint8Array())).toEqual({
        mark: undefined,
        row: undefined,
      })
    }
    expect(() => openKeyset(root, header.vaultId, decodeHeader(after.header).header.keyset)).toThrow()
    await expect(
      openVault({
        store: memory.connect(),
        secret: { type: 'key_file', key: MEMBER },
        clock,
        surface: 'test',
      }),
    ).rejects.toMatchObject({ code: 'wrong_key_file' })
  })

  test('seals the lane of state too', async () => {
    const { memory, owner } = await shared()
    const store = memory.connect()
    const { root, keyset, header } = await keysOf(await copyOf(store), TEST_KEY)
    const keyring = new Keyring(root, header.vaultId, keyset)
    const id = keyring.rowId('state', 'a row')
    const { body } = sealRow(keyring, { table: 'state', id, revision: 1 }, { meta: Buffer.from('{"k":"x"}') })
    expect(await store.writeState({ term: 1, writes: [{ id, expected: 0, body }] })).toMatchObject({
      conflicts: [],
    })
    await owner.vault.rotate()
    const row = (await copyOf(store)).states.find((each) => Buffer.from(each.id).equals(id))
    expect(row).toMatchObject({ revision: 2 })
    const now = await keysOf(await copyOf(store), TEST_KEY)
    const next = new Keyring(now.root, header.vaultId, now.keyset)
    const opened = openRow(next, 'state', id, row?.body ?? new Uint8Array())
    expect(opened).toMatchObject({ revision: 2, term: 2 })
    expect(opened.meta.toString()).toBe('{"k":"x"}')
    // A writer that has not followed yet writes nothing over it.
    const late = await store.writeState({ term: 1, writes: [{ id, expected: 2, body }] })
    expect(late).toMatchObject({ refused: 'term' })
  })

  test('loses no record that cannot be opened: it is refused', async () => {
    const { memory, owner } = await shared()
    const store = memory.connect()
    const [row] = await store.read((reader) => reader.scan('profile'))
    if (row?.body === undefined) throw new Error('no row')
    await store.write((tx) => tx.putRow(row.table, row.id, (row.body ?? new Uint8Array()).slice(0, -1)))
    const before = await copyOf(store)
    await expect(owner.vault.rotate()).rejects.toMatchObject({
      code: 'vault_corrupt',
      hint: expect.stringContaining('vault check --salvage'),
    })
    expect(await copyOf(store)).toEqual(before)
    expect(await owner.vault.get('NAMED')).toBe('a named secret')
  })

  test('blesses no record that was put back where nobody looked', async () => {
    const { memory, owner } = await shared()
    const store = memory.connect()
    const old = (await copyOf(store)).rows
    await owner.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-new' }, { replace: true })
    // The feed of changes does not tell of it: as an edit of the file without its bookkeeping.
    const reading = store.read.bind(store)
    const silent: Store = Object.assign(Object.create(store) as Store, { read: reading })
    silent.write = (body) =>
      store.write((tx) =>
        body(
          new Proxy(tx, {
            get(target, key) {
              const value: unknown = Reflect.get(target, key)
              if (key === 'scan') return async () => old
              return typeof value === 'function' ? value.bind(target) : value
            },
          }),
        ),
      )
    const victim = await openTestHandle({ store: silent, clock })
    await expect(victim.vault.rotate()).rejects.toMatchObject({ code: 'vault_tampered', exitCode: 6 })
  })

  test('leaves what is kept outside the vault readable', async () => {
    const { memory, owner } = await shared()
    const opened = await openVault({
      store: memory.connect(),
      secret: { type: 'key_file', key: TEST_KEY },
      clock,
      surface: 'test',
    })
    await opened.core.begin()
    const { keyring } = opened.core
    const id = keyring.rowId('spill', 'x')
    const sealed = sealUnsaved(keyring, id, Buffer.from('tokens'))
    await owner.vault.rotate()
    await opened.core.sync()
    expect(keyring.term.number).toBe(2)
    expect(openUnsaved(keyring, id, sealed)?.toString()).toBe('tokens')
  })
})

describe('an open process', () => {
  test('follows a rotation with what it reads next', async () => {
    const { memory, owner } = await shared()
    const other = await openAt(memory)
    await owner.vault.rotate()
    await expectAll(other)
    expect(await other.vault.status()).toMatchObject({ term: 2 })
    expect(await other.vault.check()).toEqual([])
  })

  test('follows a rotation with what it writes next', async () => {
    const { memory, owner } = await shared()
    const other = await openAt(memory)
    await owner.vault.rotate()
    await other.vault.set('WRITTEN', 'after')
    expect(await owner.vault.get('WRITTEN')).toBe('after')
    await other.profiles.markFailure('openai:b', 'auth')
    expect((await owner.profiles.list()).length).toBe(3)
    expect(await owner.vault.check()).toEqual([])
  })

  test('follows several rotations at once, and rotates itself', async () => {
    const { memory, owner } = await shared()
    const other = await openAt(memory)
    await owner.vault.rotate()
    await owner.vault.rotate()
    expect(await other.vault.rotate()).toMatchObject({ term: 4 })
    expect(await other.vault.rotate()).toMatchObject({ term: 5 })
    await expectAll(owner)
    expect(await owner.vault.status()).toMatchObject({ term: 5 })
  })

  test('takes what it holds to the new keys: names of rows stay', async () => {
    const { memory, owner } = await shared()
    const other = await openAt(memory)
    await owner.vault.rotate()
    await other.profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b2' }, { replace: true })
    expect((await owner.resolver.resolve('openai', 'b')).credential).toBe('sk-b2')
    expect((await owner.profiles.list()).length).toBe(3)
  })

  test('whose slot was removed is locked out', async () => {
    const { memory, owner, memberSlot } = await shared()
    const member = await openMember(memory)
    await owner.vault.removeSlot(memberSlot)
    await expect(member.core.sync()).rejects.toMatchObject({
      code: 'vault_locked',
      exitCode: 3,
      message: expect.stringContaining('the key slot that opened this vault was removed'),
    })
    expect(member.core.stale()).toBe(true)
    await expect(member.core.write(async () => undefined)).rejects.toMatchObject({ code: 'vault_locked' })
    await expect(member.core.sync()).rejects.toMatchObject({ code: 'vault_locked' })
  })

  test('whose slot was removed still keeps tokens that are on their way, for the others to find', async () => {
    const { memory, owner, memberSlot } = await shared()
    const member = await openMember(memory)
    await owner.vault.removeSlot(memberSlot)
    await expect(member.core.write(async () => undefined)).rejects.toMatchObject({ code: 'vault_locked' })
    const id = member.core.keyring.rowId('spill', 'x')
    const sealed = sealUnsaved(member.core.keyring, id, Buffer.from('tokens'))
    const { root, keyset, header } = await keysOf(await copyOf(memory.connect()), TEST_KEY)
    const keyring = new Keyring(root, header.vaultId, keyset)
    expect(openUnsaved(keyring, keyring.rowId('spill', 'x'), sealed)?.toString()).toBe('tokens')
  })

  test('opens the vault again where that asks nobody', async () => {
    const { memory, owner, memberSlot } = await shared()
    const member = await openMember(memory, async () => ({ type: 'key_file', key: TEST_KEY }))
    await owner.vault.removeSlot(memberSlot)
    await member.core.sync()
    expect(member.core.keyring.term.number).toBe(2)
    expect(member.core.slot.id).not.toBe(memberSlot)
    await owner.vault.rotate()
    await member.core.sync()
    expect(member.core.keyring.term.number).toBe(3)
  })

  test('goes on where a slot is removed without a rotation', async () => {
    const { memory, owner, memberSlot } = await shared()
    const member = await openMember(memory)
    expect(await owner.vault.removeSlot(memberSlot, { rotate: false })).toBeUndefined()
    await member.core.sync()
    expect(await owner.vault.status()).toMatchObject({ term: 1 })
  })

  test('has its own slot removed and goes on', async () => {
    const { memory, memberSlot } = await shared()
    const opened = await openMember(memory)
    await opened.core.rotate({
      now: new Date(0),
      slots: (slots) => slots.filter(({ id }) => id !== memberSlot),
    })
    await opened.core.write((tx) => tx.audit('used'))
    expect(opened.core.keyring.term.number).toBe(2)
  })

  async function openMember(memory: MemoryStore, reopen?: () => Promise<SlotSecret>) {
    const secret = { type: 'key_file', key: MEMBER } as const
    const parts = { store: memory.connect(), secret, clock, surface: 'test' }
    const opened = await openVault(reopen === undefined ? parts : { ...parts, reopen })
    await opened.core.begin()
    return opened
  }
})

describe('a slot that is made while the vault is rotated', () => {
  /** A handle on whose storage `first` comes to pass just before its next write. */
  async function interrupted(memory: MemoryStore, first: () => Promise<unknown>): Promise<TestHandle> {
    const store = memory.connect()
    const handle = await openTestHandle({ store, clock })
    const write = store.write.bind(store)
    store.write = async (body) => {
      store.write = write
      await first()
      return write(body)
    }
    return handle
  }

  test('opens it afterwards, and after the next rotation', async () => {
    const { memory, owner } = await shared()
    const adding = await interrupted(memory, () => owner.vault.rotate())
    await adding.vault.addSlot({ keyFile: 'member' }, { label: 'second' })
    await owner.vault.rotate()
    const { slots } = decodeHeader((await copyOf(memory.connect())).header).header
    expect(slots.length).toBe(3)
    for (const slot of slots.slice(1)) {
      const secret = { type: 'key_file', key: MEMBER } as const
      const { header } = decodeHeader((await copyOf(memory.connect())).header)
      const { rootKey } = await openAnySlot([slot], header.vaultId, secret)
      expect(openKeyset(rootKey, header.vaultId, header.keyset).terms.length).toBe(3)
    }
  })
})

describe('what a former member writes', () => {
  test('is refused by who has seen that he left, when the vault is opened', async () => {
    const pins = memoryPins()
    const { memory, owner, memberSlot } = await shared(pins)
    const copy = await copyOf(memory.connect())
    await owner.vault.removeSlot(memberSlot)
    await owner.close()
    for (const terms of [
      (keyset: Keyset) => keyset,
      (keyset: Keyset) => withNewTerm(keyset, new Date(0)),
      (keyset: Keyset) => withNewTerm(keyset, new Date(0), 7),
    ]) {
      const planted = await restored(await forged(copy, terms))
      await expect(openAt(planted, { pins })).rejects.toMatchObject({
        code: 'vault_rolled_back',
        exitCode: 6,
      })
      // Who never saw it is fooled: the pin is all that tells. It shows too that the forgery is complete.
      const stranger = await openAt(planted)
      await expectAll(stranger)
    }
    await expect(openAt(await restored(copy), { pins })).rejects.toMatchObject({ exitCode: 6 })
  })

  test('is not followed by a process that knows the term in which he left', async () => {
    const { memory, owner, memberSlot } = await shared()
    const copy = await copyOf(memory.connect())
    await owner.vault.removeSlot(memberSlot)
    await expectAll(owner)
    for (const terms of [
      (keyset: Keyset) => keyset,
      (keyset: Keyset) => withNewTerm(keyset, new Date(0)),
      (keyset: Keyset) => withNewTerm(withNewTerm(keyset, new Date(0)), new Date(0)),
      () => newKeyset(new Date(0)),
    ]) {
      await putCopy(memory.connect(), await forged(copy, terms))
      await expect(owner.resolver.resolve('openai', 'b')).rejects.toMatchObject({ exitCode: 6 })
      await expect(owner.vault.get('NAMED')).rejects.toMatchObject({ exitCode: 6 })
      await expect(owner.vault.set('NEW', 'secret')).rejects.toMatchObject({ exitCode: 6 })
      await expect(owner.vault.rotate()).rejects.toMatchObject({ exitCode: 6 })
    }
    await putCopy(memory.connect(), copy)
    await expect(owner.resolver.resolve('openai', 'b')).rejects.toMatchObject({ exitCode: 6 })
  })

  test('is not followed by a process that has not seen it, where the machine has', async () => {
    const pins = memoryPins()
    const { memory, owner, memberSlot } = await shared(pins)
    const copy = await copyOf(memory.connect())
    const idle = await openAt(memory, { pins })
    const writer = await openAt(memory, { pins })
    await owner.vault.removeSlot(memberSlot)
    await putCopy(memory.connect(), await forged(copy, (keyset) => withNewTerm(keyset, new Date(0))))
    await expect(idle.resolver.resolve('openai', 'b')).rejects.toMatchObject({
      code: 'vault_rolled_back',
      exitCode: 6,
    })
    await expect(writer.vault.set('NEW', 'secret')).rejects.toMatchObject({ exitCode: 6 })
  })

  test('is no header of other keys, nor one that is changed anywhere', async () => {
    const { memory, owner } = await shared()
    const { header, root, keyset } = await keysOf(await copyOf(memory.connect()), TEST_KEY)
    const keyring = new Keyring(root, header.vaultId, keyset)
    const stranger = new Keyring(Buffer.alloc(32, 1), header.vaultId, newKeyset(new Date(0)))
    const mac = headerMac(keyring, header)
    const variants: readonly [Uint8Array, string][] = [
      [encodeHeader({ ...header, revision: 99 }, mac), 'vault_tampered'],
      [
        encodeHeader({ ...header, keyset: sealKeyset(root, header.vaultId, newKeyset(new Date(0))) }, mac),
        'vault_tampered',
      ],
      [encodeHeader({ ...header, vaultId: Buffer.alloc(16) }, mac), 'vault_tampered'],
      [sealHeader(stranger, header), 'vault_tampered'],
      // Nothing proves who took the slot away: there is nothing to hand out in either case.
      [sealHeader(stranger, { ...header, slots: [] }), 'vault_locked'],
    ]
    for (const [bytes, code] of variants) {
      await memory.connect().write((tx) => tx.putBlob('header', bytes))
      await expect(owner.vault.get('NAMED')).rejects.toMatchObject({ code })
      await expect(owner.vault.set('X', 'y')).rejects.toMatchObject({ code })
    }
  })

  test('and records put back from before a rotation', async () => {
    const { memory, owner } = await shared()
    const before = (await copyOf(memory.connect())).rows
    await owner.vault.rotate()
    const [row] = before.filter(({ table }) => table === 'profile')
    if (row?.body === undefined) throw new Error('no row')
    const { table, id, body } = row
    await memory.connect().write((tx) => tx.putRow(table, id, body))
    await expect(owner.vault.get('NAMED')).rejects.toMatchObject({ code: 'vault_tampered', exitCode: 6 })
    await expect(openAt(memory)).rejects.toMatchObject({ code: 'vault_tampered', exitCode: 6 })
  })

  test('and a header or a manifest put back from before a rotation', async () => {
    const { memory, owner } = await shared()
    const before = await copyOf(memory.connect())
    await owner.vault.rotate()
    const after = await copyOf(memory.connect())
    const planted: VaultCopy[] = [
      { ...after, header: before.header },
      { ...after, manifest: before.manifest },
      { ...after, header: before.header, manifest: before.manifest },
      { ...before, log: after.log },
    ]
    for (const copy of planted.slice(0, 3)) {
      await expect(openAt(await restored(copy))).rejects.toMatchObject({ exitCode: 6 })
    }
    for (const copy of planted) {
      await putCopy(memory.connect(), copy)
      await expect(owner.vault.get('NAMED')).rejects.toMatchObject({ exitCode: 6 })
    }
  })
})

describe('a stale binding key', () => {
  test('is made anew at the next unlock, and ends what a former member knows', async () => {
    const { memory, owner, memberSlot } = await shared()
    const copy = await copyOf(memory.connect())
    await owner.vault.removeSlot(memberSlot)
    const slots = async () => decodeHeader((await copyOf(memory.connect())).header).header.slots
    expect(await slots()).toMatchObject([{ staleBinding: true }])
    const next = await openAt(memory)
    expect((await slots())[0]).not.toHaveProperty('staleBinding')
    expect((await next.vault.audit()).at(-1)).toMatchObject({ event: 'binding_renewed' })
    // The process that was open meanwhile takes it over, and both follow what comes after.
    await owner.vault.set('MORE', 'x')
    await next.vault.rotate()
    await expectAll(owner)
    await owner.vault.rotate()
    await expectAll(next)
    const lines = (await next.vault.audit()).length
    const third = await openAt(memory)
    expect((await third.vault.audit()).length).toBe(lines)
    // With the binding keys of his time he wraps nothing that opens.
    const planted = await forged(copy)
    const { header } = decodeHeader(planted.header)
    const [present] = await slots()
    const mixed = header.slots.map((slot) =>
      slot.id === present?.id ? { ...slot, sealedKeys: present.sealedKeys } : slot,
    )
    await expect(
      openAnySlot(mixed, header.vaultId, { type: 'key_file', key: TEST_KEY }),
    ).rejects.toMatchObject({ code: 'vault_corrupt' })
    // With the slots of his time he does, for who has no pin: the threat model says so.
    await expectAll(await openAt(await restored(planted)))
  })

  test('stays where the vault cannot be written, or is only looked at', async () => {
    const { memory, owner, memberSlot } = await shared()
    await owner.vault.removeSlot(memberSlot)
    await owner.close()
    const store = memory.connect()
    const readOnly: Store = Object.assign(Object.create(store) as Store, {
      read: store.read.bind(store),
      hasForeignChanges: store.hasForeignChanges.bind(store),
      close: store.close.bind(store),
      write: async () => {
        const { KeymuxError } = await import('../domain/errors.js')
        throw new KeymuxError('storage_read_only', 'the vault may only be read')
      },
    })
    await expectAll(await openTestHandle({ store: readOnly, clock }))
    await openAt(memory, { lenient: true })
    const { header } = decodeHeader((await copyOf(memory.connect())).header)
    expect(header.slots).toMatchObject([{ staleBinding: true }])
  })

  test('is renewed once where two open the vault at the same time', async () => {
    const { memory, owner, memberSlot } = await shared()
    await owner.vault.removeSlot(memberSlot)
    const [one, two] = await Promise.all([openAt(memory), openAt(memory)])
    await expectAll(owner)
    const events = (await one.vault.audit()).filter(({ event }) => event === 'binding_renewed')
    expect(events.length).toBe(1)
    await two.vault.rotate()
    await expectAll(one)
    await expectAll(owner)
  })

  test('that was made anew unseen leads to no further rotation: the slot is opened again', async () => {
    const { memory, owner, memberSlot } = await shared()
    await owner.vault.removeSlot(memberSlot)
    const secret = { type: 'key_file', key: TEST_KEY } as const
    const parts = { store: memory.connect(), secret, clock, surface: 'test' }
    const asking = await openVault({ ...parts, lenient: true })
    const reopening = await openVault({ ...parts, lenient: true, reopen: async () => secret })
    await asking.core.begin()
    await reopening.core.begin()
    const next = await openAt(memory)
    await next.vault.rotate()
    await expect(asking.core.sync()).rejects.toMatchObject({ code: 'vault_locked', exitCode: 3 })
    await reopening.core.sync()
    expect(reopening.core.keyring.term.number).toBe(3)
  })

  test('of others stays until they come', async () => {
    const { memory, owner } = await shared()
    const third = await owner.vault.addSlot({ keyFile: 'third' })
    await owner.vault.removeSlot(third.id)
    const next = await openAt(memory)
    const { header } = decodeHeader((await copyOf(memory.connect())).header)
    expect(header.slots.map(({ staleBinding }) => staleBinding)).toEqual([undefined, true])
    await next.close()
  })
})

describe('a passphrase that is changed', () => {
  test('leaves a process that follows what comes after', async () => {
    const memory = createMemoryStore()
    const parts = { store: memory.connect(), clock, surface: 'test' }
    const passphrase = (text: string) => ({ type: 'passphrase', passphrase: text }) as const
    const kdf = { memoryKib: 19_456, passes: 2, lanes: 1 }
    const opened = await createVault({ ...parts, secret: passphrase('old'), kdf })
    await opened.core.begin()
    const vault = new VaultHandle({
      ...opened,
      clock,
      slotSecret: async () => passphrase('other'),
      profileIdOf: () => '',
    })
    await vault.changePassphrase('new')
    expect(await vault.slots()).toMatchObject([{ type: 'passphrase', current: true }])
    const other = await openVault({ ...parts, store: memory.connect(), secret: passphrase('new') })
    await other.core.begin()
    await other.core.rotate({ now: new Date(0) })
    expect(await vault.status()).toMatchObject({ term: 2 })
  })
})

describe('a copy of before a rotation', () => {
  test('is accepted, and goes on with a number that nobody has seen', async () => {
    const pins = memoryPins()
    const { memory, owner } = await shared(pins)
    const copy = await copyOf(memory.connect())
    await owner.vault.rotate()
    await owner.vault.rotate()
    await owner.close()
    const place = await restored(copy)
    await expect(openAt(place, { pins })).rejects.toMatchObject({ exitCode: 6 })
    const lenient = await openAt(place, { pins, lenient: true })
    await lenient.vault.acceptRollback(async () => {})
    expect(await lenient.vault.check()).toEqual([])
    await lenient.close()
    const again = await openAt(place, { pins })
    await expectAll(again)
    expect(await again.vault.status()).toMatchObject({ term: 4 })
    await again.close()
  })
})

test('what two keysets share is not wiped with one of them', () => {
  const first = newKeyset(new Date(0))
  const second = withNewTerm(first, new Date(0))
  wipeKeyset(first, second)
  expect(first.data.equals(Buffer.alloc(32))).toBe(true)
  expect(second.lookup.equals(Buffer.alloc(32))).toBe(false)
  expect(second.terms[0]?.keys.auditMac.equals(Buffer.alloc(32))).toBe(false)
})
