import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseConfigObject } from '../../src/config/load.js'
import { describeConfig } from '../../src/config/schema.js'
import { decodeHeader } from '../../src/crypto/header.js'
import { KeymuxError } from '../../src/domain/errors.js'
import { ProfileStore } from '../../src/domain/profile-store.js'
import { openDevclawVault } from '../../src/interchange/devclaw-vault.js'
import { IMPORTERS } from '../../src/interchange/importers.js'
import { decodeExport } from '../../src/interchange/json.js'
import { readClaims } from '../../src/interchange/jwt.js'
import { claimsOf } from '../../src/oauth/account.js'
import { readFields, readGrant } from '../../src/oauth/token-answer.js'
import { parseTolerantly } from '../../src/policy/classify-json.js'
import { classifyFailure } from '../../src/policy/classify-message.js'
import { classifyResponse } from '../../src/policy/classify-response.js'
import { modelAllowed } from '../../src/policy/model-globs.js'
import { parseCustomProvider } from '../../src/providers/custom.js'
import { readProviderFile } from '../../src/surfaces/cli/provider-file.js'
import { createJsonLogger } from '../../src/surfaces/gateway/log.js'
import { conversationKey } from '../../src/transport/conversation-key.js'
import { carriesContent } from '../../src/transport/event-content.js'
import { codeOf } from '../../src/transport/failure.js'
import { elements, JsonText, members } from '../../src/transport/json-walk.js'
import { requestedModel, withModel } from '../../src/transport/request-model.js'
import { SignedItems } from '../../src/transport/signed-items.js'
import { startTestGateway, type TestGateway } from '../support/gateway.js'
import { JSON_NESTS, jsonOfDepth, YAML_NESTS } from '../support/nests.js'

const DEPTHS = [65, 1_000, 1_700, 10_000, 1_000_000]
const NOW = new Date('2026-01-31T12:00:00Z')

/** What is refused has a code; nothing else may be thrown, and nothing may bring the process down. */
async function codeFrom(door: () => unknown): Promise<string> {
  try {
    await door()
    return 'read'
  } catch (error) {
    expect(error).toBeInstanceOf(KeymuxError)
    return (error as KeymuxError).code
  }
}

/** The same as an object, which no text limits. */
function objectOfDepth(depth: number): object {
  let value: object = {}
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? { a: value } : [value]
  return value
}

const jwt = (payload: string): string => `e30.${Buffer.from(payload).toString('base64url')}.c2ln`

describe.each(JSON_NESTS)('JSON of %s', (_name, open, close) => {
  describe.each(DEPTHS)('%i deep', (depth) => {
    const text = jsonOfDepth(depth, open, close)
    const cut = open.repeat(depth)

    test.each(IMPORTERS.map((importer) => [importer.name, importer] as const))(
      'import %s',
      async (_n, importer) => {
        for (const file of [
          text,
          cut,
          `{"openai":${text}}`,
          `{"profiles":${text}}`,
          `{"version":1,"profiles":${cut}`,
        ]) {
          expect(
            await codeFrom(() => importer.parse(file, { known: new Set(['openai']), takeOver: true })),
          ).toMatch(/^(invalid_import|read)$/)
        }
      },
    )

    test('exports, profile stores, vaults of DevClaw, headers', async () => {
      for (const file of [text, cut, `{"format":"keymux-export","providers":[${text}]}`]) {
        expect(await codeFrom(() => decodeExport(file))).toBe('invalid_import')
        expect(await codeFrom(() => ProfileStore.fromJSON(file))).toBe('invalid_import')
        expect(await codeFrom(() => openDevclawVault(file, 'x'))).toBe('invalid_import')
        expect(await codeFrom(() => decodeHeader(Buffer.from(file)))).toBe('vault_corrupt')
      }
    })

    test('tokens', () => {
      expect(readClaims(jwt(`{"email":"a@b.c","x":${text}}`))).toEqual({})
      expect(claimsOf(jwt(`{"email":"a@b.c","x":${text}}`))).toEqual({})
      expect(claimsOf(jwt(cut))).toEqual({})
    })

    test('answers of authorization servers, and the tokens in them are not lost', () => {
      const body = `{"access_token":"at","refresh_token":"rt","x":${text}}`
      expect(readGrant(readFields({ body }), NOW)).toMatchObject({ accessToken: 'at', refreshToken: 'rt' })
      expect(readGrant(readFields({ body: cut }), NOW)).toBeUndefined()
    })

    test('answers and events of providers', () => {
      const body = `{"error":{"type":"rate_limit_error","message":"slow down","x":${text}}}`
      expect(classifyResponse({ provider: 'openai', status: 429, body, now: NOW })?.reason).toBe('rate_limit')
      classifyResponse({ provider: 'gemini', status: 400, body: cut, now: NOW })
      parseTolerantly(cut)
      expect(carriesContent({ event: '', data: `{"choices":[{"delta":{"content":${text}}}]}` })).toBe(true)
      expect(carriesContent({ event: '', data: cut })).toBe(true)
    })

    test('requests name their model, and keep it', () => {
      const body = Buffer.from(`{"tools":${text},"model":"m"}`)
      expect(requestedModel('/v1/x', new JsonText(body))).toBe('m')
      expect(requestedModel('/v1/x', new JsonText(withModel(body, 'other')))).toBe('other')
      expect(requestedModel('/v1/x', new JsonText(Buffer.from(cut)))).toBeUndefined()
      const walked = [...members(Buffer.from(cut), 0), ...elements(Buffer.from(cut), 0)]
      expect(walked.length).toBeLessThan(cut.length)
      expect(
        new SignedItems('/responses', new JsonText(Buffer.from(`{"input":[{"encrypted_content":${text}}]}`)))
          .count,
      ).toBe(0)
      const said = (messages: string): string | undefined =>
        conversationKey([], new JsonText(Buffer.from(`{"messages":${messages}}`)))
      expect(said(`[{"role":"system","content":${text}},{"role":"user","content":"hello"}]`)).toContain(
        'hello',
      )
      // Undefined where no text stands in it.
      expect(said(text) ?? 'text ').toMatch(/^text /)
    })
  })
})

describe.each(DEPTHS)('objects %i deep', (depth) => {
  const deep = objectOfDepth(depth)

  test('as a configuration, a provider or its parts', async () => {
    for (const value of [
      deep,
      { providers: deep },
      { providers: { corp: deep } },
      { chains: { a: [deep] } },
    ]) {
      expect(await codeFrom(() => describeConfig(parseConfigObject(value)))).toMatch(
        /^(invalid_config|read)$/,
      )
    }
    for (const value of [deep, { base_url: deep }, { base_url: 'https://a.b', oauth: deep, check: deep }]) {
      expect(await codeFrom(() => parseCustomProvider('corp', value))).toBe('invalid_provider')
    }
  })

  test('as an answer, an error, a field of the log', () => {
    classifyResponse({ provider: 'openai', status: 400, body: deep, now: NOW })
    classifyFailure({ status: 400, error: deep })
  })
})

test('chains of causes come to an end', () => {
  const causes = Array.from({ length: 100_000 }).reduce<Error>(
    (cause) => new Error('x', { cause }),
    new Error('first'),
  )
  const [one, two] = [new Error('one'), new Error('two')]
  one.cause = two
  two.cause = one
  for (const error of [causes, one]) {
    expect(codeOf(error)).toBe('no code')
    expect(classifyFailure(error)).toBe('unknown')
    const lines: string[] = []
    const options = {
      level: 'info',
      clock: { now: () => NOW },
      write: (line: string) => lines.push(line),
    } as const
    createJsonLogger(options).error('failed', { error })
    expect(lines).toHaveLength(1)
  }
})

test('patterns of models take no stack', () => {
  const stars = '*a'.repeat(100_000)
  expect(modelAllowed([stars], 'a'.repeat(1_000))).toBe(false)
  expect(modelAllowed([`${'['.repeat(100_000)}*`], 'a')).toBe(false)
})

describe('declarations of providers', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keymux-nests-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test.each(YAML_NESTS)('of %s are refused', async (_name, nest) => {
    const path = join(folder, 'corp.yaml')
    for (const depth of [200, 1_000, 1_500, 1_700, 2_000, 100_000]) {
      await writeFile(path, nest(depth))
      expect(await codeFrom(() => readProviderFile(path))).toBe('invalid_provider')
    }
  })

  test('with aliases that repeat or contain themselves are refused', async () => {
    const path = join(folder, 'corp.yaml')
    const laughs = Array.from(
      { length: 30 },
      (_, level) => `a${level + 1}: &a${level + 1} [*a${level},*a${level}]`,
    )
    for (const text of [`a0: &a0 [x]\n${laughs.join('\n')}\n`, 'corp: &a { check: *a }', '&a [*a]']) {
      await writeFile(path, text)
      expect(await codeFrom(() => readProviderFile(path))).toBe('invalid_provider')
    }
  })
})

describe('a gateway', () => {
  let running: TestGateway
  beforeAll(async () => {
    running = await startTestGateway([])
  })
  afterAll(() => running.close())

  async function post(path: string, body: string): Promise<number> {
    const headers = { authorization: `Bearer ${running.token}`, 'content-type': 'application/json' }
    const response = await fetch(`${running.url}${path}`, { method: 'POST', headers, body })
    await response.text()
    return response.status
  }

  test.each(JSON_NESTS)('refuses %s under /api, and goes on', async (_name, open, close) => {
    for (const depth of DEPTHS.filter((one) => one < 100_000)) {
      const text = jsonOfDepth(depth, open, close)
      expect(await post('/api/profiles', `{"provider":"openai","x":${text}}`)).toBe(400)
      expect(await post('/api/tools/profile_import', open.repeat(depth))).toBe(400)
      const data = { provider: 'openai', mode: 'api_key', data: `{"key":${text}}` }
      expect(await post('/api/tools/profile_import', JSON.stringify(data))).toBe(400)
    }
    expect((await fetch(`${running.url}/healthz`)).status).toBe(200)
  })

  test('tools take a deep object as any other that is wrong', async () => {
    for (const depth of DEPTHS) {
      const data = { key: objectOfDepth(depth), metadata: objectOfDepth(depth) }
      const result = await running.keymux.tools.import({ provider: 'openai', mode: 'api_key', data } as never)
      expect(result).toMatchObject({ success: false, code: 'invalid_import' })
    }
  })
})
