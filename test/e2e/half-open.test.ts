import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  ok,
  outOfMoney,
  rateLimited,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../src/entries/testing.js'
import { startTestGateway, type TestGateway } from '../support/gateway.js'

const HOURS_S = 5 * 3_600

let upstream: ScriptedUpstream
let served: TestGateway

beforeEach(async () => {
  upstream = await startScriptedUpstream({ provider: 'openai' })
})
afterEach(async () => {
  await served.close()
  await upstream.close()
})

async function serve(...names: readonly { name: string; account?: string }[]): Promise<void> {
  const profiles = names.map(({ name, account }, index) => ({
    provider: 'openai',
    name,
    account,
    secret: `sk-${name}`,
    priority: 10 - index,
    baseUrl: `${upstream.url}/v1`,
  }))
  served = await startTestGateway(profiles, { gateway: { maxWaitSeconds: 20, health: false } })
}

async function ask(): Promise<readonly [status: number, profile: string | null]> {
  const response = await fetch(`${served.url}/openai/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${served.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: `${Math.random()}` }] }),
  })
  await response.arrayBuffer()
  return [response.status, response.headers.get('x-keymux-profile')]
}

test('a limit of hours is tried before a request is held, and a success ends it', async () => {
  await serve({ name: 'hours' }, { name: 'seconds' })
  upstream.respond(ok())
  const { profiles } = served.keymux
  const limited = (seconds: number) => ({ retryAfterMs: seconds * 1_000, certainty: 'stated' as const })
  await profiles.markFailure('openai:hours', 'rate_limit', limited(HOURS_S))
  await profiles.markFailure('openai:seconds', 'rate_limit', limited(15))
  expect(await ask()).toEqual([200, 'openai:hours'])
  await expect.poll(async () => (await profiles.view('openai:hours')).state).toBe('available')
  expect(await ask()).toEqual([200, 'openai:hours'])
  expect(upstream.requests.map(({ credential }) => credential)).toEqual(['sk-hours', 'sk-hours'])
})

test('one that still holds costs one try, however many ask', async () => {
  await serve({ name: 'hours' })
  upstream.respond(rateLimited({ retryAfter: HOURS_S }), 'sk-hours')
  const answers = await Promise.all(Array.from({ length: 8 }, ask))
  expect(new Set(answers.map(([status]) => status))).toEqual(new Set([429]))
  const before = upstream.requests.length
  for (let n = 0; n < 5; n += 1) expect((await ask())[0]).toBe(429)
  // One of them at most, unless one of the first had the trial.
  expect(upstream.requests.length - before).toBeLessThanOrEqual(1)
})

test('an unpaid account is tried with one of its keys', async () => {
  await serve({ name: 'a', account: 'org' }, { name: 'b', account: 'org' }, { name: 'c', account: 'org' })
  for (const name of ['a', 'b', 'c']) upstream.respond(outOfMoney(), `sk-${name}`)
  expect((await ask())[0]).not.toBe(200)
  const before = upstream.requests.length
  for (let n = 0; n < 5; n += 1) await ask()
  expect(upstream.requests.length - before).toBeLessThanOrEqual(1)
})
