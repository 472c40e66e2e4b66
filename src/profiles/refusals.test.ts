import { describe, expect, test } from 'vitest'
import { openTestHandle, type TestHandle } from '../../test/support/handle.js'
import type { Refusals, RefusedRequest } from '../domain/refusals.js'
import { createMemoryStore } from '../storage/memory/index.js'

const MINUTE = 60_000
const REQUEST: RefusedRequest = {
  provider: 'openai',
  path: '/chat/completions',
  model: 'm',
  fingerprint: 'no',
}
const CONVERSATION = '\u0001twelve bytes'.slice(0, 12)

async function opened(store = createMemoryStore()): Promise<{ handle: TestHandle; refusals: Refusals }> {
  const handle = await openTestHandle({ store: store.connect() })
  const { refusals } = handle.profiles
  if (refusals === undefined) throw new Error('a vault remembers refusals')
  return { handle, refusals }
}

async function withAccounts(): Promise<{ handle: TestHandle; refusals: Refusals }> {
  const made = await opened()
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
    await made.handle.profiles.add({ provider: 'openai', name, secret: `key-${name}` })
  }
  return made
}

describe('a refusal that two accounts agreed on', () => {
  test('is known for ten minutes, by provider, path, model and fingerprint', async () => {
    const { handle, refusals } = await withAccounts()
    expect([refusals.isEmpty, refusals.isKnown(REQUEST)]).toEqual([true, false])
    refusals.keep(REQUEST, 'openai:a')
    expect([refusals.isEmpty, refusals.isKnown(REQUEST)]).toEqual([false, true])
    for (const other of [
      { provider: 'gemini' },
      { path: '/x' },
      { model: undefined },
      { fingerprint: 'yes' },
    ]) {
      expect(refusals.isKnown({ ...REQUEST, ...other })).toBe(false)
    }
    handle.clock.advance(10 * MINUTE - 1_000)
    expect(refusals.isKnown(REQUEST)).toBe(true)
    handle.clock.advance(1_000)
    expect(refusals.isKnown(REQUEST)).toBe(false)
    await handle.close()
  })

  test('is over with a success of that model, and with no other', async () => {
    const { handle, refusals } = await withAccounts()
    refusals.keep(REQUEST, 'openai:a')
    handle.profiles.noteSuccess('openai:b', { model: 'another' })
    expect(refusals.isKnown(REQUEST)).toBe(true)
    await handle.profiles.markSuccess('openai:b', { model: 'm' })
    expect(refusals.isKnown(REQUEST)).toBe(false)
    handle.clock.advance(1_000)
    refusals.keep(REQUEST, 'openai:a')
    expect(refusals.isKnown(REQUEST)).toBe(true)
    await handle.close()
  })

  test('is over with a reset of any account of the provider', async () => {
    const { handle, refusals } = await withAccounts()
    refusals.keep(REQUEST, 'openai:a')
    handle.clock.advance(1_000)
    await handle.profiles.reset('openai:b')
    expect(refusals.isKnown(REQUEST)).toBe(false)
    await handle.close()
  })

  test('is known, and over, in other processes and after a restart', async () => {
    const store = createMemoryStore()
    const one = await opened(store)
    await one.handle.profiles.add({ provider: 'openai', name: 'a', secret: 'key-a' })
    one.refusals.keep(REQUEST, 'openai:a')
    await one.handle.profiles.flush()
    const other = await opened(store)
    expect(other.refusals.isKnown(REQUEST)).toBe(true)
    other.handle.clock.advance(1_000)
    other.handle.profiles.noteSuccess('openai:a', { model: 'm' })
    await other.handle.profiles.flush()
    await one.handle.profiles.view('openai:a')
    expect(one.refusals.isKnown(REQUEST)).toBe(false)
    await one.handle.close()
    await other.handle.close()
  })

  test('of a clock that was wrong is none', async () => {
    const { handle, refusals } = await withAccounts()
    handle.clock.advance(60 * MINUTE)
    refusals.keep(REQUEST, 'openai:a')
    handle.clock.advance(-60 * MINUTE)
    expect(refusals.isKnown(REQUEST)).toBe(false)
    await handle.close()
  })
})

describe('profiles that go last in a conversation', () => {
  test('do so for an hour, four at most, the latest of them', async () => {
    const { handle, refusals } = await withAccounts()
    for (const name of ['a', 'b', 'c', 'd', 'e', 'a']) {
      refusals.putLast(CONVERSATION, `openai:${name}`, 'no')
      handle.clock.advance(1_000)
    }
    expect([...refusals.lastIn(CONVERSATION)].sort()).toEqual([
      'openai:a',
      'openai:c',
      'openai:d',
      'openai:e',
    ])
    expect(refusals.lastIn('\u0002another on').size).toBe(0)
    handle.clock.advance(60 * MINUTE - 2_000)
    expect([...refusals.lastIn(CONVERSATION)]).toEqual(['openai:a'])
    await handle.close()
  })

  test('do so no longer after a reset, or when they are gone', async () => {
    const { handle, refusals } = await withAccounts()
    refusals.putLast(CONVERSATION, 'openai:a', 'no')
    await handle.profiles.delete('openai:a')
    expect(refusals.lastIn(CONVERSATION).size).toBe(0)
    refusals.putLast(CONVERSATION, 'openai:b', 'no')
    handle.clock.advance(1_000)
    await handle.profiles.reset()
    expect(refusals.lastIn(CONVERSATION).size).toBe(0)
    await handle.close()
  })
})
