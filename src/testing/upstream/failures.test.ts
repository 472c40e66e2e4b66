import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { FailureReason, FailureScope } from '../../domain/usage.js'
import { classifyResponse } from '../../policy/classify-response.js'
import type { ScriptedUpstream } from '../scripted-upstream.js'
import { startScriptedUpstream } from '../scripted-upstream.js'
import type { FailureReply } from './failures.js'
import {
  badKey,
  badRequest,
  contextOverflow,
  modelNotFound,
  outOfMoney,
  overloaded,
  permission,
  rateLimited,
  serverError,
} from './failures.js'
import type { UpstreamProvider } from './types.js'
import { UPSTREAM_PROVIDERS } from './types.js'

let upstream: ScriptedUpstream
beforeAll(async () => {
  upstream = await startScriptedUpstream()
})
afterAll(() => upstream.close())

const call = async (
  provider: UpstreamProvider,
  failure: FailureReply,
): Promise<{ status: number; headers: Headers; body: unknown }> => {
  upstream.respond(failure)
  const response = await fetch(`${upstream.url}/${provider}/v1/chat/completions`, {
    method: 'POST',
    body: '{"model":"some-model"}',
  })
  expect(response.headers.get('content-type')).toBe('application/json')
  return { status: response.status, headers: response.headers, body: await response.json() }
}

const NAMES = {
  rateLimited,
  outOfMoney,
  badKey,
  permission,
  overloaded,
  serverError,
  modelNotFound,
  contextOverflow,
  badRequest,
} as const

const openai = z.strictObject({
  error: z.strictObject({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
})

/** The shape every failure of a provider has. */
const SHAPES: Record<UpstreamProvider, z.ZodType> = {
  openai,
  groq: openai,
  deepseek: openai,
  anthropic: z.strictObject({
    type: z.literal('error'),
    error: z.strictObject({ type: z.string(), message: z.string() }),
    request_id: z.string(),
  }),
  gemini: z.strictObject({
    error: z.strictObject({
      code: z.int(),
      message: z.string(),
      status: z.string().regex(/^[A-Z_]+$/),
      details: z.array(z.looseObject({ '@type': z.string() })),
    }),
  }),
  mistral: z.union([
    z.strictObject({
      object: z.literal('error'),
      message: z.string(),
      type: z.string(),
      param: z.null(),
      code: z.string().nullable(),
    }),
    z.strictObject({ detail: z.union([z.string(), z.array(z.looseObject({ msg: z.string() }))]) }),
  ]),
  cohere: z.strictObject({ message: z.string() }),
  xai: z.strictObject({ code: z.string(), error: z.string() }),
  qwen: z.union([
    z.strictObject({ code: z.string(), message: z.string(), request_id: z.string() }),
    z.strictObject({
      error: z.strictObject({ message: z.string(), type: z.string(), code: z.string() }),
      request_id: z.string(),
    }),
  ]),
  minimax: z.strictObject({ base_resp: z.strictObject({ status_code: z.int(), status_msg: z.string() }) }),
  openrouter: z.strictObject({
    error: z.strictObject({ code: z.int(), message: z.string(), metadata: z.looseObject({}) }),
  }),
}

describe.each(UPSTREAM_PROVIDERS)('failures of %s', (provider) => {
  it.each(Object.entries(NAMES))('%s has the provider’s shape', async (_name, make) => {
    const { status, body } = await call(provider, make())
    expect(SHAPES[provider].safeParse(body)).toMatchObject({ success: true })
    if (provider === 'gemini' || provider === 'openrouter') {
      expect(body).toMatchObject({ error: { code: status } })
    }
  })

  it('are told apart by more than their wording', async () => {
    const seen = await Promise.all(
      [rateLimited, badKey, serverError].map(async (make) => {
        const local = await startScriptedUpstream({ provider, script: make({ message: 'the same' }) })
        const response = await fetch(`${local.url}/v1/chat/completions`, { method: 'POST', body: '{}' })
        const answer = `${response.status} ${await response.text()}`
        await local.close()
        return answer
      }),
    )
    expect(new Set(seen).size).toBe(3)
  })
})

describe('status', () => {
  it.each<[UpstreamProvider, FailureReply, number]>([
    ['openai', rateLimited(), 429],
    ['openai', outOfMoney(), 429],
    ['openai', badKey(), 401],
    ['openai', permission(), 403],
    ['openai', overloaded(), 503],
    ['openai', serverError(), 500],
    ['openai', modelNotFound(), 404],
    ['openai', contextOverflow(), 400],
    ['openai', badRequest(), 400],
    ['anthropic', outOfMoney(), 400],
    ['anthropic', overloaded(), 529],
    ['gemini', badKey(), 400],
    ['groq', permission(), 400],
    ['mistral', overloaded(), 429],
    ['xai', outOfMoney(), 403],
    ['deepseek', outOfMoney(), 402],
    ['minimax', rateLimited(), 200],
    ['openrouter', outOfMoney(), 402],
  ])('%s', async (provider, failure, status) => {
    expect((await call(provider, failure)).status).toBe(status)
  })
})

describe('what a rate limit says about waiting', () => {
  it('says nothing by default', async () => {
    const { headers } = await call('openai', rateLimited())
    expect(headers.get('retry-after')).toBeNull()
    expect(headers.get('retry-after-ms')).toBeNull()
  })

  it('states seconds, milliseconds or a date in headers', async () => {
    const both = await call('anthropic', rateLimited({ retryAfter: 2, retryAfterMs: 1_740 }))
    expect([both.headers.get('retry-after'), both.headers.get('retry-after-ms')]).toEqual(['2', '1740'])
    const date = 'Mon, 23 Nov 2026 12:00:30 GMT'
    expect((await call('groq', rateLimited({ retryAfter: date }))).headers.get('retry-after')).toBe(date)
  })

  it('states it in the body where Gemini does', async () => {
    const { headers, body } = await call('gemini', rateLimited({ retryAfterMs: 1_740 }))
    expect(headers.get('retry-after-ms')).toBeNull()
    expect(JSON.stringify(body)).toContain('"retryDelay":"1.74s"')
    expect(JSON.stringify((await call('gemini', rateLimited({ retryAfter: 36 }))).body)).toContain('"36s"')
  })
})

describe('options', () => {
  it.each(UPSTREAM_PROVIDERS)('%s says a message of the test’s own', async (provider) => {
    for (const make of Object.values(NAMES)) {
      const { body } = await call(provider, make({ message: 'Incorrect key sk-marker' }))
      expect(JSON.stringify(body)).toContain('Incorrect key sk-marker')
    }
  })

  it('adds headers, and speaks for another provider', async () => {
    const { headers, body } = await call(
      'openai',
      badKey({ provider: 'cohere', headers: { 'x-request-id': 'r1' } }),
    )
    expect(headers.get('x-request-id')).toBe('r1')
    expect(body).toEqual({ message: 'invalid api token' })
  })

  it('names the model of the request', async () => {
    expect(JSON.stringify((await call('openai', modelNotFound())).body)).toContain('some-model')
    expect(JSON.stringify((await call('openrouter', modelNotFound())).body)).toContain('some-model')
  })
})

describe('what a failure means', () => {
  const MEANING: Record<keyof typeof NAMES, readonly [FailureReason, readonly FailureScope[]]> = {
    rateLimited: ['rate_limit', ['model', 'credential']],
    outOfMoney: ['billing', ['credential']],
    badKey: ['auth', ['credential']],
    permission: ['auth_permanent', ['credential']],
    overloaded: ['overloaded', ['provider']],
    serverError: ['server_error', ['provider']],
    modelNotFound: ['model_not_found', ['model']],
    contextOverflow: ['context_overflow', ['request']],
    badRequest: ['format', ['request']],
  }

  const cells = UPSTREAM_PROVIDERS.flatMap((provider) =>
    Object.entries(MEANING).map(([name, meaning]) => ({
      title: `${provider}: ${name}`,
      provider,
      name,
      meaning,
    })),
  )
  it.each(cells)('$title', async ({ provider, name, meaning: [reason, scopes] }) => {
    const response = await call(provider, NAMES[name as keyof typeof NAMES]())
    const verdict = classifyResponse({ provider, model: 'some-model', ...response })
    expect(verdict).toMatchObject({ reason })
    expect(scopes).toContain(verdict?.scope)
  })

  it.each(UPSTREAM_PROVIDERS)('%s: a stated wait is read back', async (provider) => {
    const response = await call(provider, rateLimited({ retryAfter: 17 }))
    expect(classifyResponse({ provider, ...response })).toMatchObject({
      reason: 'rate_limit',
      retryAfterMs: 17_000,
    })
  })
})
