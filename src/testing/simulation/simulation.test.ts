import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Answer } from '../../domain/forwarding.js'
import type { ProfileView } from '../../domain/profiles.js'
import { newUsageStats } from '../../domain/usage.js'
import type { WireAnswer } from './answers.js'
import { makeWorld } from './make-world.js'
import { runWorld } from './run-world.js'
import { shrinkWorld } from './shrink.js'
import { simulate } from './simulate.js'
import { Watch, type WatchedLab } from './watch.js'
import type { SeenAnswer, SimulatedAccount, SimulatedRequest, World } from './world.js'

const MINUTE = 60_000
const START = Date.UTC(2026, 0, 1)

/** Answers of providers from public reports and the tests of other projects. */
const SEEN: readonly SeenAnswer[] = ['field', 'peers'].flatMap((name) => {
  const file = new URL(`../../../test/vectors/provider-failures-${name}.json`, import.meta.url)
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: { request?: SeenAnswer }[] }
  return cases.flatMap(({ request }) =>
    request === undefined
      ? []
      : [{ status: request.status, headers: request.headers ?? {}, body: request.body }],
  )
})

describe('whatever providers say', () => {
  test('the rules hold with answers that were seen, told for anything', async () => {
    expect(SEEN.length).toBeGreaterThan(150)
    const { breaches, ratio } = await simulate({
      seed: 301,
      requests: 1_000,
      requestsPerWorld: 500,
      seen: SEEN,
    })
    expect(breaches.map(({ rule, what, trace = [] }) => [rule, what, ...trace].join('\n'))).toEqual([])
    expect(ratio).toBeLessThanOrEqual(1.3)
  })

  test.each([1, 101])('the rules hold, from seed %i on', async (seed) => {
    const { breaches, tally, ratio } = await simulate({ seed, requests: 1_000, requestsPerWorld: 500 })
    expect(breaches.map(({ rule, what, trace = [] }) => [rule, what, ...trace].join('\n'))).toEqual([])
    expect(ratio).toBeLessThanOrEqual(1.3)
    expect(tally.requests).toBe(1_000)
    // Nothing is proved by providers that do not lie, or that never serve.
    expect(Object.keys(tally.told).filter((what) => what.includes('loose')).length).toBeGreaterThan(3)
    expect(Object.keys(tally.told).some((what) => what.includes('stated'))).toBe(true)
    expect(tally.served).toBeGreaterThan(500)
  })
})

test('a seed gives the same world and the same course, each time', async () => {
  const [one, other] = [makeWorld(7, 150), makeWorld(7, 150)]
  expect(one).toEqual(other)
  const [first, second] = [await runWorld(one, { traced: true }), await runWorld(other, { traced: true })]
  expect(first.trace.length).toBeGreaterThan(150)
  expect(second.trace).toEqual(first.trace)
})

test.each([0, -1, 1.5, Number.NaN])('%d requests are refused', async (requests) => {
  await expect(simulate({ requests })).rejects.toThrow(RangeError)
})

describe('a world that breaks a rule', () => {
  test('is shrunk to what breaks it', async () => {
    const world = makeWorld(3, 200)
    const [guilty] = world.requests.slice(120)
    const [episode] = world.episodes
    const breaks = async ({ requests, episodes }: World): Promise<boolean> =>
      requests.some(({ id }) => id === guilty?.id) && (episode === undefined || episodes.includes(episode))
    const short = await shrinkWorld(world, guilty?.atMs ?? 0, breaks)
    expect(short.requests).toEqual([guilty])
    expect(short.episodes).toEqual(episode === undefined ? [] : [episode])
    expect(short.accounts).toEqual([])
  })

  test('is given back as it is where nothing can be left out', async () => {
    const world = makeWorld(3, 20)
    expect(await shrinkWorld(world, 0, async () => false)).toBe(world)
  })
})

const ACCOUNTS: readonly SimulatedAccount[] = ['a', 'b', 'c'].map((name) => ({
  name,
  priority: 0,
  isRelayed: false,
  withoutModels: [],
  withoutFeatures: [],
}))
const REQUEST: SimulatedRequest = {
  id: 1,
  atMs: 0,
  model: 'large',
  conversation: 1,
  isStreamed: false,
  maxWaitMs: 0,
}
const WORLD: World = {
  seed: 1,
  provider: 'openai',
  models: ['large'],
  accounts: ACCOUNTS,
  episodes: [],
  requests: [REQUEST],
  seen: [],
}

/** A watch that sees accounts as they are given, and is told of calls by account and of an answer. */
function watching(views: Readonly<Record<string, Partial<ProfileView>>> = {}) {
  const lab: WatchedLab = {
    idOf: ({ name }) => `openai:${name}`,
    profiles: {
      stats: async () => newUsageStats(),
      view: async (id) =>
        ({ state: 'available', modelCooldowns: [], ...views[id.slice('openai:'.length)] }) as ProfileView,
    },
  }
  const watch = new Watch(WORLD, () => lab, START)
  const says = (name: string, answer: Partial<WireAnswer> = {}): void => {
    const account = ACCOUNTS.find((one) => one.name === name)
    if (account === undefined) throw new Error('there is no such account')
    watch.called({
      account,
      request: REQUEST,
      atMs: 0,
      fault: { id: 'f', kind: 'feature', of: 'request' },
      answer: {
        status: 400,
        headers: ['content-type', 'application/json'],
        pieces: ['{"message":"no"}'],
        end: 'whole',
        isStated: false,
        ...answer,
      },
    })
  }
  const ends = async (status: number): Promise<string[]> => {
    await watch.ended({ request: REQUEST, answer: { status } as Answer, startMs: 0, endMs: 1_000 })
    return watch.breaches.map(({ rule }) => rule)
  }
  return { watch, says, ends }
}

describe('the watch', () => {
  test.each([401, 402, 429, 500, 503])(
    'finds a %i that another account would have spared',
    async (status) => {
      const { ends } = watching()
      expect(await ends(status)).toEqual(['served_elsewhere'])
    },
  )

  test('finds a stated refusal that another account would have spared', async () => {
    const { says, ends } = watching()
    says('a', { isStated: true })
    expect(await ends(400)).toEqual(['served_elsewhere'])
  })

  test('finds an unknown refusal that was put to one account', async () => {
    const { says, ends } = watching()
    says('a')
    expect(await ends(400)).toEqual(['compared'])
  })

  test('takes a refusal that two accounts agreed on', async () => {
    const { says, ends } = watching()
    says('a')
    says('b')
    expect(await ends(400)).toEqual([])
  })

  test('takes one that speaks of policy', async () => {
    const { says, ends } = watching()
    says('a', { pieces: ['{"message":"usage policy"}'] })
    expect(await ends(400)).toEqual([])
  })

  test('finds a refusal that went to three accounts', async () => {
    const { says, ends } = watching()
    for (const name of ['a', 'b', 'c']) says(name)
    expect(await ends(400)).toEqual(['two_accounts'])
  })

  test('takes a pause of a minute after a rate limit, and no longer one', async () => {
    const cooling = (ms: number): Partial<ProfileView> => ({
      state: 'cooling',
      unusableReason: 'rate_limit',
      unusableUntil: new Date(START + ms),
    })
    const all = (ms: number) => ({ a: cooling(ms), b: cooling(ms), c: cooling(ms) })
    expect(await watching(all(MINUTE)).ends(429)).toEqual([])
    expect(await watching(all(3 * MINUTE)).ends(429)).toEqual(['served_elsewhere'])
  })

  test('finds an account that is set aside for more than ten minutes, in one go', async () => {
    const { watch } = watching({
      a: { state: 'disabled', unusableReason: 'auth', unusableUntil: new Date(START + 30 * MINUTE) },
    })
    for (let minute = 0; minute <= 10; minute += 1) await watch.look(minute * MINUTE)
    expect(watch.breaches).toEqual([])
    await watch.look(11 * MINUTE)
    expect(watch.breaches.map(({ rule }) => rule)).toEqual(['aside'])
  })

  test('finds a model that is set aside for more than an hour', async () => {
    const cooldown = (ms: number): Partial<ProfileView> => ({
      modelCooldowns: [
        { model: 'large', until: new Date(START + ms), reason: 'model_not_found', certainty: 'presumed' },
      ],
    })
    const { watch } = watching({ a: cooldown(60 * MINUTE), b: cooldown(61 * MINUTE) })
    await watch.look(0)
    expect(watch.breaches).toMatchObject([{ rule: 'model_aside', what: expect.stringMatching(/^b /) }])
  })
})
