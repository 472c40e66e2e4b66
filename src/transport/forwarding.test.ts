import { describe, expect, test } from 'vitest'
import {
  CHAT,
  type ForwardingLab,
  openForwarding,
  readBody,
  STREAMED,
  standing,
  until,
} from '../../test/support/forwarding.js'
import type { Answer, ForwardRequest } from '../domain/forwarding.js'
import {
  badKey,
  badRequest,
  contextOverflow,
  errorInFirstEvent,
  garbage,
  hugeBody,
  modelNotFound,
  ok,
  outOfMoney,
  overloaded,
  permission,
  rateLimited,
  redirect,
  reply,
  reset,
  type Script,
  serverError,
  trickle,
  truncated,
  type UpstreamProvider,
} from '../entries/testing.js'
import { classifyResponse } from '../policy/classify-response.js'
import { createMemoryStore } from '../storage/memory/index.js'
import { headerObject } from './headers.js'

async function json(answer: Answer): Promise<Record<string, Record<string, unknown>>> {
  return JSON.parse((await readBody(answer)).toString())
}

describe('an answer', () => {
  test('passes through as it came, with the profile that made it', async () => {
    await using lab = await openForwarding({
      script: reply(201, '{"odd" : 1.0}', {
        'content-type': 'application/json',
        'x-request-id': 'r',
        link: 'l',
      }),
    })
    await lab.add('a')
    const answer = await lab.forward({ path: '/things?x=%20&y' })
    expect(answer).toMatchObject({
      kind: 'provider',
      status: 201,
      profileId: 'openai:a',
      attempts: 1,
      replayable: true,
      failures: [],
    })
    expect((await readBody(answer)).toString()).toBe('{"odd" : 1.0}')
    expect(headerObject(answer.headers)).toMatchObject({
      'x-request-id': 'r',
      link: 'l',
      'content-length': '13',
    })
    const [seen] = lab.upstream.requests
    expect(seen).toMatchObject({ method: 'POST', url: '/v1/things?x=%20&y', credential: 'key-a', json: CHAT })
    expect(seen?.headers.host).toBe(`127.0.0.1:${lab.upstream.port}`)
    expect(await lab.handle.profiles.view('openai:a')).toMatchObject({ lastGood: true, errorCount: 0 })
  })

  test('of any method, with or without a body', async () => {
    await using lab = await openForwarding({ script: reply(200, 'x') })
    await lab.add('a')
    for (const method of ['GET', 'HEAD', 'DELETE', 'PUT', 'PATCH', 'OPTIONS']) {
      const { body: _none, ...bare } = { body: undefined }
      const answer = await lab.forwarder.forward({
        method,
        path: '/files/1',
        headers: [],
        stages: [{ provider: 'openai' }],
        ...bare,
      })
      expect([answer.status, (await readBody(answer)).toString()]).toEqual([
        200,
        method === 'HEAD' ? '' : 'x',
      ])
    }
    expect(lab.upstream.requests.map(({ method }) => method)).toEqual([
      'GET',
      'HEAD',
      'DELETE',
      'PUT',
      'PATCH',
      'OPTIONS',
    ])
  })

  test('with no body: 204 and 304', async () => {
    await using lab = await openForwarding({ script: [reply(204), reply(304, '', { etag: 'x' })] })
    await lab.add('a')
    for (const status of [204, 304]) {
      const answer = await lab.forward()
      expect([answer.status, (await readBody(answer)).length]).toEqual([status, 0])
    }
  })
})

describe('failover', () => {
  const FAULTS: readonly [string, Script, Partial<ForwardRequest>, string, number][] = [
    ['429', rateLimited({ retryAfter: 20 }), {}, 'rate_limit', 2],
    ['401', badKey(), {}, 'auth', 2],
    ['403', permission(), {}, 'auth_permanent', 2],
    ['out of money', outOfMoney(), {}, 'billing', 2],
    ['500', serverError(), {}, 'server_error', 3],
    ['overloaded', overloaded(), {}, 'overloaded', 3],
    ['an unknown model', modelNotFound(), {}, 'model_not_found', 2],
    ['a reset', reset(), {}, 'server_error', 3],
    ['a reset in the head of the body', reset({ afterBytes: 5 }), {}, 'server_error', 3],
    ['a body that ends too soon', truncated(), {}, 'server_error', 3],
    ['bytes that are no HTTP', garbage({ http: false }), {}, 'server_error', 3],
    ['a body that is no JSON', garbage(), {}, 'server_error', 3],
    ['a huge error page', hugeBody(5_000_000), {}, 'server_error', 3],
    ['a redirect', redirect('https://evil.example/'), {}, 'server_error', 2],
    ['an error in the first event', errorInFirstEvent(rateLimited()), STREAMED, 'rate_limit', 2],
    ['an overload in the first event', errorInFirstEvent(), STREAMED, 'overloaded', 3],
    ['a reset before the first event', reset({ afterBytes: 0 }), STREAMED, 'server_error', 3],
    ['an error that trickles', trickle({ in: rateLimited(), bytes: 3 }), {}, 'rate_limit', 2],
  ]

  test.each(FAULTS)('%s', async (_name, script, request, reason, attempts) => {
    await using lab = await openForwarding({ scripts: { 'key-a': script } })
    await lab.addAll('a', 'b')
    const answer = await lab.forward(request)
    expect((await readBody(answer)).toString()).toContain('Hello')
    expect(answer).toMatchObject({ status: 200, profileId: 'openai:b', attempts })
    expect(answer.failures.map((failure) => failure.reason)).toEqual(Array(attempts - 1).fill(reason))
    const { failureCounts } = await lab.handle.profiles.view('openai:a')
    expect(failureCounts).toEqual({ [reason]: 1 })
    expect(lab.upstream.requests.at(-1)?.text).toBe(lab.upstream.requests[0]?.text)
  })

  test('the next request goes straight to the second', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': rateLimited({ retryAfter: 20 }) } })
    await lab.addAll('a', 'b')
    await lab.forward()
    const answer = await lab.forward()
    expect(answer).toMatchObject({ profileId: 'openai:b', attempts: 1 })
    lab.handle.clock.advance(20_000)
    lab.upstream.respond(ok(), 'key-a')
    // The second is the last good one by now.
    expect((await lab.forward({ stages: [{ provider: 'openai', profile: 'a' }] })).profileId).toBe('openai:a')
  })

  test('a limit of one model leaves the others alone; one of the subscription does not', async () => {
    await using lab = await openForwarding({
      scripts: {
        'key-a': rateLimited({ retryAfter: 20 }),
        'key-b': reply(429, {
          error: {
            type: 'usage_limit_reached',
            message: 'The usage limit has been reached',
            resets_in_seconds: 5_400,
          },
        }),
      },
    })
    await lab.addAll('a', 'b', 'c')
    await lab.forward()
    expect(await standing(lab, 'a')).toBe('available gpt-4o')
    expect(await standing(lab, 'b')).toBe('cooling')
    const other = { body: { bytes: Buffer.from('{"model":"o3"}') } }
    await lab.forward(other)
    expect(lab.credentials()).toEqual(['key-a', 'key-b', 'key-c', 'key-a', 'key-c'])
  })

  test('accounts that share a limit are passed over together', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': rateLimited(), 'key-b': rateLimited() } })
    await lab.add('a', { account: 'org', priority: 3 })
    await lab.add('b', { account: 'org', priority: 2 })
    await lab.add('c', { priority: 1 })
    expect(await lab.forward()).toMatchObject({ profileId: 'openai:c', attempts: 2 })
  })

  test('every usable profile once, and a transient fault is retried on three at most', async () => {
    await using lab = await openForwarding({ script: serverError() })
    const names = ['a', 'b', 'c', 'd', 'e']
    await lab.addAll(...names)
    const answer = await lab.forward()
    expect(answer).toMatchObject({ status: 500, kind: 'provider', attempts: 8 })
    expect(lab.credentials()).toEqual(['a', 'a', 'b', 'b', 'c', 'c', 'd', 'e'].map((name) => `key-${name}`))
    // Jittered, and longer each time.
    expect(lab.timers.pauses).toEqual([100, 200, 400])
  })

  test('a fault that passes is mended on the same profile, and held against nobody', async () => {
    await using lab = await openForwarding({ script: [reset(), ok()] })
    await lab.addAll('a', 'b')
    expect(await lab.forward()).toMatchObject({ profileId: 'openai:a', attempts: 2 })
    expect((await lab.handle.profiles.view('openai:a')).errorCount).toBe(0)
  })

  test('a wait that the provider states is waited, if it is short', async () => {
    const busy = (seconds: string): Script => [
      reply(503, { error: { message: 'Service unavailable' } }, { 'retry-after': seconds }),
      ok(),
    ]
    await using lab = await openForwarding({ scripts: { 'key-a': busy('2') } })
    await lab.addAll('a', 'b')
    expect((await lab.forward()).profileId).toBe('openai:a')
    expect(lab.timers.pauses).toEqual([2_000])
    lab.upstream.respond(busy('3'), 'key-a')
    expect((await lab.forward()).profileId).toBe('openai:b')
  })

  test('overloaded: the same once more, then the other accounts in turn', async () => {
    await using lab = await openForwarding({ script: overloaded() })
    await lab.addAll('a', 'b', 'c')
    const answer = await lab.forward()
    expect(lab.credentials()).toEqual(['key-a', 'key-a', 'key-b', 'key-b', 'key-c', 'key-c'])
    expect(answer).toMatchObject({ kind: 'provider', status: 503 })
    expect(headerObject(answer.headers)['x-should-retry']).toBeUndefined()
  })

  test('the most tries', async () => {
    await using lab = await openForwarding({ script: rateLimited({ retryAfter: 20 }) })
    await lab.addAll('a', 'b', 'c')
    expect(await lab.forward({ maxAttempts: 2 })).toMatchObject({ kind: 'refused', status: 429, attempts: 2 })
    expect(lab.credentials()).toEqual(['key-a', 'key-b'])
    expect(await standing(lab, 'b')).toBe('available gpt-4o')
  })

  test('an idempotency key stays the same in every try', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': reset() } })
    await lab.addAll('a', 'b')
    await lab.forward({ headers: ['Idempotency-Key', 'one', 'content-type', 'application/json'] })
    expect(lab.upstream.requests.map(({ headers }) => headers['idempotency-key'])).toEqual([
      'one',
      'one',
      'one',
    ])
  })

  test('profiles that cannot be spoken for are passed over without a try', async () => {
    await using lab = await openForwarding()
    await lab.add('a', { priority: 2, secret: 'two\nlines' })
    await lab.add('b', { priority: 1, reference: 'env://MISSING' })
    await lab.add('c')
    expect(await lab.forward()).toMatchObject({ profileId: 'openai:c', attempts: 1 })
  })
})

describe('the request is at fault', () => {
  test.each([
    ['malformed', badRequest(), 400],
    ['too long', contextOverflow(), 400],
    ['an unknown kind of 4xx', reply(418, 'I am a teapot'), 418],
  ] as const)('%s: the answer as it is, no failover', async (_name, script, status) => {
    await using lab = await openForwarding({ script })
    await lab.addAll('a', 'b')
    const answer = await lab.forward()
    expect(answer).toMatchObject({ kind: 'provider', status, attempts: 1, profileId: 'openai:a' })
    expect((await readBody(answer)).length).toBeGreaterThan(0)
    expect(await standing(lab, 'a')).toBe('available')
  })

  test('a path out of the base URL is refused before anything is sent', async () => {
    await using lab = await openForwarding()
    await lab.add('a')
    await expect(lab.forward({ path: '/../admin' })).rejects.toMatchObject({ code: 'foreign_host' })
    expect(lab.upstream.requests).toHaveLength(0)
  })

  test.each([
    ['a method', { method: 'B AD' }],
    ['a header', { headers: ['bad name', 'x'] }],
    ['a header value', { headers: ['x', 'a\r\nb: c'] }],
  ])('%s that cannot be sent', async (_name, request) => {
    await using lab = await openForwarding()
    await lab.addAll('a', 'b')
    await expect(lab.forward(request)).rejects.toMatchObject({ code: 'invalid_value' })
    expect(await standing(lab, 'a')).toBe('available')
  })

  test('an unknown provider', async () => {
    await using lab = await openForwarding()
    await expect(lab.forward({ stages: [{ provider: 'nope' }] })).rejects.toMatchObject({
      code: 'unknown_provider',
    })
  })
})

describe('nothing usable', () => {
  test('all cooling: a 429 with the soonest time, and no upstream is bothered', async () => {
    await using lab = await openForwarding({
      scripts: { 'key-a': rateLimited({ retryAfter: 30 }), 'key-b': rateLimited({ retryAfterMs: 10_400 }) },
    })
    await lab.addAll('a', 'b')
    for (const attempts of [2, 0]) {
      const answer = await lab.forward()
      expect(answer).toMatchObject({ kind: 'refused', status: 429, attempts })
      expect(answer.profileId).toBeUndefined()
      expect(headerObject(answer.headers)).toMatchObject({
        'retry-after': '11',
        'retry-after-ms': '10400',
      })
      // A client's own retry after a short wait is welcome.
      expect(headerObject(answer.headers)).not.toHaveProperty('x-should-retry')
      expect((await json(answer)).error).toMatchObject({
        code: 'keymux_no_usable_profile',
        message: expect.stringContaining(': rate_limit (see keymux status openai)'),
      })
      expect(answer.error?.code).toBe('no_usable_profile')
    }
    expect(lab.upstream.requests).toHaveLength(2)
  })

  test('a wait of more than a minute is not one for a client to sit through', async () => {
    await using lab = await openForwarding({ script: rateLimited({ retryAfter: 61 }) })
    await lab.add('a')
    const { headers } = await lab.forward()
    expect(headerObject(headers)).toMatchObject({ 'retry-after': '61', 'x-should-retry': 'false' })
  })

  test('all refused: a 401 of our own, for what a provider says of keys is not for clients', async () => {
    await using lab = await openForwarding({
      script: badKey({ message: 'Incorrect API key provided: key-a.' }),
    })
    await lab.add('a')
    await lab.add('off', { enabled: false })
    const answer = await lab.forward()
    expect(answer).toMatchObject({ kind: 'refused', status: 401, attempts: 1 })
    expect(headerObject(answer.headers)).toMatchObject({ 'x-should-retry': 'false' })
    expect(headerObject(answer.headers)).not.toHaveProperty('retry-after')
    const text = (await readBody(answer)).toString()
    expect(text).toContain('keymux status openai')
    expect(text).not.toContain('key-a')
  })

  const UNPAID: readonly [UpstreamProvider, number, RegExp][] = [
    ['openai', 429, /"code":"insufficient_quota"/],
    ['anthropic', 400, /"type":"error".*credit balance is too low/],
    ['gemini', 403, /"status":"PERMISSION_DENIED".*"reason":"BILLING_DISABLED"/],
    ['deepseek', 402, /"type":"insufficient_quota"/],
    ['qwen', 400, /"code":"Arrearage"/],
  ]

  test.each(UNPAID)('all unpaid at %s: what that provider says then', async (provider, status, fits) => {
    await using lab = await openForwarding({ provider, script: outOfMoney() })
    for (const name of ['a', 'b']) {
      const profile = { provider, name, mode: 'api_key', secret: `key-${name}` } as const
      await lab.handle.profiles.add({ ...profile, baseUrl: lab.upstream.url })
    }
    const answer = await lab.forward({ stages: [{ provider }] })
    expect(answer).toMatchObject({ kind: 'refused', status, attempts: 2 })
    expect(headerObject(answer.headers)).toMatchObject({ 'x-should-retry': 'false' })
    const text = (await readBody(answer)).toString()
    expect(text).toMatch(fits)
    expect(text).toContain(`keymux status ${provider}`)
    // Known for what it is to whoever reads it as keymux does.
    expect(classifyResponse({ provider, status, body: text })?.reason).toBe('billing')
  })

  test('some refused and some unpaid: a 429, until when', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': permission(), 'key-b': outOfMoney() } })
    await lab.addAll('a', 'b')
    const answer = await lab.forward()
    expect(answer).toMatchObject({ kind: 'refused', status: 429 })
    expect(headerObject(answer.headers)).toMatchObject({
      'retry-after': String(5 * 3_600),
      'x-should-retry': 'false',
    })
  })

  test('no profile at all', async () => {
    await using lab = await openForwarding()
    const answer = await lab.forward()
    expect(answer).toMatchObject({ kind: 'refused', status: 429, attempts: 0 })
    expect(headerObject(answer.headers)['retry-after']).toBeUndefined()
    expect((await json(answer)).error?.message).toContain('keymux add')
  })

  test.each([
    ['anthropic', (body: Record<string, unknown>) => body.type === 'error'],
    ['gemini', (body: Record<string, unknown>) => JSON.stringify(body).includes('RESOURCE_EXHAUSTED')],
    ['groq', (body: Record<string, unknown>) => JSON.stringify(body).includes('"param":null')],
  ] as const)('in the shape of %s', async (provider, fits) => {
    await using lab = await openForwarding()
    const answer = await lab.forward({ stages: [{ provider }] })
    expect(fits(await json(answer))).toBe(true)
  })

  test('a profile that is back in a moment is waited for', async () => {
    await using lab = await openForwarding()
    await lab.add('a')
    await lab.handle.profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: 200 })
    const pending = lab.forward()
    await until(() => lab.timers.pauses.length > 0)
    lab.handle.clock.advance(200)
    expect(await pending).toMatchObject({ kind: 'provider', status: 200 })
    expect(lab.timers.pauses).toEqual([200])
  })

  test('one that this very request found limited is not', async () => {
    await using lab = await openForwarding({ script: rateLimited({ retryAfterMs: 100 }) })
    await lab.add('a')
    expect(await lab.forward()).toMatchObject({ status: 429, attempts: 1 })
    expect(lab.timers.pauses).toEqual([])
  })

  test("the last provider's answer is passed on where it is the provider's fault", async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': reset(), 'key-b': modelNotFound() } })
    await lab.addAll('a', 'b')
    const answer = await lab.forward()
    expect(answer).toMatchObject({ kind: 'provider', status: 404, profileId: 'openai:b', attempts: 3 })
    expect((await json(answer)).error).toMatchObject({ code: 'model_not_found' })
  })

  test('nobody answered', async () => {
    await using lab = await openForwarding({ script: reset() })
    await lab.addAll('a', 'b')
    const answer = await lab.forward()
    expect(answer).toMatchObject({ kind: 'unreachable', status: 502, attempts: 4 })
    expect(answer.error).toMatchObject({ code: 'provider_unreachable' })
    expect((await json(answer)).error).toMatchObject({ code: 'keymux_provider_unreachable' })
    expect(headerObject(answer.headers)['x-should-retry']).toBeUndefined()
  })

  test('only a redirect: an error of our own, without the place it leads to', async () => {
    await using lab = await openForwarding({ script: redirect('https://evil.example/?k=key-a') })
    await lab.add('a')
    const answer = await lab.forward()
    expect(answer).toMatchObject({ kind: 'refused', status: 502 })
    expect(JSON.stringify(answer.headers) + (await readBody(answer)).toString()).not.toContain('evil')
  })

  test('a server that is not there', async () => {
    await using lab = await openForwarding()
    await lab.add('a', { baseUrl: 'http://127.0.0.1:9/v1' })
    const answer = await lab.forward()
    expect(answer).toMatchObject({ kind: 'unreachable', status: 502 })
    expect((await json(answer)).error?.message).toContain('ECONNREFUSED')
  })
})

describe('half open', () => {
  const TEN_MINUTES = 600_000

  test('a disabled profile is tried when nothing else is left, once in 10 minutes', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': outOfMoney() } })
    await lab.addAll('a', 'b')
    expect((await lab.forward()).profileId).toBe('openai:b')
    expect((await lab.forward()).attempts).toBe(1)
    // A window of no more than 15 minutes is waited for: it gets no trial of its own.
    await lab.handle.profiles.markFailure('openai:b', 'rate_limit', { retryAfterMs: 900_000 })
    // Tried, and still out of money.
    expect(await lab.forward()).toMatchObject({ kind: 'refused', attempts: 1 })
    expect(await lab.forward()).toMatchObject({ kind: 'refused', attempts: 0 })
    lab.handle.clock.advance(TEN_MINUTES)
    lab.upstream.respond(ok(), 'key-a')
    expect(await lab.forward()).toMatchObject({ kind: 'provider', profileId: 'openai:a', attempts: 1 })
    expect(await standing(lab, 'a')).toBe('available')
  })

  test('one that this very request found unpaid is not tried again', async () => {
    await using lab = await openForwarding({ script: outOfMoney() })
    await lab.addAll('a', 'b')
    const answer = await lab.forward()
    expect(answer).toMatchObject({ kind: 'refused', status: 429, attempts: 2 })
    expect((await json(answer)).error?.code).toBe('insufficient_quota')
  })

  test('many at once let one through', async () => {
    await using lab = await openForwarding({ script: outOfMoney() })
    await lab.add('a')
    await lab.handle.profiles.markFailure('openai:a', 'billing')
    const answers = await Promise.all(Array.from({ length: 20 }, () => lab.forward()))
    expect(lab.upstream.requests).toHaveLength(1)
    expect(answers.every(({ status }) => status === 429)).toBe(true)
  })
})

describe('logins', () => {
  const oauth = {
    accessToken: 'at-old',
    refreshToken: 'rt',
    expiresAt: new Date('2026-01-02T00:00:00Z'),
  }

  async function lab(scripts: Record<string, Script>, fails = false) {
    const refreshed: string[] = []
    const opened = await openForwarding({
      scripts,
      refresher: {
        async refreshToken(provider, token) {
          refreshed.push(token)
          if (fails) throw new Error('invalid_grant')
          return { provider, accessToken: 'at-new', expiresAt: new Date('2026-01-03T00:00:00Z') }
        },
      },
    })
    await opened.handle.profiles.add({
      provider: 'gemini',
      name: 'login',
      oauth,
      mode: 'oauth',
      baseUrl: opened.upstream.url,
      priority: 1,
    })
    await opened.handle.profiles.add({
      provider: 'gemini',
      name: 'key',
      secret: 'key-b',
      mode: 'api_key',
      baseUrl: opened.upstream.url,
    })
    const ask = (): Promise<Answer> =>
      opened.forward({
        path: '/v1beta/models/gemini-2.5-pro:generateContent',
        body: { bytes: Buffer.from('{"contents":[]}') },
        stages: [{ provider: 'gemini' }],
      })
    return { ...opened, [Symbol.asyncDispose]: opened[Symbol.asyncDispose], refreshed, ask }
  }

  const refused = reply(401, {
    error: {
      code: 401,
      message: 'Request had invalid authentication credentials.',
      status: 'UNAUTHENTICATED',
    },
  })

  test('a refused one is renewed once and sent again', async () => {
    await using opened = await lab({ 'at-old': refused })
    expect(await opened.ask()).toMatchObject({ status: 200, profileId: 'gemini:login', attempts: 2 })
    expect(opened.credentials()).toEqual(['at-old', 'at-new'])
    expect((await opened.handle.profiles.view('gemini:login')).errorCount).toBe(0)
    expect(await opened.ask()).toMatchObject({ attempts: 1 })
    expect(opened.refreshed).toEqual(['rt'])
  })

  test('many that are refused at once share one renewal', async () => {
    await using opened = await lab({ 'at-old': refused })
    const answers = await Promise.all(Array.from({ length: 20 }, opened.ask))
    expect(answers.every(({ profileId }) => profileId === 'gemini:login')).toBe(true)
    expect(opened.refreshed).toEqual(['rt'])
  })

  test('one that is refused still, and one that cannot be renewed, give way', async () => {
    await using still = await lab({ 'at-old': refused, 'at-new': refused })
    expect(await still.ask()).toMatchObject({ profileId: 'gemini:key', attempts: 3 })
    await using gone = await lab({ 'at-old': refused }, true)
    expect(await gone.ask()).toMatchObject({ profileId: 'gemini:key', attempts: 2 })
    expect(gone.logged.join()).not.toMatch(/at-old|rt"/)
  })
})

describe('chains', () => {
  test.each(['gemini', 'anthropic'])(
    '%s is given a bearer token, as clients of its compatible API do',
    async (name) => {
      await using lab = await openForwarding()
      const baseUrl = lab.upstream.url
      await lab.handle.profiles.add({ provider: name, name: 'a', secret: 'key-a', mode: 'api_key', baseUrl })
      expect((await lab.forward({ stages: [{ provider: name, compatible: true }] })).status).toBe(200)
      const [{ headers } = { headers: {} }] = lab.upstream.requests
      expect(headers).toMatchObject({ authorization: 'Bearer key-a' })
      expect(headers).not.toHaveProperty('x-api-key')
      expect(headers).not.toHaveProperty('x-goog-api-key')
    },
  )

  const stages = [
    { provider: 'groq', model: 'llama-3.3-70b-versatile', compatible: true },
    { provider: 'openai', model: 'gpt-4o-mini', compatible: true },
  ]

  async function chain(scripts: Record<string, Script>): Promise<ForwardingLab> {
    const lab = await openForwarding({ scripts })
    await lab.handle.profiles.add({
      provider: 'groq',
      name: 'a',
      secret: 'key-groq',
      baseUrl: `${lab.upstream.url}/groq`,
    })
    await lab.add('b')
    return lab
  }

  test('each provider with its own path and model', async () => {
    await using lab = await chain({ 'key-groq': rateLimited() })
    const answer = await lab.forward({ stages, path: '/v1/chat/completions?x=1' })
    expect(answer).toMatchObject({ status: 200, profileId: 'openai:b', attempts: 2 })
    expect(lab.upstream.requests.map(({ url, text }) => [url, text])).toEqual([
      ['/groq/openai/v1/chat/completions?x=1', JSON.stringify({ ...CHAT, model: 'llama-3.3-70b-versatile' })],
      ['/v1/chat/completions?x=1', JSON.stringify({ ...CHAT, model: 'gpt-4o-mini' })],
    ])
    expect(await lab.handle.profiles.view('groq:a')).toMatchObject({
      modelCooldowns: [{ model: 'llama-3.3-70b-versatile' }],
    })
  })

  test('a stage without profiles, or of an unknown provider, is passed over', async () => {
    await using lab = await chain({})
    const missing = [{ provider: 'mistral' }, { provider: 'nope' }, ...stages.slice(1)]
    expect(await lab.forward({ stages: missing })).toMatchObject({ profileId: 'openai:b' })
  })

  test('all cooling: the soonest of all, in the shape of OpenAI', async () => {
    await using lab = await chain({
      'key-groq': rateLimited({ retryAfter: 40 }),
      'key-b': rateLimited({ retryAfter: 20 }),
    })
    const answer = await lab.forward({ stages })
    expect(headerObject(answer.headers)['retry-after']).toBe('20')
    expect((await json(answer)).error).toMatchObject({ param: null })
  })

  test('overloaded goes on to the next provider', async () => {
    await using lab = await chain({ 'key-groq': overloaded() })
    expect(await lab.forward({ stages })).toMatchObject({ profileId: 'openai:b', attempts: 3 })
  })
})

describe('a vault that does not take the outcome', () => {
  test.each([
    ['because the disk is full', () => Promise.reject(new Error('disk full'))],
    ['for it is being written by others', () => new Promise<never>(() => undefined)],
  ])('%s: the request does not wait, and the next one knows', async (_why, write) => {
    const store = createMemoryStore().connect()
    await using lab = await openForwarding({ store, scripts: { 'key-a': rateLimited() } })
    await lab.addAll('a', 'b')
    store.write = write
    expect(await lab.forward()).toMatchObject({ status: 200, profileId: 'openai:b', attempts: 2 })
    expect(await lab.forward()).toMatchObject({ status: 200, profileId: 'openai:b', attempts: 1 })
    store.write = () => Promise.reject(new Error('the test is over'))
  })
})

describe('many at once', () => {
  test('64 at a time, every account failing in turns: none fails', async () => {
    const faults = [
      rateLimited({ retryAfterMs: 5 }),
      serverError(),
      reset(),
      reset({ afterBytes: 3 }),
      overloaded(),
    ]
    let count = 0
    await using lab = await openForwarding({
      script: () => {
        count += 1
        return count % 10 < 3 ? (faults[count % faults.length] ?? ok()) : ok()
      },
    })
    await lab.addAll('a', 'b', 'c', 'd', 'e', 'f')
    const ticking = setInterval(() => lab.handle.clock.advance(10_000), 1)
    const statuses = new Map<number, number>()
    let left = 300
    await Promise.all(
      Array.from({ length: 64 }, async () => {
        while (left > 0) {
          left -= 1
          const answer = await lab.forward()
          await readBody(answer)
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
        }
      }),
    )
    clearInterval(ticking)
    expect([...statuses]).toEqual([[200, 300]])
  })
})

describe('a key that is replaced while a request with the old one is under way', () => {
  test('is not blamed for it, and is tried itself', async () => {
    await using lab = await openForwarding()
    await lab.add('a')
    lab.upstream.respond(async () => {
      await lab.handle.profiles.add(
        { provider: 'openai', name: 'a', secret: 'key-new', baseUrl: `${lab.upstream.url}/v1` },
        { replace: true },
      )
      return badKey()
    }, 'key-a')
    const answer = await lab.forward()
    expect([answer.status, answer.attempts]).toEqual([200, 2])
    expect(lab.credentials()).toEqual(['key-a', 'key-new'])
    await lab.handle.profiles.flush()
    expect(await lab.handle.profiles.view('openai:a')).toMatchObject({ state: 'available', errorCount: 0 })
  })

  test('is tried once more, not for as long as its owner goes on replacing it', async () => {
    await using lab = await openForwarding()
    await lab.add('a')
    let turn = 0
    lab.upstream.respond(async () => {
      await lab.handle.profiles.add(
        { provider: 'openai', name: 'a', secret: `key-${turn++}`, baseUrl: `${lab.upstream.url}/v1` },
        { replace: true },
      )
      return badKey()
    })
    expect((await lab.forward()).attempts).toBe(2)
  })
})

describe('pools', () => {
  test('a request stays in the pool of its first account, through accounts and providers', async () => {
    await using lab = await openForwarding({ script: rateLimited({ retryAfter: 60 }) })
    await lab.add('w1', { pool: 'work', priority: 4 })
    await lab.add('w2', { pool: 'work', priority: 3 })
    await lab.add('p1', { pool: 'personal', priority: 2 })
    for (const [name, pool] of [
      ['p', 'personal'],
      ['w', 'work'],
    ] as const) {
      const baseUrl = `${lab.upstream.url}/v1`
      await lab.handle.profiles.add({ provider: 'groq', name, pool, secret: `gsk-${name}`, baseUrl })
    }
    const stages = [{ provider: 'openai' }, { provider: 'groq', compatible: true }]
    const answer = await lab.forward({ stages })
    expect(answer.failures.map(({ profileId }) => profileId)).toEqual(['openai:w1', 'openai:w2', 'groq:w'])
  })
})
