import { describe, expect, test } from 'vitest'
import {
  type ForwardingLab,
  type LabOptions,
  openForwarding,
  readBody,
  SteppedTimers,
  until,
} from '../../test/support/forwarding.js'
import type { Answer, ForwardRequest } from '../domain/forwarding.js'
import { badKey, ok, outOfMoney, overloaded, rateLimited, serverError, stall } from '../entries/testing.js'
import { headerObject } from './headers.js'

const MAX_WAIT_MS = 20_000

interface HoldLab extends ForwardingLab {
  readonly steps: SteppedTimers
  /** A request that may wait. */
  ask(request?: Partial<ForwardRequest>): Pending
  /** Lets time pass as it does: what follows from it on this machine is given its time too. */
  pass(ms: number): Promise<void>
}

/** A request under way. */
interface Pending {
  readonly answer: Promise<Answer>
  readonly settled: () => boolean
}

async function holdLab(options: LabOptions = {}): Promise<HoldLab> {
  const steps = new SteppedTimers()
  const lab = await openForwarding({ ...options, timers: steps })
  return {
    ...lab,
    [Symbol.asyncDispose]: lab[Symbol.asyncDispose],
    steps,
    ask(request = {}) {
      let over = false
      const settings = { maxWaitMs: MAX_WAIT_MS, ...request.settings }
      const answer = lab.forward({ ...request, settings }).finally(() => {
        over = true
      })
      answer.catch(() => undefined)
      return { answer, settled: () => over }
    },
    async pass(ms) {
      for (let left = ms; left > 0; left -= 100) {
        await steps.advance(Math.min(100, left))
        for (let turn = 0; turn < 8; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      }
    },
  }
}

/** Lets time pass until a request is answered. */
async function answered(lab: HoldLab, pending: Pending): Promise<Answer> {
  while (!pending.settled()) await lab.pass(100)
  return pending.answer
}

describe('a short exhaustion', () => {
  test('that ends in the last moment of the wait is noticed', async () => {
    await using lab = await holdLab()
    await lab.add('a')
    await lab.handle.profiles.reportFailure('openai:a', 'rate_limit', { retryAfterMs: MAX_WAIT_MS - 200 })
    const answer = await answered(lab, lab.ask())
    expect(answer.status).toBe(200)
  })

  test('is held without a word, and asked again when the first account is back', async () => {
    await using lab = await holdLab({
      scripts: { 'key-a': rateLimited({ retryAfter: 9 }), 'key-b': [rateLimited({ retryAfter: 5 }), ok()] },
    })
    await lab.addAll('a', 'b')
    const startedMs = lab.handle.clock.now().getTime()
    const pending = lab.ask()
    await lab.upstream.received(2)
    await lab.pass(4_900)
    expect(pending.settled()).toBe(false)
    expect(lab.upstream.requests).toHaveLength(2)
    const answer = await answered(lab, pending)
    expect(answer).toMatchObject({ kind: 'provider', status: 200, profileId: 'openai:b', attempts: 3 })
    expect(lab.handle.clock.now().getTime() - startedMs).toBeLessThan(5_500)
  })

  test.each([
    ['rate_limit', 4_000],
    ['overloaded', 0],
    ['server_error', 0],
    ['timeout', 0],
  ] as const)('of a window for %s that was there before', async (reason, retryAfterMs) => {
    await using lab = await holdLab()
    await lab.add('a')
    for (let count = 0; count < 3; count += 1) {
      await lab.handle.profiles.markFailure('openai:a', reason, retryAfterMs > 0 ? { retryAfterMs } : {})
    }
    const pending = lab.ask({ settings: { maxWaitMs: 40_000 } })
    await lab.pass(1_000)
    expect([pending.settled(), lab.upstream.requests.length]).toEqual([false, 0])
    expect(await answered(lab, pending)).toMatchObject({ status: 200, attempts: 1 })
  })

  test('that a provider states shorter than anybody waits is still waited for', async () => {
    await using lab = await holdLab({ script: [rateLimited({ retryAfterMs: 1 }), ok()] })
    await lab.add('a')
    expect(await answered(lab, lab.ask())).toMatchObject({ status: 200, attempts: 2 })
  })

  test('ends sooner when an account is reset, or added', async () => {
    for (const add of [false, true]) {
      await using lab = await holdLab()
      await lab.add('a')
      await lab.handle.profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: 15_000 })
      const pending = lab.ask()
      await lab.pass(2_000)
      expect(pending.settled()).toBe(false)
      if (add) await lab.add('b')
      else await lab.handle.profiles.reset('openai:a')
      await lab.pass(1_100)
      expect(await answered(lab, pending)).toMatchObject({ status: 200 })
      expect(lab.handle.clock.now().getTime()).toBeLessThan(Date.parse('2026-01-01T00:00:05Z'))
    }
  })

  test('in a chain waits for the soonest of all its providers', async () => {
    await using lab = await holdLab()
    await lab.add('a')
    const groq = { provider: 'groq', name: 'g', secret: 'key-groq', baseUrl: `${lab.upstream.url}/groq` }
    await lab.handle.profiles.add(groq)
    await lab.handle.profiles.markFailure('groq:g', 'rate_limit', { retryAfterMs: 3_000 })
    await lab.handle.profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: 9_000 })
    const stages = ['openai', 'groq'].map((provider) => ({ provider, compatible: true }))
    expect(await answered(lab, lab.ask({ stages }))).toMatchObject({ profileId: 'groq:g' })
  })
})

describe('nobody is waited for', () => {
  test('who is refused or unpaid', async () => {
    await using lab = await holdLab({ scripts: { 'key-a': badKey(), 'key-b': outOfMoney() } })
    await lab.addAll('a', 'b')
    const answer = await lab.ask().answer
    expect(answer).toMatchObject({ kind: 'refused', attempts: 2 })
  })

  test('but beside them whoever is busy, and they are not asked a second time', async () => {
    await using lab = await holdLab({
      scripts: {
        'key-a': badKey(),
        'key-b': outOfMoney(),
        'key-c': [rateLimited({ retryAfter: 3 }), rateLimited({ retryAfter: 3 }), ok()],
      },
    })
    await lab.addAll('a', 'b', 'c')
    expect(await answered(lab, lab.ask())).toMatchObject({ status: 200, profileId: 'openai:c', attempts: 5 })
    expect(lab.credentials()).toEqual(['key-a', 'key-b', 'key-c', 'key-c', 'key-c'])
  })

  test('for longer than is allowed, or beyond the deadline: an answer at once', async () => {
    await using lab = await holdLab({ script: rateLimited({ retryAfter: 12 }) })
    await lab.add('a')
    for (const settings of [{ maxWaitMs: 11_000 }, { deadlineMs: 11_000 }, { maxWaitMs: 0 }]) {
      const { status, headers } = await lab.ask({ settings }).answer
      expect([status, headerObject(headers)['retry-after']]).toEqual([429, '12'])
      expect(headerObject(headers)).not.toHaveProperty('x-should-retry')
    }
    expect(lab.steps.pending).toBe(0)
  })

  test('whose account is busy again and again: the time of each request is limited', async () => {
    await using lab = await holdLab({ script: rateLimited({ retryAfter: 6 }) })
    await lab.add('a')
    const startedMs = lab.handle.clock.now().getTime()
    expect(await answered(lab, lab.ask())).toMatchObject({ kind: 'refused', status: 429, attempts: 4 })
    expect(lab.handle.clock.now().getTime() - startedMs).toBeLessThan(MAX_WAIT_MS + 1_000)
    expect(lab.steps.pending).toBe(0)
  })

  test('where a failure opens no window: the error goes to the caller', async () => {
    await using lab = await holdLab({ script: serverError() })
    await lab.add('a')
    expect(await answered(lab, lab.ask())).toMatchObject({ kind: 'provider', status: 500 })
  })

  test('by a request that cannot be sent again', async () => {
    await using lab = await holdLab({ script: rateLimited({ retryAfter: 3 }) })
    await lab.add('a')
    const rest = (async function* () {
      yield Buffer.from('"}')
    })()
    const answer = await lab.ask({ body: { bytes: Buffer.from('{"model":"m","x":"'), rest } }).answer
    expect(answer.status).toBe(429)
    expect(await lab.ask({ maxAttempts: 1 }).answer).toMatchObject({ status: 429 })
  })
})

test('a trial of a disabled account goes before', async () => {
  await using lab = await holdLab()
  await lab.addAll('a', 'b')
  await lab.handle.profiles.markFailure('openai:a', 'billing')
  await lab.handle.profiles.markFailure('openai:b', 'rate_limit', { retryAfterMs: 5_000 })
  expect(await lab.ask().answer).toMatchObject({ profileId: 'openai:a', status: 200 })
})

describe('many', () => {
  test('300: as many as there is room for are held, one goes first, and all of them are served', async () => {
    let [going, most] = [0, 0]
    const seen: number[] = []
    await using lab = await holdLab()
    await lab.add('a')
    await lab.handle.profiles.markFailure('openai:a', 'rate_limit', { model: 'gpt-4o', retryAfterMs: 5_000 })
    lab.upstream.respond(async () => {
      going += 1
      most = Math.max(most, going)
      seen.push(going)
      await new Promise((resolve) => setImmediate(resolve))
      going -= 1
      return ok()
    })
    const all = Array.from({ length: 300 }, () => lab.ask())
    await lab.pass(100)
    expect(all.filter(({ settled }) => settled())).toHaveLength(44)
    expect(lab.upstream.requests).toHaveLength(0)
    while (lab.upstream.requests.length === 0) await lab.pass(100)
    const answers = await Promise.all(all.map(({ answer }) => answer))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(256)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(44)
    expect(seen[0]).toBe(1)
    expect(lab.upstream.requests).toHaveLength(256)
    await Promise.all(answers.map(readBody))
    expect(lab.steps.pending).toBe(0)
  })

  test('while the account is limited again after each answer, one at a time is tried', async () => {
    let [going, most] = [0, 0]
    await using lab = await holdLab()
    await lab.add('a')
    let count = 0
    lab.upstream.respond(async () => {
      going += 1
      most = Math.max(most, going)
      await new Promise((resolve) => setImmediate(resolve))
      going -= 1
      count += 1
      return count % 2 === 0 ? ok() : rateLimited({ retryAfter: 1 })
    })
    await lab.handle.profiles.markFailure('openai:a', 'rate_limit', { model: 'gpt-4o', retryAfterMs: 1_000 })
    const all = Array.from({ length: 10 }, () => lab.ask())
    const answers = await Promise.all(all.map((pending) => answered(lab, pending)))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(most).toBeLessThanOrEqual(2)
  })

  test('their bodies take no more memory than is allowed', async () => {
    await using lab = await holdLab({ settings: { holdBytes: 1_000_000 } })
    await lab.add('a')
    await lab.handle.profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: 5_000 })
    const large = { bytes: Buffer.from(JSON.stringify({ text: 'x'.repeat(600_000) })) }
    const [first, second] = [lab.ask({ body: large }), lab.ask({ body: large })]
    expect(await second.answer).toMatchObject({ status: 429 })
    expect(first.settled()).toBe(false)
    expect(await answered(lab, first)).toMatchObject({ status: 200 })
  })
})

describe('a caller who hangs up', () => {
  test('leaves, and the next one goes', async () => {
    await using lab = await holdLab()
    await lab.add('a')
    await lab.handle.profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: 5_000 })
    const hangUp = new AbortController()
    const reason = new Error('enough')
    const [gone, stays] = [lab.ask({ signal: hangUp.signal }), lab.ask()]
    await lab.pass(1_000)
    hangUp.abort(reason)
    await expect(gone.answer).rejects.toBe(reason)
    expect(await answered(lab, stays)).toMatchObject({ status: 200 })
    expect(lab.upstream.requests).toHaveLength(1)
    expect(lab.steps.pending).toBe(0)
  })

  test('at his turn gives it to the next one', async () => {
    await using lab = await holdLab({ script: [stall(), ok()] })
    await lab.add('a')
    await lab.handle.profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: 1_000 })
    const hangUp = new AbortController()
    const [gone, stays] = [lab.ask({ signal: hangUp.signal }), lab.ask()]
    await until(async () => {
      await lab.pass(100)
      return lab.upstream.requests.length === 1
    })
    hangUp.abort(new Error('enough'))
    await expect(gone.answer).rejects.toThrow('enough')
    expect(await answered(lab, stays)).toMatchObject({ status: 200 })
  })
})

test('createFetch waits when it is told to', async () => {
  await using lab = await holdLab({ script: [overloaded(), overloaded(), ok()] })
  await lab.add('a')
  const ask = lab.fetch({ maxWaitMs: 30_000 })
  let over = false
  const response = ask('https://api.openai.com/v1/chat/completions', {
    method: 'POST',
    body: '{"model":"gpt-4o"}',
  }).finally(() => {
    over = true
  })
  while (!over) await lab.pass(100)
  expect((await response).status).toBe(200)
  expect(() => lab.fetch({ maxWaitMs: -1 })).toThrow('maxWaitMs')
})
