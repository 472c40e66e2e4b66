import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestHandle } from '../../test/support/handle.js'
import { openTestHandle } from '../../test/support/handle.js'
import { ProfileTools } from '../compose-compat.js'
import { ERROR_CODES } from '../domain/errors.js'
import { TOOL_DEFINITIONS } from './tool-definitions.js'

const MARKER = 'sk-MARKER-5c1f0b'

let handle: TestHandle
let tools: ProfileTools
beforeAll(async () => {
  handle = await openTestHandle()
  tools = new ProfileTools(handle.profiles, handle.resolver, { allowReveal: false, clock: handle.clock })
  await keepSecrets()
})
afterAll(() => handle.close())

/** Makes sure that there is something to reveal. */
async function keepSecrets(): Promise<void> {
  await tools.add({ provider: 'openai', name: 'work', api_key: MARKER })
  await tools.add({ provider: 'groq', name: 'ci', token: MARKER })
  await tools.import({
    provider: 'gemini',
    name: 'me@x.com',
    mode: 'oauth',
    data: { access_token: MARKER, refresh_token: MARKER, expires_at: '2027-01-01T00:00:00Z' },
  })
}

const anything = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
})

const ids = fc.constantFrom(
  'openai:work',
  'groq:ci',
  'gemini:me@x.com',
  'openai',
  'OPENAI:work',
  '__proto__',
  'a:b:c',
)
const words = fc.constantFrom(
  'api_key',
  'token',
  'oauth',
  'openai',
  'groq',
  'gemini',
  'constructor',
  '__proto__',
  '',
)
const time = fc.constantFrom('2027-01-01T00:00:00Z', '0001-01-01T00:00:00Z', 'never')

/** Values that get past the first checks more often than not. */
const likely = fc.oneof(ids, words, time, fc.integer(), fc.boolean(), fc.string({ unit: 'binary' }), anything)
const likelySecret = fc.oneof(likely, fc.constant(MARKER))

const record = (
  fields: readonly string[],
  valuesFor: (field: string) => fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> =>
  fc.record(Object.fromEntries(fields.map((field) => [field, valuesFor(field)])), {
    requiredKeys: [],
    noNullPrototype: false,
  })

const SECRETS = [
  'key',
  'key_ref',
  'token',
  'token_ref',
  'access_token',
  'refresh_token',
  'api_key',
  'name',
  'provider',
]
const DATA = [
  'key',
  'key_ref',
  'token',
  'token_ref',
  'access_token',
  'refresh_token',
  'expires_at',
  'email',
  'scopes',
  'metadata',
]
const data = fc.oneof(
  anything,
  record(DATA, (field) => (SECRETS.includes(field) ? likelySecret : likely)),
)

const properties = TOOL_DEFINITIONS.flatMap(({ input_schema }) => Object.keys(input_schema.properties))

/** Objects with the tools' own argument names, most of them with values of the wrong kind. */
const args = record([...new Set(properties)], (field) => {
  if (field === 'data') return data
  return SECRETS.includes(field) ? likelySecret : likely
})

const hostile = fc.constantFrom<unknown>(
  undefined,
  null,
  0,
  Number.NaN,
  'x'.repeat(5_000_000),
  { profile_id: 'x'.repeat(5_000_000) },
  { provider: 'openai', name: '\u202e'.repeat(500), api_key: 'k' },
  { provider: 'openai', api_key: `\ud800${MARKER}`, base_url: `https://${MARKER}@x` },
  { profile_id: MARKER },
  { provider: MARKER, api_key: MARKER },
  JSON.parse('{"__proto__":{"profile_id":"openai:work","provider":"openai","api_key":"k"}}'),
  Object.create({ profile_id: 'openai:work', enable: false, priority: 1 }),
  new Proxy(
    {},
    {
      get: () => {
        throw new Error(MARKER)
      },
      getOwnPropertyDescriptor: () => {
        throw new Error(MARKER)
      },
    },
  ),
  {
    get profile_id(): string {
      throw new Error(MARKER)
    },
    get provider(): string {
      throw new Error(MARKER)
    },
  },
  { provider: 'openai', mode: 'api_key', data: { toString: () => MARKER } },
)

describe('whatever they are given', () => {
  it('the tools never throw, reveal nothing, and say in one line what is wrong', async () => {
    const name = fc.oneof(
      { weight: 20, arbitrary: fc.constantFrom(...TOOL_DEFINITIONS.map((tool) => tool.name)) },
      { weight: 1, arbitrary: fc.string() },
    )
    await fc.assert(
      fc.asyncProperty(name, fc.oneof(args, anything, hostile), async (tool, input) => {
        const result = await tools.call(tool, input)
        if (tool === 'profile_delete') await keepSecrets()
        const shown = JSON.stringify(result)
        expect(shown).not.toContain('MARKER')
        const { success, error, code, hint } = result as Record<string, unknown>
        if (success !== false) return
        expect(typeof error).toBe('string')
        expect(error).not.toMatch(/^$|[\n\r\u0000-\u001f\u202e]/)
        expect(Object.hasOwn(ERROR_CODES, String(code))).toBe(true)
        expect(code).not.toBe('internal_error')
        expect(String(error).length + String(hint ?? '').length).toBeLessThan(3_000)
      }),
      { numRuns: 3_000 },
    )
  })

  it('and what they have refused has changed nothing', async () => {
    const { profiles } = await tools.list()
    for (const { id } of profiles) {
      expect(await tools.test({ profile_id: id })).toMatchObject({ success: true })
    }
  })

  it('inherited members are no arguments', async () => {
    await tools.add({ provider: 'xai', name: 'kept', api_key: 'k' })
    for (const { name } of TOOL_DEFINITIONS.filter(({ input_schema }) => input_schema.required.length > 0)) {
      const inherited: unknown = Object.create({
        profile_id: 'xai:kept',
        provider: 'xai',
        name: 'other',
        mode: 'api_key',
        api_key: 'k',
        enable: false,
        priority: 1,
        data: { key: 'k' },
      })
      expect(await tools.call(name, inherited)).toMatchObject({ success: false, code: 'invalid_value' })
    }
    expect((await tools.list({ provider: 'xai' })).profiles).toMatchObject([
      { id: 'xai:kept', enabled: true, priority: 0 },
    ])
  })
})
