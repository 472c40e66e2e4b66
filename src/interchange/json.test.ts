import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeymuxError } from '../domain/errors.js'
import { ProfileStore } from '../domain/profile-store.js'
import { decodeExport, type ExportContents, encodeExport } from './json.js'

const SAMPLE = readFileSync(new URL('../../test/vectors/devclaw/sample.store.json', import.meta.url))
const NOW = new Date('2026-11-23T12:00:00.5Z')

const CONTENTS: ExportContents = {
  store: ProfileStore.fromJSON(SAMPLE.toString()),
  secrets: [
    { name: 'unicode ключ 🔑', value: 'välue ✓' },
    { name: 'constructor', value: 'x' },
  ],
  providers: [
    { name: 'corp', declaration: { label: 'Corp', base_url: 'https://corp.example', modes: ['api_key'] } },
  ],
}

function document(): Record<string, unknown> {
  return JSON.parse(encodeExport(CONTENTS, NOW))
}

describe('our own export', () => {
  it('is versioned JSON with profiles in the stored format', () => {
    const file = document()
    expect(Object.keys(file)).toEqual([
      'format',
      'version',
      'exported_at',
      'profiles',
      'secrets',
      'providers',
      'usage_stats',
      'last_good',
    ])
    expect(file).toMatchObject({
      format: 'keymux-export',
      version: 1,
      exported_at: '2026-11-23T12:00:00.5Z',
      secrets: CONTENTS.secrets,
      providers: [{ name: 'corp', label: 'Corp', base_url: 'https://corp.example', modes: ['api_key'] }],
    })
    expect(file.profiles).toEqual(Object.values(JSON.parse(JSON.stringify(CONTENTS.store)).profiles))
    expect(file.profiles).toContainEqual(
      expect.objectContaining({ id: 'openai:work', priority: 10, api_key: { key: 'sk-shared-work' } }),
    )
  })

  it('reads back as it was written', () => {
    const read = decodeExport(Buffer.from(encodeExport(CONTENTS, NOW)))
    expect(read).toMatchObject({ origin: 'keymux', exportedAt: NOW })
    expect(read.store.toJSON()).toEqual(CONTENTS.store.toJSON())
    expect(read.secrets).toEqual(CONTENTS.secrets)
    expect(read.providers).toEqual(CONTENTS.providers)
    expect(encodeExport(read, NOW)).toBe(encodeExport(CONTENTS, NOW))
  })

  it('of an empty vault has empty lists', () => {
    const empty = { store: new ProfileStore(), secrets: [], providers: [] }
    expect(JSON.parse(encodeExport(empty, NOW))).toEqual({
      format: 'keymux-export',
      version: 1,
      exported_at: '2026-11-23T12:00:00.5Z',
      profiles: [],
      secrets: [],
      providers: [],
    })
    expect(decodeExport(encodeExport(empty, NOW)).store.list()).toEqual([])
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['another format', { format: 'other' }, 'format: expected keymux-export'],
    ['a newer version', { version: 2 }, 'version: expected 1'],
    ['no time', { exported_at: 'today' }, 'exported_at: expected an RFC 3339 time'],
    ['no profiles', { profiles: null }, 'profiles: expected a list'],
    ['profiles as a map', { profiles: {} }, 'profiles: expected a list'],
    ['a profile that is none', { profiles: [7] }, 'profiles[0]: expected an object'],
    ['a bad id', { profiles: [{ id: 'nothing' }] }, 'profiles[0].id: expected a profile id, provider:name'],
    ['a secret without value', { secrets: [{ name: 'a' }] }, 'secrets[0].value: expected a text'],
    [
      'a secret without name',
      { secrets: [{ name: '', value: 'x' }] },
      'secrets[0].name: expected a text that is not empty',
    ],
    [
      'a secret twice',
      {
        secrets: [
          { name: 'a', value: 'x' },
          { name: 'a', value: 'y' },
        ],
      },
      'secrets[1].name: expected each name once',
    ],
    ['no providers', { providers: undefined }, 'providers: expected a list'],
    ['a provider that is none', { providers: ['corp'] }, 'providers[0]: expected an object'],
    [
      'bad statistics',
      { usage_stats: { 'openai:work': { error_count: -1 } } },
      'usage_stats["openai:work"].error_count: expected a whole number of at least 0',
    ],
  ])('names the field that is wrong: %s', (_what, change, message) => {
    expect(() => decodeExport(JSON.stringify({ ...document(), ...change }))).toThrow(
      expect.objectContaining({ code: 'invalid_import', message }),
    )
  })

  it('takes each profile once', () => {
    const file = document()
    const [first] = Array.isArray(file.profiles) ? file.profiles : []
    expect(() => decodeExport(JSON.stringify({ ...file, profiles: [first, first] }))).toThrow(
      expect.objectContaining({ message: 'profiles[1].id: expected each id once' }),
    )
  })
})

describe("DevClaw's own store", () => {
  it('is read too', () => {
    const read = decodeExport(SAMPLE)
    expect(read).toMatchObject({ origin: 'devclaw', secrets: [], providers: [] })
    expect(read).not.toHaveProperty('exportedAt')
    expect(read.store.toJSON()).toEqual(CONTENTS.store.toJSON())
  })

  it('is told from its vault and from anything else', () => {
    expect(() => decodeExport('{"version":1,"salt":"x","entries":{}}')).toThrow(
      expect.objectContaining({
        code: 'invalid_import',
        hint: 'an encrypted vault of DevClaw is imported with keymux import devclaw',
      }),
    )
    expect(() => decodeExport('{}')).toThrow(
      expect.objectContaining({ code: 'invalid_import', message: 'profiles: expected an object' }),
    )
  })
})

describe('decodeExport', () => {
  it('refuses anything else with a typed error', () => {
    const shape = fc.record(
      {
        format: fc.constant('keymux-export'),
        version: fc.constant(1),
        exported_at: fc.constant('2026-01-01T00:00:00Z'),
        profiles: fc.oneof(fc.constant([]), fc.array(fc.jsonValue()), fc.jsonValue()),
        secrets: fc.oneof(fc.constant([]), fc.array(fc.record({ name: fc.string(), value: fc.string() }))),
        providers: fc.oneof(fc.constant([]), fc.array(fc.record({ name: fc.jsonValue() }))),
        usage_stats: fc.jsonValue(),
        last_good: fc.oneof(fc.constant(null), fc.dictionary(fc.string(), fc.string())),
      },
      { requiredKeys: ['format', 'version', 'exported_at'] },
    )
    const contents = fc.oneof(
      shape.map((value) => JSON.stringify(value)),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.uint8Array(),
      fc.constant('{"profiles":{"__proto__":{"id":"a:b"}}}'),
      fc.constant(
        '{"format":"keymux-export","version":1,"exported_at":"2026-01-01T00:00:00Z","profiles":[],"secrets":[],"providers":[],"usage_stats":{"__proto__":{}}}',
      ),
    )
    fc.assert(
      fc.property(contents, (text) => {
        try {
          const { store } = decodeExport(text)
          expect(Object.getPrototypeOf(store.profiles)).toBeNull()
        } catch (error) {
          expect(error).toBeInstanceOf(KeymuxError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('survives depth and size', () => {
    for (const text of ['['.repeat(5_000_000), `{"profiles":${'['.repeat(500_000)}${']'.repeat(500_000)}}`]) {
      expect(() => decodeExport(text)).toThrow(KeymuxError)
    }
    const value = 'x'.repeat(10_000_000)
    const file = { ...document(), secrets: [{ name: 'large', value }] }
    expect(decodeExport(JSON.stringify(file)).secrets).toEqual([{ name: 'large', value }])
  })

  it('pollutes no prototype through a declaration', () => {
    const file = document()
    const text = JSON.stringify({ ...file, providers: [] }).replace(
      '"providers":[]',
      '"providers":[{"name":"corp","__proto__":{"polluted":true}}]',
    )
    const [provider] = decodeExport(text).providers
    expect(Object.getPrototypeOf(provider?.declaration)).toBe(Object.prototype)
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })
})
