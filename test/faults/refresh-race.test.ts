import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import type { StubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import { startStubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import type { PeerOptions } from './programs/refresh-peer.js'
import { makePlace } from './refresh-lab.js'
import { makeLab } from './storage-lab.js'

const PROCESSES = 16
/** 100 of them in a thorough run: REFRESH_ROUNDS=100. */
const ROUNDS = Number(process.env.REFRESH_ROUNDS ?? 5)

const lab = makeLab()
afterAll(() => lab.dispose())
const servers: StubAuthorizationServer[] = []
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())))

interface Race {
  /** Requests of each round. */
  readonly requests: readonly number[]
  /** Different tokens that the processes got, of each round. */
  readonly tokens: readonly number[]
  readonly server: StubAuthorizationServer
}

/** Lets 16 processes ask for one expired token at once, round after round. */
async function race(rounds: number, options: PeerOptions): Promise<Race> {
  const server = await startStubAuthorizationServer({ detectReuse: options.lock !== false, delayMs: 30 })
  servers.push(server)
  const place = await makePlace(lab, server)
  await place.logIn('a', 3_600_000)
  const peers = await Promise.all(Array.from({ length: PROCESSES }, () => place.peer(options)))
  const requests: number[] = []
  const tokens: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    await place.expire('a')
    const before = server.renewals.length
    const answers = await Promise.all(peers.map((each) => each.ask('token a')))
    requests.push(server.renewals.length - before)
    tokens.push(new Set(answers).size)
    if (options.lock !== false) {
      const stored = await place.stored('a')
      expect(new Set(answers)).toEqual(new Set([`ok ${server.families[0]?.accessToken}`]))
      expect(stored.refreshToken).toBe(server.families[0]?.refreshToken)
    }
  }
  await Promise.all(peers.map((each) => each.end()))
  await place.handle.close()
  return { requests, tokens, server }
}

describe(`${PROCESSES} processes and one expired token`, () => {
  test(`${ROUNDS} rounds: one request a round, and everyone gets its token`, async () => {
    const { requests, tokens, server } = await race(ROUNDS, {})
    expect(requests).toEqual(Array(ROUNDS).fill(1))
    expect(tokens).toEqual(Array(ROUNDS).fill(1))
    expect(server.mostConcurrentRenewals).toBe(1)
    expect(server.families[0]).toMatchObject({ reuses: 0, revoked: false, renewals: ROUNDS })
  }, 600_000)

  test('it is the lock that does it: it alone suffices', async () => {
    const { requests, tokens } = await race(2, { attempts: false })
    expect(requests).toEqual([1, 1])
    expect(tokens).toEqual([1, 1])
  }, 300_000)

  test('and without it there are several requests', async () => {
    const { requests, server } = await race(1, { lock: false, attempts: false })
    expect(requests[0]).toBeGreaterThan(1)
    expect(server.families[0]?.reuses).toBeGreaterThan(0)
  }, 300_000)
})

test('two accounts of one provider renew in parallel and never cross', async () => {
  const server = await startStubAuthorizationServer({ delayMs: 200 })
  servers.push(server)
  const place = await makePlace(lab, server)
  await place.logIn('a', -1_000)
  await place.logIn('b', -1_000)
  const peers = await Promise.all([place.peer(), place.peer(), place.peer(), place.peer()])
  const answers = await Promise.all(
    peers.map((each, index) => each.ask(`token ${index % 2 === 0 ? 'a' : 'b'}`)),
  )
  const [a, b] = server.families
  expect(answers).toEqual([a, b, a, b].map((family) => `ok ${family?.accessToken}`))
  expect(server.mostConcurrentRenewals).toBe(2)
  expect(server.renewals).toHaveLength(2)
  expect((await place.stored('a')).refreshToken).toBe(a?.refreshToken)
  expect((await place.stored('b')).refreshToken).toBe(b?.refreshToken)
  await Promise.all(peers.map((each) => each.end()))
  await wait(0)
  await place.handle.close()
}, 120_000)
