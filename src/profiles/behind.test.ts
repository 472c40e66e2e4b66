import { describe, expect, test } from 'vitest'
import { openTestHandle, type TestHandle } from '../../test/support/handle.js'
import type { Store } from '../storage/contract.js'
import { createMemoryStore } from '../storage/memory/index.js'

async function two(store?: Store): Promise<TestHandle & AsyncDisposable> {
  const handle = await openTestHandle({ ...(store && { store }) })
  await handle.profiles.add({ provider: 'openai', name: 'a', secret: 'key-a', priority: 2 })
  await handle.profiles.add({ provider: 'openai', name: 'b', secret: 'key-b', priority: 1 })
  return { ...handle, [Symbol.asyncDispose]: () => handle.close() }
}

async function chosen(handle: TestHandle, model?: string, name?: string, strict = false): Promise<string> {
  const { profile } = await handle.resolver.resolve('openai', name, { ...(model && { model }), strict })
  return profile.name
}

describe('a profile whose answers broke off', () => {
  test('is chosen after others for this model, also when it is named, and is usable all the same', async () => {
    await using handle = await two()
    handle.profiles.noteFailure('openai:a', 'server_error', { model: 'm', brokeOff: 'unstated' })
    expect(await chosen(handle, 'm')).toBe('b')
    expect(await chosen(handle, 'm', 'a')).toBe('b')
    expect(await chosen(handle, 'm', 'a', true)).toBe('a')
    expect(await chosen(handle, 'n')).toBe('a')
    expect(await chosen(handle)).toBe('a')
    const { profile } = await handle.resolver.resolve('openai', undefined, {
      model: 'm',
      exclude: new Set(['openai:b']),
    })
    expect(profile.name).toBe('a')
    expect(await handle.profiles.view('openai:a')).toMatchObject({
      state: 'available',
      modelCooldowns: [],
      behind: [{ model: 'm' }],
    })
    handle.clock.advance(30_000)
    expect(await chosen(handle, 'm')).toBe('a')
  })

  test('among others of its kind keeps its place', async () => {
    await using handle = await two()
    for (const id of ['openai:b', 'openai:a']) {
      handle.profiles.noteFailure(id, 'server_error', { model: 'm', brokeOff: 'unstated' })
    }
    expect(await chosen(handle, 'm')).toBe('a')
    expect(await chosen(handle, 'm', 'b')).toBe('b')
  })

  test('is back in its place after an answer that came to its end, and after a reset', async () => {
    await using handle = await two()
    const breakOff = (): void =>
      handle.profiles.noteFailure('openai:a', 'server_error', { model: 'm', brokeOff: 'unstated' })
    handle.profiles.noteSuccess('openai:a', { model: 'm' })
    breakOff()
    expect(await chosen(handle, 'm')).toBe('b')
    handle.profiles.noteSuccess('openai:a', { model: 'm' })
    expect(await chosen(handle, 'm')).toBe('a')
    breakOff()
    expect(await handle.profiles.reset('openai:a')).toEqual(['openai:a'])
    expect(await chosen(handle, 'm')).toBe('a')
  })

  test('is known to whoever opens the vault', async () => {
    const shared = createMemoryStore()
    await using handle = await two(shared.connect())
    handle.profiles.noteFailure('openai:a', 'server_error', { model: 'm', brokeOff: 'unstated' })
    await handle.profiles.flush()
    const other = await openTestHandle({ store: shared.connect() })
    expect(await chosen(other, 'm')).toBe('b')
    await other.close()
  })
})
