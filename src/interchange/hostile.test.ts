import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeymuxError } from '../domain/errors.js'
import { newProfileId, parseProfileId } from '../domain/ids.js'
import type { FileContents, Importer, ImportResultDraft } from './draft.js'
import { IMPORTERS } from './importers.js'

const KNOWN: ReadonlySet<string> = new Set([
  'anthropic',
  'gemini',
  'github-copilot',
  'groq',
  'openai',
  'qwen',
])
const MARKER = 'sk-marker-0123456789'

const FIELDS = [
  ...['type', 'mode', 'provider', 'key', 'keyRef', 'token', 'tokenRef', 'access', 'refresh', 'expires'],
  ...['email', 'accountId', 'enterpriseUrl', 'user', 'oauth_token', 'source', 'id', 'errorCount', 'lastUsed'],
]
const NAMES = [
  ...['__proto__', 'constructor', 'toString', '', 'unicode ключ 🔑', 'a\u202eb', 'x'.repeat(300)],
  ...['openai', 'google', 'gemini', 'anthropic', 'github-copilot', 'github.com:x', 'openai:default'],
]
const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    MARKER,
    'oauth',
    'api_key',
    'api',
    'token',
    'env',
    '',
    null,
    0,
    -1,
    1.5,
    1e300,
    true,
  ),
  fc.constantFrom<unknown>(1_925_000_000_000, `!${MARKER}`, '\u0000', '\ud800', 'a@b.c', 'corp.ghe.com'),
  fc.string({ unit: 'binary' }),
)
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc
      .array(fc.tuple(fc.constantFrom(...NAMES, ...FIELDS), tie('tree')), { maxLength: 8 })
      .map((members) => Object.fromEntries(members)),
  ),
}))

/** One change: of the object or list chosen by `place`, the member chosen by `member` is replaced or renamed. */
const change = fc.record({
  place: fc.nat(),
  member: fc.nat(),
  value: fc.option(tree, { nil: undefined }),
  name: fc.option(fc.constantFrom(...NAMES, ...FIELDS), { nil: undefined }),
})

/** The tool's own file, from under its usual name, after some changes. */
function attacked(
  { name: tool, defaultPaths }: Importer,
  changes: readonly { place: number; member: number; value: unknown; name?: unknown }[],
): unknown {
  const usual = basename(defaultPaths('/home', {}, 'linux')[0] ?? '')
  const path = new URL(`../../test/vectors/imports/${tool}/${usual}`, import.meta.url)
  const file: unknown = JSON.parse(readFileSync(path, 'utf8'))
  for (const { place, member, value, name } of changes) {
    const places = containers(file)
    const target = places[place % places.length]
    if (target === undefined) continue
    const names = Object.keys(target)
    const key = names[member % Math.max(names.length, 1)] ?? 'x'
    const old = Reflect.get(target, key)
    if (typeof name === 'string') Reflect.deleteProperty(target, key)
    const property = { value: value ?? old, enumerable: true, configurable: true, writable: true }
    Object.defineProperty(target, typeof name === 'string' && !Array.isArray(target) ? name : key, property)
  }
  return file
}

function containers(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return []
  return [value, ...Object.values(value).flatMap(containers)]
}

const DEEP = '{"openai":'.repeat(200_000)
const GARBAGE: readonly FileContents[] = [
  '',
  'null',
  '[]',
  '"text"',
  '\u0000',
  Buffer.from([0xff, 0xfe, 0x00, 0xd8]),
  Buffer.from([0x7b, 0xff]),
  DEEP,
  `${DEEP}1${'}'.repeat(200_000)}`,
  '['.repeat(5_000_000),
  `{"openai":"${'x'.repeat(10_000_000)}"}`,
  `{"${'x'.repeat(10_000_000)}":{"type":"oauth"}}`,
  Buffer.alloc(64 * 1024 * 1024 + 1),
]

function parse(
  importer: Importer,
  contents: FileContents,
  takeOver = false,
): ImportResultDraft | KeymuxError {
  try {
    return importer.parse(contents, {
      known: KNOWN,
      takeOver,
      companions: { 'google_accounts.json': contents },
    })
  } catch (error) {
    if (error instanceof KeymuxError) return error
    throw error
  }
}

describe.each(IMPORTERS.map((importer) => [importer.name, importer] as const))('%s', (_name, importer) => {
  it('gives sound drafts or a typed error, whatever the file holds', () => {
    let drafts = 0
    fc.assert(
      fc.property(fc.array(change, { maxLength: 4 }), fc.boolean(), (changes, takeOver) => {
        const result = parse(importer, JSON.stringify(attacked(importer, changes)), takeOver)
        if (result instanceof KeymuxError) {
          expect(result.code).toBe('invalid_import')
          expect(`${result.message} ${result.hint}`).not.toContain(MARKER)
          return
        }
        const ids = result.drafts.map(({ provider, name }) => newProfileId(provider, name))
        expect(new Set(ids).size).toBe(ids.length)
        for (const id of ids) expect(parseProfileId(id).id).toBe(id)
        drafts += ids.length
        for (const draft of result.drafts) {
          expect(KNOWN).toContain(draft.provider)
          const ways = [draft.secret, draft.reference, draft.oauth].filter((way) => way !== undefined)
          expect(ways).toHaveLength(1)
          expect(ways).not.toContain('')
          expect(Number.isNaN(draft.expiresAt?.getTime())).toBe(false)
          if (!takeOver) expect(draft.mode).not.toBe('oauth')
        }
        for (const { id, reason } of [...result.skipped, ...result.failed]) {
          expect(reason).not.toContain(MARKER)
          expect(id.length).toBeLessThanOrEqual(201)
        }
      }),
      { numRuns: 500 },
    )
    // Otherwise nothing was tried but errors.
    expect(drafts).toBeGreaterThan(100)
  })

  it('gives nothing or a typed error for any other JSON', () => {
    fc.assert(
      fc.property(tree, (value) => {
        parse(importer, JSON.stringify(value))
      }),
      { numRuns: 300 },
    )
  })

  it('survives garbage, depth and size', () => {
    for (const file of GARBAGE) {
      const result = parse(importer, file)
      if (result instanceof KeymuxError) expect(result.message.length).toBeLessThan(500)
    }
  })
})

it.each(['copilot', 'llm', 'openclaw', 'opencode', 'pi'])(
  '%s refuses more entries than anybody has',
  (name) => {
    const importer = IMPORTERS.find((one) => one.name === name)
    const entries = Object.fromEntries(Array.from({ length: 100_001 }, (_, index) => [`x${index}`, {}]))
    const text = JSON.stringify(name === 'openclaw' ? { profiles: entries } : entries)
    expect(importer && parse(importer, text)).toMatchObject({
      code: 'invalid_import',
      message: 'the file holds more than 100000 entries',
    })
  },
)
