import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Worker } from 'node:worker_threads'
import { constants, gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { CHAT, type ForwardingLab, openForwarding, readBody, until } from '../../test/support/forwarding.js'
import { SELF_SIGNED } from '../../test/support/self-signed.js'
import {
  badKey,
  badRequest,
  contextOverflow,
  errorInFirstEvent,
  errorMidStream,
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
  stall,
  trickle,
  truncated,
} from '../entries/testing.js'
import { createMemoryStore } from '../storage/memory/index.js'
import { headerObject } from './headers.js'
import { systemTimers } from './timers.js'
import type { Answer, ForwardRequest } from './types.js'

const STREAMED = { body: { bytes: Buffer.from(JSON.stringify({ ...CHAT, stream: true })) } }

async function json(answer: Answer): Promise<Record<string, Record<string, unknown>>> {
  return JSON.parse((await readBody(answer)).toString())
}

async function standing(lab: ForwardingLab, name: string): Promise<string> {
  const { state, modelCooldowns } = await lab.handle.profiles.view(`openai:${name}`)
  return modelCooldowns.length > 0 ? `${state} ${modelCooldowns.map(({ model }) => model).join()}` : state
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

  test('overloaded: the same once more, one other account, and no third', async () => {
    await using lab = await openForwarding({ script: overloaded() })
    await lab.addAll('a', 'b', 'c')
    const answer = await lab.forward()
    expect(lab.credentials()).toEqual(['key-a', 'key-a', 'key-b', 'key-b'])
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
        'x-should-retry': 'false',
      })
      expect((await json(answer)).error).toMatchObject({
        code: 'keymux_no_usable_profile',
        message: expect.stringContaining(': rate_limit (see keymux status openai)'),
      })
      expect(answer.error?.code).toBe('no_usable_profile')
    }
    expect(lab.upstream.requests).toHaveLength(2)
  })

  test('all refused: a 429 too, for what a provider says of keys is not for clients', async () => {
    await using lab = await openForwarding({
      script: badKey({ message: 'Incorrect API key provided: key-a.' }),
    })
    await lab.add('a')
    const answer = await lab.forward()
    expect(answer).toMatchObject({ kind: 'refused', status: 429, attempts: 1 })
    expect((await readBody(answer)).toString()).not.toContain('key-a')
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

describe('a server that cannot be trusted', () => {
  async function secureServer(): Promise<
    { readonly url: string; readonly seen: string[] } & AsyncDisposable
  > {
    const seen: string[] = []
    const server = createServer(SELF_SIGNED, (request, response) => {
      seen.push(request.headers.authorization ?? '')
      response.end('{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    return {
      url: `https://127.0.0.1:${port}`,
      seen,
      [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
    }
  }

  test('for its certificate: no credential is sent, the next profile is tried', async () => {
    await using server = await secureServer()
    await using lab = await openForwarding()
    await lab.add('a', { baseUrl: server.url, priority: 1 })
    const alone = await lab.forward()
    expect(alone).toMatchObject({ kind: 'unreachable', status: 502, attempts: 1 })
    expect((await json(alone)).error?.message).toMatch(/certificate of the server of openai .*SELF_SIGNED/)
    await lab.add('b')
    expect(await lab.forward()).toMatchObject({ profileId: 'openai:b', attempts: 2 })
    expect(server.seen).toEqual([])
  })

  test('for it speaks no TLS where it should', async () => {
    await using lab = await openForwarding()
    await lab.add('a', { baseUrl: `https://127.0.0.1:${lab.upstream.port}` })
    expect(await lab.forward()).toMatchObject({ kind: 'unreachable', status: 502 })
    expect(lab.upstream.requests).toHaveLength(0)
  })

  test('for it speaks no TLS at all, on another machine', async () => {
    await using lab = await openForwarding()
    // The manager refuses such base URLs; one may come from elsewhere all the same.
    const view = lab.handle.resolver.resolve.bind(lab.handle.resolver)
    await lab.add('a')
    lab.handle.resolver.resolveNow = () => undefined
    lab.handle.resolver.resolve = async (...call) => {
      const found = await view(...call)
      return { ...found, profile: { ...found.profile, baseUrl: 'http://api.example.com/v1' } }
    }
    const answer = await lab.forward()
    expect(answer).toMatchObject({ kind: 'refused', status: 502, attempts: 0 })
    expect((await json(answer)).error?.message).toContain('base URL')
  })
})

describe('half open', () => {
  const TEN_MINUTES = 600_000

  test('a disabled profile is tried when nothing else is left, once in 10 minutes', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': outOfMoney() } })
    await lab.addAll('a', 'b')
    expect((await lab.forward()).profileId).toBe('openai:b')
    expect((await lab.forward()).attempts).toBe(1)
    await lab.handle.profiles.markFailure('openai:b', 'rate_limit', { retryAfterMs: 3_600_000 })
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
    expect(headerObject(answer.headers)['retry-after']).toBe(String(5 * 3_600))
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

describe('time', () => {
  test('a stall before the first byte fails over', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': stall() } })
    await lab.addAll('a', 'b')
    const pending = lab.forward()
    await lab.upstream.received(1)
    lab.timers.advance(30_000)
    expect(await pending).toMatchObject({ status: 200, profileId: 'openai:b', attempts: 2 })
    expect((await lab.handle.profiles.view('openai:a')).failureCounts).toEqual({ timeout: 1 })
    await lab.upstream.requests[0]?.ended
    expect(lab.upstream.requests[0]?.aborted).toBe(true)
  })

  test('so does one after the head, and one before content', async () => {
    for (const afterBytes of [0, 40]) {
      await using lab = await openForwarding({ scripts: { 'key-a': stall('forever', { afterBytes }) } })
      await lab.addAll('a', 'b')
      const pending = lab.forward(STREAMED)
      await until(() => lab.timers.pending === 2 && lab.upstream.requests.length === 1)
      const settled = { done: false }
      void pending.then(() => {
        settled.done = true
      })
      await until(() => {
        lab.timers.advance(5_000)
        return settled.done
      })
      expect(await pending).toMatchObject({ profileId: 'openai:b' })
    }
  })

  test('the time is a setting', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': stall() } })
    await lab.addAll('a', 'b')
    const pending = lab.forward({ settings: { firstByteTimeoutMs: 5_000 } })
    await lab.upstream.received(1)
    lab.timers.advance(5_000)
    expect(await pending).toMatchObject({ profileId: 'openai:b' })
  })

  test('the only profile is asked again after its silence', async () => {
    await using lab = await openForwarding({ script: [stall(), ok()] })
    await lab.add('a')
    const pending = lab.forward()
    await lab.upstream.received(1)
    lab.timers.advance(30_000)
    expect(await pending).toMatchObject({ kind: 'provider', attempts: 2 })
  })

  test('nobody in ten times as long: 504', async () => {
    await using lab = await openForwarding({ script: stall() })
    await lab.add('a')
    const pending = lab.forward()
    for (const count of [1, 2]) {
      await lab.upstream.received(count)
      lab.timers.advance(30_000)
    }
    await until(() => lab.timers.pending === 3)
    lab.timers.advance(240_000)
    await until(() => lab.timers.pending === 2)
    lab.timers.advance(30_000)
    expect(await pending).toMatchObject({ kind: 'unreachable', status: 504, attempts: 2 })
    expect((await lab.handle.profiles.view('openai:a')).failureCounts).toEqual({ timeout: 2 })
  })

  test('a large request that is kept goes out whole, and again to the next', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': rateLimited() } })
    await lab.addAll('a', 'b')
    const text = JSON.stringify({ ...CHAT, padding: 'ü'.repeat(200_000) })
    const answer = await lab.forward({ body: { bytes: Buffer.from(text) } })
    expect(answer).toMatchObject({ status: 200, profileId: 'openai:b', replayable: true })
    for (const request of lab.upstream.requests) {
      expect(request.text === text).toBe(true)
      expect(request.headers['content-length']).toBe(String(Buffer.byteLength(text)))
    }
    expect(lab.upstream.requests).toHaveLength(2)
  })

  test('an answer that takes its time comes, while others are asked beside it', async () => {
    for (const [first, winner] of [
      ['a', 'openai:a'],
      ['b', 'openai:b'],
    ] as const) {
      let [goA, goB] = [(): void => {}, (): void => {}]
      const a = new Promise<void>((resolve) => {
        goA = resolve
      })
      const b = new Promise<void>((resolve) => {
        goB = resolve
      })
      await using lab = await openForwarding({
        scripts: { 'key-a': stall(a, { in: ok() }), 'key-b': stall(b, { in: ok() }), 'key-c': stall() },
      })
      await lab.addAll('a', 'b', 'c')
      const pending = lab.forward()
      for (const count of [1, 2, 3]) {
        await lab.upstream.received(count)
        lab.timers.advance(30_000)
      }
      if (first === 'a') goA()
      else goB()
      expect(await pending).toMatchObject({ status: 200, profileId: winner })
      const counts = async (name: string): Promise<object> =>
        (await lab.handle.profiles.view(`openai:${name}`)).failureCounts
      // Who was asked later than the one that answered was not slower.
      expect(await counts('a')).toEqual(first === 'a' ? {} : { timeout: 1 })
      expect(await counts('b')).toEqual({})
      expect(await counts('c')).toEqual({})
      expect(lab.timers.pending).toBe(0)
      await Promise.all(lab.upstream.requests.map(({ ended }) => ended))
    }
  })

  test('an error that takes its time is one, and the others are waited for', async () => {
    let [goA, goB] = [(): void => {}, (): void => {}]
    const a = new Promise<void>((resolve) => {
      goA = resolve
    })
    const b = new Promise<void>((resolve) => {
      goB = resolve
    })
    await using lab = await openForwarding({
      scripts: { 'key-a': stall(a, { in: outOfMoney() }), 'key-b': stall(b, { in: ok() }) },
    })
    await lab.addAll('a', 'b')
    const pending = lab.forward()
    await lab.upstream.received(1)
    lab.timers.advance(30_000)
    await lab.upstream.received(2)
    goA()
    await until(async () => (await lab.handle.profiles.view('openai:a')).state === 'disabled')
    goB()
    expect(await pending).toMatchObject({ status: 200, profileId: 'openai:b', attempts: 2 })
    expect((await lab.handle.profiles.view('openai:a')).failureCounts).toEqual({ billing: 1 })
  })

  test('the deadline of all tries together', async () => {
    await using lab = await openForwarding({ script: stall() })
    await lab.addAll('a', 'b', 'c')
    const pending = lab.forward({ settings: { firstByteTimeoutMs: 40_000, deadlineMs: 60_000 } })
    await lab.upstream.received(1)
    lab.timers.advance(40_000)
    await lab.upstream.received(2)
    lab.timers.advance(20_000)
    expect(await pending).toMatchObject({ kind: 'unreachable', status: 504, attempts: 2 })
    // The second was not given the time it is due.
    expect((await lab.handle.profiles.view('openai:b')).failureCounts).toEqual({})
    expect(lab.timers.pending).toBe(0)
  })

  test('the deadline ends with the head: streams may take as long as they like', async () => {
    await using lab = await openForwarding({
      script: stall(30, { in: ok({ text: ['a', 'b'] }), afterBytes: 400 }),
    })
    await lab.add('a')
    const answer = await lab.forward(STREAMED)
    lab.timers.advance(10_000_000)
    expect((await readBody(answer)).toString()).toContain('[DONE]')
  })
})

describe('aborts', () => {
  test('reach the upstream at once and are held against nobody', async () => {
    await using lab = await openForwarding({ script: stall() })
    await lab.addAll('a', 'b')
    const abort = new AbortController()
    const reason = new Error('enough')
    const pending = lab.forward({ signal: abort.signal })
    const request = await lab.upstream.received(1)
    const startedAt = performance.now()
    abort.abort(reason)
    await expect(pending).rejects.toBe(reason)
    await request.ended
    expect(performance.now() - startedAt).toBeLessThan(100)
    expect(request.aborted).toBe(true)
    expect(lab.upstream.requests).toHaveLength(1)
    expect((await lab.handle.profiles.view('openai:a')).errorCount).toBe(0)
    expect(lab.timers.pending).toBe(0)
  })

  test('in the middle of a body', async () => {
    await using lab = await openForwarding({ script: stall('forever', { afterBytes: 400 }) })
    await lab.add('a')
    const abort = new AbortController()
    const answer = await lab.forward({ ...STREAMED, signal: abort.signal })
    const body = readBody(answer)
    abort.abort(new Error('enough'))
    await expect(body).rejects.toThrow('enough')
    await lab.upstream.requests[0]?.ended
    expect(lab.upstream.requests[0]?.aborted).toBe(true)
    expect((await lab.handle.profiles.view('openai:a')).errorCount).toBe(0)
  })

  test('before anything, and during a pause', async () => {
    await using lab = await openForwarding({ script: reset() })
    await lab.add('a')
    await expect(lab.forward({ signal: AbortSignal.abort(new Error('early')) })).rejects.toThrow('early')
    expect(lab.upstream.requests).toHaveLength(0)
    await lab.handle.profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: 100 })
    const abort = new AbortController()
    const pending = lab.forward({ signal: abort.signal })
    abort.abort(new Error('meanwhile'))
    await expect(pending).rejects.toThrow('meanwhile')
  })

  test('what failed before an abort has failed', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': rateLimited(), 'key-b': stall() } })
    await lab.addAll('a', 'b')
    const abort = new AbortController()
    const pending = lab.forward({ signal: abort.signal })
    await lab.upstream.received(2)
    abort.abort()
    await expect(pending).rejects.toMatchObject({ name: 'AbortError' })
    await until(async () => (await standing(lab, 'a')) === 'available gpt-4o')
  })

  test('listeners do not pile up on a signal that lives long', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': rateLimited() } })
    await lab.addAll('a', 'b')
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1
      remove(...args)
    }
    for (let count = 0; count < 5; count += 1) await readBody(await lab.forward({ signal }))
    // Removing twice is harmless, so there may be fewer than none.
    expect(listeners).toBeLessThanOrEqual(0)
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

describe('large bodies', () => {
  async function* pieces(count: number): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < count; index += 1) yield Buffer.alloc(1_000, 'x')
  }

  test('stream through, once, with their length', async () => {
    await using lab = await openForwarding({ script: reply(200, 'done') })
    await lab.add('a')
    const bytes = Buffer.from('{"model":"m","x":"')
    const answer = await lab.forward({ body: { bytes, rest: pieces(3_000), length: 3_000_018 } })
    expect(answer).toMatchObject({ status: 200, replayable: false, attempts: 1 })
    const [seen] = lab.upstream.requests
    expect(seen?.headers['content-length']).toBe('3000018')
    expect(seen?.body).toHaveLength(3_000_018)
  })

  test('are not sent again: the answer is passed on, the failure recorded', async () => {
    await using lab = await openForwarding({ script: rateLimited({ retryAfter: 5 }) })
    await lab.addAll('a', 'b')
    const body = { bytes: Buffer.from('{"model":"gpt-4o","x":"'), rest: pieces(10) }
    const answer = await lab.forward({ body })
    expect(answer).toMatchObject({ kind: 'provider', status: 429, replayable: false, attempts: 1 })
    expect(lab.upstream.requests[0]?.headers['transfer-encoding']).toBe('chunked')
    expect(await standing(lab, 'a')).toBe('available gpt-4o')
  })

  test('go elsewhere as long as nothing of them has been sent', async () => {
    await using lab = await openForwarding({ script: reply(200, 'done') })
    await lab.add('a', { baseUrl: 'http://127.0.0.1:9', priority: 1 })
    await lab.add('b')
    const answer = await lab.forward({ body: { bytes: Buffer.from('x'), rest: pieces(10) } })
    expect(answer).toMatchObject({ status: 200, profileId: 'openai:b', attempts: 3 })
  })

  test('that break off are the caller’s affair', async () => {
    await using lab = await openForwarding()
    await lab.add('a')
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('abc')
      throw new Error('gone')
    }
    await expect(lab.forward({ body: { bytes: Buffer.from('x'), rest: broken() } })).rejects.toMatchObject({
      code: 'aborted',
    })
    expect((await lab.handle.profiles.view('openai:a')).errorCount).toBe(0)
  })
})

describe('streams', () => {
  test('go out as they come, byte for byte, from the first content on', async () => {
    let goOn = (): void => {}
    const pause = new Promise<void>((resolve) => {
      goOn = resolve
    })
    await using lab = await openForwarding({
      script: stall(pause, { in: ok({ text: ['one', 'two'] }), afterBytes: 400 }),
    })
    await lab.add('a')
    const answer = await lab.forward(STREAMED)
    let text = ''
    const done = new Promise<void>((resolve, reject) => {
      answer.body.pipe({
        data: (chunk) => {
          text += chunk.toString()
          return true
        },
        end: resolve,
        fail: reject,
      })
    })
    await until(() => text.includes('one'))
    expect(text).not.toContain('DONE')
    goOn()
    await done
    expect(text.match(/data: /g)).toHaveLength(5)
  })

  test('an error in the middle is passed on as it is', async () => {
    await using lab = await openForwarding({ script: errorMidStream() })
    await lab.addAll('a', 'b')
    const answer = await lab.forward(STREAMED)
    expect((await readBody(answer)).toString()).toContain('"error"')
    expect(answer).toMatchObject({ profileId: 'openai:a', attempts: 1 })
  })

  test('a reset in the middle breaks the body off', async () => {
    await using lab = await openForwarding({ script: reset({ afterBytes: 450 }) })
    await lab.add('a')
    await expect(readBody(await lab.forward(STREAMED))).rejects.toThrow()
  })

  test('a slow reader holds the upstream back', async () => {
    const size = 50_000_000
    await using lab = await openForwarding({ script: hugeBody(size, 200) })
    await lab.add('a')
    const answer = await lab.forward()
    let got = 0
    let atPause = 0
    await new Promise<void>((resolve, reject) => {
      answer.body.pipe({
        data: (chunk) => {
          got += chunk.length
          if (atPause > 0 || got < 1_000_000) return true
          atPause = got
          setTimeout(() => {
            expect(got).toBeLessThan(atPause + 200_000)
            answer.body.resume()
          }, 50)
          return false
        },
        end: resolve,
        fail: reject,
      })
    })
    expect(got).toBe(size)
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

describe('secrets', () => {
  test('an error that repeats the key is passed on without it, compressed or not', async () => {
    const text = JSON.stringify({
      error: { message: 'Malformed request with key-marker-0123456789', type: 'invalid_request_error' },
    })
    for (const [body, headers] of [
      [text, {}],
      [gzipSync(text), { 'content-encoding': 'gzip' }],
    ] as const) {
      await using lab = await openForwarding({
        script: reply(400, body, {
          ...headers,
          'content-type': 'application/json',
          'x-echo': 'Bearer key-marker-0123456789',
        }),
      })
      await lab.add('a', { secret: 'key-marker-0123456789' })
      const answer = await lab.forward()
      const bytes = await readBody(answer)
      expect(bytes.toString()).toContain('[redacted]')
      expect(JSON.stringify(answer) + bytes.toString() + lab.logged.join()).not.toContain('key-marker')
      expect(headerObject(answer.headers)).toMatchObject({ 'content-length': String(bytes.length) })
      expect(headerObject(answer.headers)['content-encoding']).toBeUndefined()
    }
  })

  const KEY = 'sk-marker"with/quotes-0123456789'
  const FORMS = [KEY, JSON.stringify(KEY).slice(1, -1), btoa(`user:${KEY}`), encodeURIComponent(KEY)]

  test.each<[string, (response: ServerResponse) => void]>([
    ['the reason phrase', (response) => response.writeHead(400, `bad ${KEY}`).end('{}')],
    ['an error, in base64', (response) => response.writeHead(400).end(FORMS[2])],
    [
      'an error, in JSON',
      (response) => response.writeHead(400).end(JSON.stringify({ error: { message: KEY } })),
    ],
    [
      'an error larger than what is held',
      (response) => response.writeHead(400).end(`${'x'.repeat(65_530)}${KEY}${'y'.repeat(70_000)}${KEY}`),
    ],
    [
      'an error in an unknown coding',
      (response) => response.writeHead(400, { 'content-encoding': 'zstd' }).end(KEY),
    ],
    [
      'a large error that is compressed',
      (response) =>
        response
          .writeHead(400, { 'content-encoding': 'gzip' })
          .end(gzipSync(Buffer.concat([randomBytes(80_000), Buffer.from(KEY)]))),
    ],
    [
      'a success',
      (response) =>
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ echo: KEY, ok: 1 })),
    ],
  ])('%s that repeats the key is passed on without it', async (_what, respond) => {
    const server = createHttpServer((message, response) => {
      message.resume()
      respond(response)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    await using lab = await openForwarding()
    await lab.add('a', { secret: KEY, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    const answer = await lab.forward()
    const bytes = await readBody(answer)
    const seen = [...answer.headers, answer.statusText, bytes.toString('latin1'), inflated(answer, bytes)]
    for (const form of FORMS) expect(seen.some((text) => text.includes(form))).toBe(false)
    const stated = headerObject(answer.headers)['content-length']
    if (stated !== undefined) expect(bytes.length).toBe(Number(stated))
    server.closeAllConnections()
    server.close()
  })

  function inflated(answer: Answer, bytes: Buffer): string {
    if (headerObject(answer.headers)['content-encoding'] !== 'gzip') return ''
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).toString('latin1')
  }

  test('pieces of a long error that hold no key come through as they are', async () => {
    const text = `{"error":"${'ü€😀'.repeat(12_000)}"}`
    const server = createHttpServer((message, response) => {
      message.resume()
      response.writeHead(400).end(text)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    await using lab = await openForwarding()
    await lab.add('a', { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    expect((await readBody(await lab.forward())).toString()).toBe(text)
    server.closeAllConnections()
    server.close()
  })

  test('no credential in what is thrown, logged or kept', async () => {
    const marker = 'sk-marker-abcdefghijklmnop'
    for (const script of [
      badKey({ message: `Incorrect key: ${marker}` }),
      reset(),
      garbage({ http: false }),
      redirect(`https://x/${marker}`),
    ]) {
      await using lab = await openForwarding({ script })
      await lab.add('a', { secret: marker })
      const answer = await lab.forward()
      const view = await lab.handle.profiles.view('openai:a')
      const seen = [
        JSON.stringify(answer),
        (await readBody(answer)).toString(),
        answer.error?.stack,
        JSON.stringify(view),
        lab.logged.join(),
      ]
      expect(seen.join()).not.toContain(marker)
    }
  })
})

describe('a process that stood still', () => {
  test('does not take its own silence for that of the upstream', async () => {
    // In a thread of its own, which goes on meanwhile.
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads')
       const server = require('node:http').createServer((_, response) => {
         parentPort.postMessage('asked')
         const answer = () => response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}')
         setTimeout(answer, 50)
       })
       server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`,
      { eval: true },
    )
    const [port] = await once(worker, 'message')
    await using lab = await openForwarding({ timers: systemTimers })
    await lab.add('a', { baseUrl: `http://127.0.0.1:${port}/v1` })
    const asked = once(worker, 'message')
    const pending = lab.forward({ settings: { firstByteTimeoutMs: 300 } })
    await asked
    const until = performance.now() + 700
    while (performance.now() < until);
    expect(await pending).toMatchObject({ status: 200, attempts: 1, failures: [] })
    await worker.terminate()
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
