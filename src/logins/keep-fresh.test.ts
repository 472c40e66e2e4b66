import { afterEach, expect, test } from 'vitest'
import type { AuthProfile, OAuthCredential } from '../domain/profile.js'
import { createFakeClock } from '../testing/fake-clock.js'
import { FreshKeeper } from './keep-fresh.js'

const SECOND = 1_000
const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface Request {
  readonly id: string
  readonly seen: OAuthCredential
  readonly end: (fresh: OAuthCredential | Error) => Promise<void>
}

/** A keeper at work on logins `PROVIDER:NAME` that are due in so many seconds; its requests are answered by hand. */
async function keeping(...dueIn: readonly (readonly [string, number])[]) {
  const clock = createFakeClock()
  const startMs = clock.now().getTime()
  const profiles = new Map(dueIn.map(([id, seconds]) => [id, profileOf(id, startMs + seconds * SECOND)]))
  const requests: Request[] = []
  const warnings: string[] = []
  let looks = 0
  const controller = new AbortController()
  const keeper = new FreshKeeper({
    list: async () => {
      looks += 1
      return [...profiles.values()]
    },
    dueMs: ({ expiresAt }) => expiresAt.getTime(),
    clock,
    logger: { debug() {}, info() {}, error() {}, warn: (message) => warnings.push(message) },
    renew: (id, seen) =>
      new Promise((resolve, reject) => {
        const end = async (fresh: OAuthCredential | Error): Promise<void> => {
          requests.splice(requests.indexOf(request), 1)
          if (fresh instanceof Error) reject(fresh)
          else resolve(fresh)
          const profile = profiles.get(id)
          if (profile !== undefined && !(fresh instanceof Error))
            profiles.set(id, { ...profile, oauth: fresh })
          await turn()
        }
        const request = { id, seen, end }
        requests.push(request)
      }),
  })
  const running = keeper.run(controller.signal)
  stops.push(() => {
    controller.abort()
    return running
  })
  await turn()
  const pass = async (seconds: number): Promise<void> => {
    for (let step = 0; step < seconds * 2; step += 1) {
      clock.advance(SECOND / 2)
      await turn()
    }
  }
  const ids = (): string[] => requests.map(({ id }) => id)
  const endAll = async (lifetimeSeconds: number): Promise<void> => {
    for (const { seen, end } of [...requests]) {
      const expiresAt = new Date(clock.now().getTime() + lifetimeSeconds * SECOND)
      await end({ ...seen, accessToken: `${seen.accessToken}+`, expiresAt })
    }
  }
  return { clock, requests, ids, pass, endAll, warnings, looks: () => looks }
}

function profileOf(id: string, dueMs: number): AuthProfile {
  const [provider = '', name = ''] = id.split(':')
  const now = new Date(0)
  const oauth = {
    provider,
    profileName: name,
    accessToken: 'at',
    refreshToken: 'rt',
    expiresAt: new Date(dueMs),
  }
  const rest = { priority: 0, enabled: true, createdAt: now, updatedAt: now, oauth } as const
  return { id: id as AuthProfile['id'], provider, name, mode: 'oauth', ...rest }
}

test('a login with short-lived tokens is renewed each time it is due', async () => {
  const { ids, pass, endAll } = await keeping(['a:x', 10])
  let renewals = 0
  for (let seconds = 0; seconds < 120; seconds += 1) {
    await pass(1)
    renewals += ids().length
    await endAll(10)
  }
  expect(renewals).toBeGreaterThanOrEqual(10)
})

test('few are renewed at once, the soonest first, and the next as soon as one has ended', async () => {
  const due = Array.from({ length: 30 }, (_, index) => [`a:${index}`, index - 100] as const)
  const { ids, endAll, requests } = await keeping(...due)
  expect(ids()).toEqual(due.slice(0, 8).map(([id]) => id))
  const [first] = requests
  await first?.end({ ...first.seen, accessToken: 'new', expiresAt: new Date('2027-01-01') })
  expect(ids()).toEqual(due.slice(1, 9).map(([id]) => id))
  for (let round = 0; round < 4; round += 1) await endAll(3_600)
  expect(ids()).toEqual([])
})

test('a provider that does not answer leaves room for others', async () => {
  const of = (provider: string) =>
    Array.from({ length: 20 }, (_, index) => [`${provider}:${index}`, -1] as const)
  const { ids } = await keeping(...of('a'), ...of('b'), ...of('c'))
  expect(ids().filter((id) => id.startsWith('a'))).toHaveLength(8)
  expect(ids().filter((id) => id.startsWith('b'))).toHaveLength(8)
  expect(ids()).toHaveLength(16)
})

test('what fails is tried again after a wait that doubles, and is told', async () => {
  const { ids, pass, requests, warnings, looks } = await keeping(['a:x', -1])
  await requests[0]?.end(new Error('no'))
  expect(warnings).toEqual(['a login could not be renewed ahead of time'])
  await pass(4)
  expect(ids()).toEqual([])
  await pass(2)
  expect(ids()).toEqual(['a:x'])
  // It gives the tokens of before: they are good, and the failure has been told.
  const [again] = requests
  await again?.end(again.seen)
  expect(warnings).toHaveLength(1)
  await pass(9)
  expect(ids()).toEqual([])
  await pass(2)
  expect(ids()).toEqual(['a:x'])
  expect(looks()).toBeLessThan(10)
})

test('neither a wait nor the time of the next look outlives a clock that is set back', async () => {
  const { ids, clock, requests } = await keeping(['a:x', -9_000], ['a:y', -9_000])
  const [x, y] = requests
  await x?.end(new Error('no'))
  expect(ids()).toEqual(['a:y'])
  clock.advance(-3_600 * SECOND)
  await y?.end({ ...y.seen, accessToken: 'new', expiresAt: new Date('2027-01-01') })
  expect(ids()).toEqual(['a:x'])
})
