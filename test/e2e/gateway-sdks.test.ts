import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  badKey,
  errorInFirstEvent,
  garbage,
  ok,
  outOfMoney,
  overloaded,
  permission,
  type Reply,
  rateLimited,
  redirect,
  reset,
  type ScriptedUpstream,
  serverError,
  stall,
  startScriptedUpstream,
  truncated,
} from '../../src/entries/testing.js'
import { startTestGateway, type TestGateway } from '../support/gateway.js'
import { SDK_CALLERS } from '../support/sdk-callers.js'

const ANSWER = 'Hello from keymux.'
const [FIRST, SECOND] = ['first-planted-Marker7Qx9Zt3Lk8', 'second-planted-Marker8Vb2Nm5Wp4']

/** Everything that may be wrong with the first account. */
const FAULTS: readonly (readonly [string, () => Reply])[] = [
  ['a rate limit', () => rateLimited({ retryAfter: 20 })],
  ['a refused key', () => badKey()],
  ['a permission that is missing', () => permission()],
  ['no money', () => outOfMoney()],
  ['a broken server', () => serverError()],
  ['no capacity', () => overloaded()],
  ['a reset', () => reset()],
  ['silence', () => stall()],
  ['bytes that are no HTTP', () => garbage({ http: false })],
]

const STREAM_FAULTS: readonly (readonly [string, () => Reply])[] = [
  ...FAULTS,
  ['an error in the first event', () => errorInFirstEvent()],
  ['a rate limit in the first event', () => errorInFirstEvent(rateLimited())],
  ['a stream that ends before it says anything', () => truncated({ afterBytes: 0 })],
]

/** Whether an SDK's error tells this status, under whichever name. */
function hasStatus(status: number): (error: unknown) => boolean {
  return (error) =>
    error instanceof Error && (Reflect.get(error, 'status') ?? Reflect.get(error, 'statusCode')) === status
}

describe.each(SDK_CALLERS)('the SDK $name through the gateway', (caller) => {
  let upstream: ScriptedUpstream
  let started: TestGateway

  beforeEach(async () => {
    upstream = await startScriptedUpstream()
    const baseUrl = caller.upstreamBase(upstream.url)
    started = await startTestGateway(
      [
        { provider: caller.provider, name: 'first', secret: FIRST, priority: 2, baseUrl },
        { provider: caller.provider, name: 'second', secret: SECOND, priority: 1, baseUrl },
      ],
      { gateway: { firstByteTimeoutSeconds: 0.3 } },
    )
  })
  afterEach(async () => {
    await started.close()
    await upstream.close()
  })

  const place = (): { url: string; key: string } => ({ url: started.url, key: started.token })

  /** What upstream and log know, after whatever happened. */
  async function expectNothingLeaked(): Promise<void> {
    const sent = upstream.requests.map(({ url, headers, text }) => [url, headers, text])
    expect(JSON.stringify(sent)).not.toContain(started.token)
    const headers = { authorization: `Bearer ${started.token}` }
    for (const path of ['/metrics', '/api/profiles']) {
      const text = await (await fetch(started.url + path, { headers })).text()
      expect(text).toContain(caller.provider)
      expect(text).not.toMatch(/Marker/)
      expect(text).not.toContain(started.token)
    }
    expect(started.log.join('')).not.toMatch(/Marker/)
    expect(started.log.join('')).not.toContain(started.token)
  }

  test.each(FAULTS)('survives %s', async (_what, fault) => {
    upstream.respond(fault(), FIRST)
    expect(await caller.plain(place())).toBe(ANSWER)
    expect(new Set(upstream.requests.map(({ credential }) => credential))).toEqual(new Set([FIRST, SECOND]))
    await expectNothingLeaked()
  })

  test.each(STREAM_FAULTS)('survives %s of a stream', async (_what, fault) => {
    upstream.respond(fault(), FIRST)
    expect(await caller.stream(place())).toBe(ANSWER)
    await expectNothingLeaked()
  })

  test('sees the provider’s error when nobody is left, and when to come back', async () => {
    upstream.respond(rateLimited({ retryAfter: 40 }), FIRST)
    upstream.respond(rateLimited({ retryAfter: 30 }), SECOND)
    await expect(caller.plain(place())).rejects.toSatisfy(hasStatus(429))
    const before = upstream.requests.length
    await expect(caller.plain(place())).rejects.toSatisfy(hasStatus(429))
    expect(upstream.requests).toHaveLength(before)
    await expectNothingLeaked()
  })

  test('waits for an account that is back soon, and knows nothing of it', async () => {
    upstream.respond([rateLimited({ retryAfter: 1 }), ok()], FIRST)
    upstream.respond(rateLimited({ retryAfter: 40 }), SECOND)
    expect(await caller.plain(place())).toBe(ANSWER)
    upstream.respond([rateLimited({ retryAfter: 1 }), ok()], FIRST)
    expect(await caller.stream(place())).toBe(ANSWER)
    await expectNothingLeaked()
  })

  test('is told of refused and unpaid accounts, and asks once', async () => {
    for (const [fault, status] of [
      [badKey, 401],
      [outOfMoney, { openai: 429, anthropic: 400, gemini: 403 }[caller.provider]],
    ] as const) {
      await started.keymux.profiles.reset()
      upstream.respond(fault(), FIRST)
      upstream.respond(fault(), SECOND)
      const before = upstream.requests.length
      await expect(caller.plain(place())).rejects.toSatisfy(hasStatus(status))
      if (!caller.name.startsWith('ai,')) expect(upstream.requests).toHaveLength(before + 2)
    }
    await expectNothingLeaked()
  })

  test('sees a request’s own fault at once', async () => {
    upstream.respond(redirect('http://127.0.0.1:9/elsewhere'), FIRST)
    upstream.respond(redirect('http://127.0.0.1:9/elsewhere'), SECOND)
    await expect(caller.plain(place())).rejects.toThrow()
    await expectNothingLeaked()
  })

  test('a wrong token is an authentication error', async () => {
    await expect(caller.plain({ url: started.url, key: 'wrong' })).rejects.toSatisfy(hasStatus(401))
    expect(upstream.requests).toEqual([])
  })
})

test('a chain goes on to the next provider, with the model of each', async () => {
  const upstream = await startScriptedUpstream()
  const [openai] = SDK_CALLERS
  const started = await startTestGateway(
    [
      { provider: 'groq', secret: FIRST, baseUrl: upstream.url },
      { provider: 'openai', secret: SECOND, baseUrl: `${upstream.url}/v1` },
    ],
    { chains: { fast: ['groq:llama-3.3-70b-versatile', 'openai:gpt-4o-mini'] } },
  )
  upstream.respond(outOfMoney(), FIRST)
  const place = { url: started.url, key: started.token }
  for (const prefix of ['@fast', '@fast/v1']) {
    expect(await openai?.plain({ ...place, prefix })).toBe(ANSWER)
    expect(await openai?.stream({ ...place, prefix })).toBe(ANSWER)
  }
  expect(upstream.requests.map(({ path, json }) => [path, Object(json).model])).toEqual([
    ['/openai/v1/chat/completions', 'llama-3.3-70b-versatile'],
    ...Array(4).fill(['/v1/chat/completions', 'gpt-4o-mini']),
  ])
  await started.close()
  await upstream.close()
})

test('when everybody is cooling, Retry-After is the soonest', async () => {
  const upstream = await startScriptedUpstream()
  const baseUrl = `${upstream.url}/v1`
  const started = await startTestGateway([
    { provider: 'openai', name: 'first', secret: FIRST, baseUrl },
    { provider: 'openai', name: 'second', secret: SECOND, baseUrl },
  ])
  upstream.respond(rateLimited({ retryAfter: 40 }), FIRST)
  upstream.respond(rateLimited({ retryAfter: 30 }), SECOND)
  const ask = (): Promise<Response> =>
    fetch(`${started.url}/openai/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${started.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-4o', messages: [] }),
    })
  await ask()
  const response = await ask()
  expect(response.status).toBe(429)
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(25)
  expect(Number(response.headers.get('retry-after'))).toBeLessThanOrEqual(30)
  expect(response.headers.has('x-should-retry')).toBe(false)
  expect(response.headers.get('x-keymux-attempts')).toBe('0')
  expect(await response.json()).toMatchObject({ error: { code: 'keymux_no_usable_profile' } })
  await started.close()
  await upstream.close()
})
