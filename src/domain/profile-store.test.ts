import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { KeymuxError } from './errors.js'
import { profileFromJson } from './profile-codec.js'
import { ProfileStore } from './profile-store.js'

const sampleText = readFileSync('test/vectors/devclaw/sample.store.json', 'utf8')
const sample = JSON.parse(sampleText)

function toMilliseconds(text: string): string {
  return text.replace(/\.(\d{3})\d*Z/g, (_, digits: string) => `.${digits}Z`.replace(/0+Z$/, 'Z'))
}

function messageOf(input: unknown): string {
  try {
    ProfileStore.fromJSON(input)
  } catch (error) {
    if (error instanceof KeymuxError && error.code === 'invalid_import') return error.message
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('ProfileStore', () => {
  it("gives back the original's store, field for field and in its order, times to the millisecond", () => {
    const store = ProfileStore.fromJSON(sampleText)
    expect(JSON.stringify(store, undefined, 4)).toBe(toMilliseconds(sampleText).trimEnd())
    expect(ProfileStore.fromJSON(store.toJSON())).toEqual(store)
    expect(ProfileStore.fromJSON(sample)).toEqual(store)
  })

  it('reads profiles, statistics and last good of the original', () => {
    const store = ProfileStore.fromJSON(sampleText)
    expect(store.get('openai:default')?.apiKey).toEqual({ keyRef: 'OPENAI_API_KEY' })
    expect(store.usageStats['openai:work']).toEqual({
      cooldownUntil: new Date('2026-11-23T14:51:14.332Z'),
      disabledUntil: new Date('2026-11-24T00:50:44.332Z'),
      disabledReason: 'billing',
      errorCount: 2,
      failureCounts: { billing: 1, rate_limit: 1 },
      lastFailureAt: new Date('2026-11-23T14:50:44.332Z'),
    })
    expect({ ...store.lastGood }).toEqual({ gemini: 'gemini:personal', openai: 'openai:default' })
  })

  it('is empty at first, and writes so', () => {
    expect(JSON.stringify(new ProfileStore())).toBe('{"version":1,"profiles":{}}')
    expect(ProfileStore.fromJSON('{}')).toEqual(new ProfileStore())
    expect(ProfileStore.fromJSON('{"version":1,"profiles":null}').list()).toEqual([])
  })

  it('lists in a stable order, whatever the order of insertion', () => {
    const names = ['b', 'a', '\u{1f600}', '\ufffd', 'Z', '10', '9']
    const ids = names.map((name) => `groq:${name}`)
    const orders = [names, [...names].reverse()].map((order) => {
      const store = new ProfileStore()
      for (const name of order) store.set(profile('groq', name))
      store.set(profile('openai', 'a'))
      return store
    })
    for (const store of orders) {
      expect(store.listByProvider('GROQ').map(({ id }) => id)).toEqual(
        ids.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      )
      expect(store.list().at(-1)?.id).toBe('openai:a')
    }
    expect(JSON.stringify(orders[0])).toBe(JSON.stringify(orders[1]))
  })

  it('hands out the live statistics', () => {
    const store = new ProfileStore()
    const stats = store.getUsageStats('openai:work')
    stats.errorCount = 7
    expect(store.getUsageStats('openai:work')).toBe(stats)
    expect(store.toJSON().usage_stats).toEqual({ 'openai:work': { error_count: 7 } })
  })

  it('forgets statistics and last good together with the profile, and with no other', () => {
    const store = new ProfileStore()
    for (const name of ['a', 'b']) {
      store.set(profile('openai', name))
      store.getUsageStats(`openai:${name}`)
    }
    store.markAuthProfileGood('OpenAI', 'openai:a')
    expect(store.delete('openai:b')).toBe(true)
    expect({ ...store.lastGood }).toEqual({ openai: 'openai:a' })
    expect(store.delete('openai:a')).toBe(true)
    expect(store.delete('openai:a')).toBe(false)
    expect(store).toEqual(new ProfileStore())
  })

  it('is not fooled by names that objects inherit', () => {
    const store = new ProfileStore()
    expect(store.get('constructor')).toBeUndefined()
    expect(store.lastGood.constructor).toBeUndefined()
    store.markAuthProfileGood('constructor', 'constructor:a')
    expect(ProfileStore.fromJSON(JSON.stringify(store)).lastGood.constructor).toBe('constructor:a')
  })

  const work = sample.profiles['openai:work']
  it.each([
    [[], 'the document: expected an object'],
    [null, 'the document: expected an object'],
    ['', 'this is not JSON'],
    ['{"version":1,\n"profiles": sk-secret}', 'this is not JSON'],
    [{ version: 2 }, 'version: expected 1'],
    [{ version: '1' }, 'version: expected a whole number of at least 0'],
    [{ profiles: [work] }, 'profiles: expected an object'],
    [{ profiles: { 'openai:work': null } }, 'profiles["openai:work"]: expected an object'],
    [{ profiles: { nobody: work } }, 'profiles["nobody"]: expected a profile id, provider:name'],
    [
      { profiles: { 'openai:home': work } },
      'profiles["openai:home"].id: expected the id under which the profile is stored',
    ],
    [
      { profiles: { 'openai:work': work, 'OpenAI:work': work } },
      'profiles["OpenAI:work"]: expected each id once',
    ],
    [
      { profiles: { 'openai:work': { ...work, oauth: { expires_at: 'soon' } } } },
      'profiles["openai:work"].oauth.expires_at: expected an RFC 3339 time',
    ],
    [{ usage_stats: { 'openai:work': 3 } }, 'usage_stats["openai:work"]: expected an object'],
    [
      { usage_stats: { 'openai:work': { error_count: 0.5 } } },
      'usage_stats["openai:work"].error_count: expected a whole number of at least 0',
    ],
    [{ last_good: { openai: 3 } }, 'last_good["openai"]: expected a profile id, provider:name'],
    [{ last_good: { openai: 'work' } }, 'last_good["openai"]: expected a profile id, provider:name'],
  ])('validates what is imported and names the field that is wrong (%#)', (input, message) => {
    const found = messageOf(input)
    expect(found.startsWith(message)).toBe(true)
    expect(found).not.toContain('secret')
  })

  it('refuses __proto__ as a key and pollutes nothing', () => {
    for (const map of ['profiles', 'usage_stats', 'last_good']) {
      expect(messageOf(`{"${map}":{"__proto__":{"polluted":true}}}`)).toBe(
        `${map}["__proto__"]: expected another key`,
      )
    }
    expect({}).not.toHaveProperty('polluted')
  })

  it('escapes what a key could do to a terminal', () => {
    expect(messageOf({ profiles: { '\u001b[2J:x': {} } })).toBe(
      'profiles["\\u001b[2J:x"]: expected a profile id, provider:name',
    )
  })

  it('survives deep and huge garbage', () => {
    expect(messageOf('['.repeat(1_000_000))).toContain('nested deeper than 64 levels')
    expect(messageOf(`{"profiles":${'{"a":'.repeat(100_000)}`)).toContain('nested deeper than 64 levels')
    expect(messageOf('x'.repeat(10_000_000))).toContain('this is not JSON')
  })

  it('tells the line in which text breaks off', () => {
    expect(messageOf(sampleText.replace('"mode": "token",', '"mode": "token" sk-secret'))).toBe(
      'this is not JSON: it breaks off in line 8',
    )
  })
})

function profile(provider: string, name: string): ReturnType<typeof profileFromJson> {
  return profileFromJson({ ...sample.profiles['openai:work'], id: `${provider}:${name}`, provider, name })
}
