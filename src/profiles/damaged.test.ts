import { describe, expect, test } from 'vitest'
import { openTestHandle, type TestHandle } from '../../test/support/handle.js'
import type { Store } from '../storage/contract.js'
import { createMemoryStore } from '../storage/memory/index.js'

const REFUSAL = { code: 'vault_corrupt', exitCode: 6 }
/** Where the metadata of a row begins. */
const META_AT = 45

/** A vault in which one byte of a part of every record is another. */
async function damaged(part: 'metadata' | 'secret'): Promise<{ owner: TestHandle; store: Store }> {
  const memory = createMemoryStore()
  const before = await openTestHandle({ store: memory.connect() })
  await before.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
  await before.vault.set('NAMED', 'a named secret')
  await before.close()
  const store = memory.connect()
  await store.write(async (tx) => {
    for (const { table, id, body } of await tx.scan()) {
      const changed = Uint8Array.from(body ?? [])
      const at = part === 'metadata' ? META_AT : changed.length - 1
      changed[at] = (changed[at] ?? 0) ^ 1
      await tx.putRow(table, id, changed)
    }
  })
  return { owner: await openTestHandle({ store: memory.connect() }), store }
}

const rowsOf = async (store: Store): Promise<readonly string[]> =>
  (await store.read((reader) => reader.scan())).map(({ body }) => Buffer.from(body ?? []).toString('hex'))

describe('a record whose metadata is damaged', () => {
  const attempts: Record<string, (owner: TestHandle) => Promise<unknown>> = {
    view: ({ profiles }) => profiles.view('openai:a'),
    add: ({ profiles }) => profiles.add({ provider: 'openai', name: 'a', secret: 'sk-other' }),
    update: ({ profiles }) => profiles.update('openai:a', { priority: 3 }),
    delete: ({ profiles }) => profiles.delete('openai:a'),
    reveal: ({ profiles }) => profiles.noteRevealed('openai:a', 'revealed'),
    failure: ({ profiles }) => profiles.markFailure('openai:a', 'format'),
    'resolve, strict': ({ resolver }) => resolver.resolve('openai', 'a', { strict: true }),
    'resolve by name': ({ resolver }) => resolver.resolve('openai', 'a'),
    rename: async ({ profiles }) => {
      await profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b' })
      await profiles.rename('openai:b', 'a')
    },
    'get secret': ({ vault }) => vault.get('NAMED'),
  }

  test.each(Object.entries(attempts))('%s: says so, and nothing is lost', async (_, attempt) => {
    const { owner, store } = await damaged('metadata')
    const before = await rowsOf(store)
    await expect(attempt(owner)).rejects.toMatchObject(REFUSAL)
    expect(await rowsOf(store)).toEqual(expect.arrayContaining([...before]))
  })

  test('is written over by who means it', async () => {
    const { owner } = await damaged('metadata')
    await owner.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-new' }, { replace: true })
    await owner.vault.set('NAMED', 'another')
    expect((await owner.resolver.resolve('openai', 'a')).credential).toBe('sk-new')
    expect(await owner.vault.get('NAMED')).toBe('another')
    expect(await owner.vault.check()).toEqual([])
  })

  test('hides no name that is free', async () => {
    const { owner } = await damaged('metadata')
    await expect(owner.profiles.view('openai:b')).rejects.toMatchObject({ code: 'profile_not_found' })
    await expect(owner.vault.get('OTHER')).rejects.toMatchObject({ code: 'secret_not_found' })
  })
})

describe('a record whose secret is damaged', () => {
  test('is no credential that will be usable later', async () => {
    const { owner } = await damaged('secret')
    await expect(owner.resolver.resolve('openai', 'a', { strict: true })).rejects.toMatchObject(REFUSAL)
    await expect(owner.vault.get('NAMED')).rejects.toMatchObject(REFUSAL)
  })

  test('is passed over by who takes any', async () => {
    const { owner } = await damaged('secret')
    await owner.profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b' })
    expect((await owner.resolver.resolve('openai', 'a')).credential).toBe('sk-b')
  })
})
