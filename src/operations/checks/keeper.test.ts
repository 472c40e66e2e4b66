import { afterEach, describe, expect, test } from 'vitest'
import { openTestHandle, type TestHandle } from '../../../test/support/handle.js'
import { type Answer, type CheckSent, keepHealthy, type TestHealth } from '../../../test/support/health.js'
import type { ProviderMetadata } from '../../domain/provider.js'
import { defaultRegistry } from '../../providers/registry.js'
import { createMemoryStore, type MemoryStore } from '../../storage/memory/index.js'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const KEY = 'sk-proj-realKey0123456789'

const json = (status: number, body: unknown): Response => Response.json(body, { status })
const GOOD = (): Response => json(200, { object: 'list', data: [] })
const INVALID = (): Response =>
  json(401, { error: { message: 'Incorrect API key provided', type: 'x', code: 'invalid_api_key' } })
const SCOPES = (): Response => json(401, { error: { message: 'Missing scopes: api.model.read', type: 'x' } })

/** An endpoint that knows these keys, and refuses all others. */
const knowing = (answers: Readonly<Record<string, () => Response | Promise<Response>>>): Answer => {
  return ({ key }) => (answers[key] ?? INVALID)()
}

const open: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop()
})

function keep(
  handle: TestHandle,
  answer: Answer,
  options: Parameters<typeof keepHealthy>[2] = {},
): TestHealth {
  const health = keepHealthy(handle, answer, options)
  open.push(health)
  return health
}

async function withKeys(keys: Readonly<Record<string, string>>, store?: MemoryStore): Promise<TestHandle> {
  const handle = await openTestHandle(store === undefined ? {} : { store: store.connect() })
  for (const [id, secret] of Object.entries(keys)) {
    const [provider = '', name = ''] = id.split(':')
    await handle.profiles.add({ provider, name, secret })
  }
  return handle
}

const suspected = (handle: TestHandle, id: string, model?: string): Promise<void> =>
  handle.profiles.markFailure(id, 'auth_permanent', {
    certainty: 'presumed',
    told: { by: 'words', status: 403 },
    model,
  })

const real = ({ sent }: TestHealth): CheckSent[] => sent.filter(({ key }) => key === KEY)
const stateOf = async (handle: TestHandle, id: string): Promise<string> =>
  (await handle.profiles.view(id)).state

describe('a presumption', () => {
  test('is put to the check within a second, after the endpoint has refused a made-up key', async () => {
    const handle = await withKeys({ 'openai:a': KEY })
    const health = keep(handle, knowing({ [KEY]: GOOD }))
    await suspected(handle, 'openai:a', 'gpt-4o')
    await health.pass(SECOND)
    expect(health.sent.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET https://api.openai.com/v1/models',
      'GET https://api.openai.com/v1/models',
    ])
    expect(health.sent[0]?.key).toMatch(/^sk-proj-[a-z0-9A-Z]{17}$/)
    expect(health.sent[1]?.key).toBe(KEY)
    expect(await handle.profiles.view('openai:a')).toMatchObject({
      state: 'available',
      modelCooldowns: [{ model: 'gpt-4o', reason: 'model_not_found', certainty: 'presumed' }],
    })
    expect(health.events).toEqual([{ profileId: 'openai:a', provider: 'openai', outcome: 'lifted' }])
    expect(JSON.stringify(health.log)).not.toContain(health.sent[0]?.key)
    expect(JSON.stringify(health.log)).not.toContain(KEY)
  })

  test('is confirmed by a stated code alone', async () => {
    const handle = await withKeys({ 'openai:a': KEY })
    const health = keep(handle, knowing({ [KEY]: INVALID }))
    await suspected(handle, 'openai:a')
    expect(await handle.profiles.view('openai:a')).toMatchObject({
      certainty: 'presumed',
      told: { by: 'words', status: 403 },
    })
    await health.pass(SECOND)
    const view = await handle.profiles.view('openai:a')
    expect(view).toMatchObject({ state: 'disabled', certainty: 'confirmed', checkedBy: 'GET /models' })
    expect(Number(view.unusableUntil) - Number(handle.clock.now())).toBeGreaterThan(4 * HOUR)
    expect(health.events).toMatchObject([{ outcome: 'confirmed' }])
  })

  test.each([
    ['missing scopes', SCOPES],
    ['a 403', () => json(403, { error: { message: 'no' } })],
    ['a 404', () => json(404, { error: { message: 'no' } })],
    ['a 429', () => json(429, { error: { message: 'slow down' } })],
    ['a page', () => new Response('<html></html>', { headers: { 'content-type': 'text/html' } })],
    ['an error in a 200', () => json(200, { error: { message: 'invalid', code: 'invalid_api_key' } })],
    ['an empty body', () => new Response('')],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: 'https://evil.test/' } })],
    ['a broken connection', () => Promise.reject(new TypeError('fetch failed'))],
  ])('stays as short as it is where the check answers with %s', async (_what, answer) => {
    const handle = await withKeys({ 'openai:a': KEY })
    const health = keep(handle, knowing({ [KEY]: answer }))
    await suspected(handle, 'openai:a')
    const before = await handle.profiles.view('openai:a')
    await health.pass(2 * SECOND)
    const view = await handle.profiles.view('openai:a')
    expect(view).toMatchObject({
      state: 'disabled',
      unusableUntil: before.unusableUntil,
      certainty: 'presumed',
    })
    // It is back before the next check could be made.
    expect(view).not.toHaveProperty('nextCheckAt')
    expect(health.events).toMatchObject([{ outcome: 'unasked' }])
    await health.pass(58 * SECOND)
    expect(await stateOf(handle, 'openai:a')).toBe('available')
  })

  test('is asked about once a minute, and says when it is again', async () => {
    const handle = await withKeys({ 'openai:a': KEY })
    const health = keep(handle, knowing({ [KEY]: SCOPES }))
    await suspected(handle, 'openai:a')
    await health.pass(MINUTE)
    await suspected(handle, 'openai:a')
    await health.pass(2 * MINUTE)
    await suspected(handle, 'openai:a')
    const asked = real(health).length
    await health.pass(3 * MINUTE)
    expect(real(health).length - asked).toBe(3)
    const { nextCheckAt } = await handle.profiles.view('openai:a')
    expect(Number(nextCheckAt) - Number(handle.clock.now())).toBeLessThanOrEqual(MINUTE)
  })

  test('a hanging endpoint is given up after 10 s, and leaves room for other providers', async () => {
    const keys = Object.fromEntries(Array.from({ length: 6 }, (_, n) => [`openai:k${n}`, `${KEY}${n}`]))
    const handle = await withKeys({ ...keys, 'groq:a': 'gsk_real' })
    let hanging = 0
    const health = keep(handle, ({ url, key }, signal) => {
      if (url.includes('groq')) return key === 'gsk_real' ? GOOD() : INVALID()
      if (!key.startsWith(KEY)) return INVALID()
      hanging += 1
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          hanging -= 1
          reject(signal.reason as Error)
        })
      })
    })
    for (const id of Object.keys(keys)) await suspected(handle, id)
    await suspected(handle, 'groq:a')
    await health.pass(3 * SECOND)
    expect(hanging).toBeLessThanOrEqual(2)
    expect(await stateOf(handle, 'groq:a')).toBe('available')
    await health.stop()
    expect(hanging).toBe(0)
  })
})

describe('a relay that answers anybody', () => {
  test('never confirms nor disproves, and is asked with a made-up key once a day', async () => {
    const handle = await withKeys({ 'openai:a': KEY })
    const health = keep(handle, GOOD)
    for (let hour = 0; hour < 3; hour += 1) {
      await suspected(handle, 'openai:a')
      await health.pass(2 * MINUTE)
      handle.clock.advance(HOUR)
    }
    expect(real(health)).toEqual([])
    expect(health.sent).toHaveLength(1)
    expect(health.events).toMatchObject([{ outcome: 'uncounted' }])
    handle.clock.advance(22 * HOUR)
    await suspected(handle, 'openai:a')
    await health.pass(2 * SECOND)
    expect(health.sent).toHaveLength(2)
    expect(real(health)).toEqual([])
  })

  test('is told by its base URL: another one of the same provider counts', async () => {
    const handle = await withKeys({ 'openai:a': KEY })
    await handle.profiles.add({
      provider: 'openai',
      name: 'relayed',
      secret: 'sk-relayed',
      baseUrl: 'https://relay.example/v1',
    })
    const health = keep(handle, ({ url, key }) => (url.includes('relay') || key === KEY ? GOOD() : INVALID()))
    for (const id of ['openai:a', 'openai:relayed']) await suspected(handle, id)
    await health.pass(5 * SECOND)
    expect(await stateOf(handle, 'openai:a')).toBe('available')
    expect(await stateOf(handle, 'openai:relayed')).toBe('disabled')
  })

  test('an endpoint that did not answer the question is asked again after an hour', async () => {
    const handle = await withKeys({ 'openai:a': KEY })
    const health = keep(handle, () => json(503, { error: { message: 'busy' } }))
    await suspected(handle, 'openai:a')
    await health.pass(5 * SECOND)
    expect(health.sent).toHaveLength(1)
    handle.clock.advance(HOUR)
    await suspected(handle, 'openai:a')
    await health.pass(5 * SECOND)
    expect(health.sent).toHaveLength(2)
  })
})

describe('processes on one vault', () => {
  test('make one check a minute among them, and one proof', async () => {
    const store = createMemoryStore()
    const one = await withKeys({ 'openai:a': KEY }, store)
    const two = await openTestHandle({ store: store.connect(), clock: one.clock })
    const [first, second] = [one, two].map((handle) => keep(handle, knowing({ [KEY]: SCOPES })))
    if (first === undefined || second === undefined) throw new Error('unreachable')
    await suspected(one, 'openai:a')
    await first.pass(5 * SECOND)
    expect(first.sent.length + second.sent.length).toBe(2)
    await first.pass(55 * SECOND)
    await suspected(two, 'openai:a')
    await first.pass(MINUTE)
    await first.pass(MINUTE)
    expect(real(first).length + real(second).length).toBe(3)
  })

  test('take over from one that was killed while it asked, a minute later', async () => {
    const store = createMemoryStore()
    const one = await withKeys({ 'openai:a': KEY }, store)
    const two = await openTestHandle({ store: store.connect(), clock: one.clock })
    await one.profiles.markFailure('openai:a', 'auth_permanent', { certainty: 'presumed' })
    one.clock.advance(MINUTE)
    await one.profiles.markFailure('openai:a', 'auth_permanent', { certainty: 'presumed' })
    const claim = await one.profiles.native.checks.claim('openai:a', () => ({ tellsCredit: false }))
    expect(claim).toBeDefined()
    const health = keep(two, knowing({ [KEY]: GOOD }))
    await health.pass(58 * SECOND)
    expect(real(health)).toEqual([])
    await health.pass(3 * SECOND)
    expect(real(health)).toHaveLength(1)
    expect(await stateOf(one, 'openai:a')).toBe('available')
  })
})

describe('a disable that is certain', () => {
  const disabled = (
    handle: TestHandle,
    reason: 'auth_permanent' | 'billing' = 'auth_permanent',
  ): Promise<void> => handle.profiles.markFailure('openai:a', reason, { certainty: 'stated' })

  test('is looked at after half an hour and a little, and lifted by a good answer', async () => {
    const handle = await withKeys({ 'openai:a': KEY })
    const health = keep(handle, knowing({ [KEY]: GOOD }), { random: () => 0.5 })
    await disabled(handle)
    await health.pass(30 * MINUTE + 80 * SECOND)
    expect(health.sent).toEqual([])
    await health.pass(20 * SECOND)
    expect(real(health)).toHaveLength(1)
    expect(await stateOf(handle, 'openai:a')).toBe('available')
  })

  test('stays with a refusal, which says so, and is looked at again half an hour later', async () => {
    const handle = await withKeys({ 'openai:a': KEY })
    const health = keep(handle, knowing({ [KEY]: INVALID }))
    await disabled(handle)
    const before = await handle.profiles.view('openai:a')
    await health.pass(31 * MINUTE)
    expect(await handle.profiles.view('openai:a')).toMatchObject({
      certainty: 'confirmed',
      unusableUntil: before.unusableUntil,
    })
    await health.pass(20 * MINUTE)
    expect(real(health)).toHaveLength(1)
    await health.pass(12 * MINUTE)
    expect(real(health)).toHaveLength(2)
  })

  test('for money is not asked about, unless the check tells of it', async () => {
    const handle = await withKeys({ 'openai:a': KEY })
    const health = keep(handle, knowing({ [KEY]: GOOD }))
    await disabled(handle, 'billing')
    await health.pass(35 * MINUTE)
    expect(health.sent).toEqual([])
    await health.stop()

    const telling: ProviderMetadata = {
      ...(defaultRegistry.get('openai') as ProviderMetadata),
      check: { method: 'GET', path: '/balance', tells: 'credit' },
    }
    let available = false
    const second = keep(handle, knowing({ [KEY]: () => json(200, { is_available: available }) }), {
      provider: () => telling,
    })
    await second.pass(3 * SECOND)
    expect(await stateOf(handle, 'openai:a')).toBe('disabled')
    available = true
    await second.pass(31 * MINUTE)
    expect(await stateOf(handle, 'openai:a')).toBe('available')
  })

  test('of an account is lifted for all of its profiles', async () => {
    const handle = await openTestHandle()
    for (const name of ['a', 'b']) {
      await handle.profiles.add({ provider: 'openai', name, secret: KEY, account: 'org' })
    }
    const telling: ProviderMetadata = {
      ...(defaultRegistry.get('openai') as ProviderMetadata),
      check: { method: 'GET', path: '/balance', tells: 'credit' },
    }
    await disabled(handle, 'billing')
    const health = keep(handle, knowing({ [KEY]: () => json(200, { is_available: true }) }), {
      provider: () => telling,
    })
    await health.pass(35 * MINUTE)
    expect([await stateOf(handle, 'openai:a'), await stateOf(handle, 'openai:b')]).toEqual([
      'available',
      'available',
    ])
  })
})

test('a profile that a program came back from is asked about, and set aside if it is refused', async () => {
  const handle = await withKeys({ 'openai:a': KEY, 'openai:b': 'sk-good' })
  const health = keep(handle, knowing({ [KEY]: INVALID, 'sk-good': GOOD }))
  for (const id of ['openai:a', 'openai:b', 'openai:gone']) await handle.profiles.native.checks.want(id)
  await health.pass(5 * SECOND)
  expect(await stateOf(handle, 'openai:a')).toBe('disabled')
  expect(await stateOf(handle, 'openai:b')).toBe('available')
  expect(health.events.map(({ outcome }) => outcome).sort()).toEqual(['confirmed', 'kept'])
  await health.pass(10 * SECOND)
  expect(health.sent).toHaveLength(3)
})

describe('nothing is asked', () => {
  test.each([
    ['where health is off', 'openai:a', false],
    ['where it is off for the provider', 'openai:a', { openai: false }],
    ['where it is off for the profile', 'openai:a', { openai: true, 'openai:a': false }],
    ['where the provider has no check', 'minimax:a', true],
  ] as const)('%s', async (_why, id, health) => {
    const handle = await withKeys({ [id]: KEY })
    const kept = keep(handle, GOOD, { health })
    await suspected(handle, id)
    await kept.pass(5 * SECOND)
    expect(kept.sent).toEqual([])
  })

  test('of a profile that its owner switched off', async () => {
    const handle = await withKeys({ 'openai:a': KEY })
    await suspected(handle, 'openai:a')
    await handle.profiles.update('openai:a', { enabled: false })
    const health = keep(handle, GOOD)
    await health.pass(5 * SECOND)
    expect(health.sent).toEqual([])
  })

  test('where the owner of a custom provider says so', async () => {
    const provider = { ...(defaultRegistry.get('openai') as ProviderMetadata), health: false }
    const handle = await withKeys({ 'openai:a': KEY })
    await suspected(handle, 'openai:a')
    const health = keep(handle, GOOD, { provider: () => provider })
    await health.pass(5 * SECOND)
    expect(health.sent).toEqual([])
  })
})

test('an answer that comes after a reset or with an older credential has no effect', async () => {
  const handle = await withKeys({ 'openai:a': KEY })
  let answer: (response: Response) => void = () => {}
  const health = keep(handle, ({ key }) =>
    key === KEY ? new Promise<Response>((resolve) => (answer = resolve)) : INVALID(),
  )
  await suspected(handle, 'openai:a')
  await health.pass(2 * SECOND)
  await handle.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-new' }, { replace: true })
  answer(INVALID())
  await health.pass(SECOND)
  expect(await stateOf(handle, 'openai:a')).toBe('available')
})

test('a login is renewed the usual way, one time, and asked about with the new token', async () => {
  let refreshed = 0
  const clockStart = Date.parse('2026-01-01T00:00:00Z')
  const handle = await openTestHandle({
    refresher: {
      async refreshToken(provider) {
        refreshed += 1
        return {
          provider,
          accessToken: 'fresh-token',
          refreshToken: 'r2',
          expiresAt: new Date(clockStart + 10 * HOUR),
        }
      },
    },
  })
  await handle.profiles.add({
    provider: 'anthropic',
    name: 'me',
    mode: 'oauth',
    oauth: { accessToken: 'old-token', refreshToken: 'r1', expiresAt: new Date(clockStart + HOUR) },
  })
  await handle.profiles.markFailure('anthropic:me', 'auth_permanent', { certainty: 'stated' })
  handle.clock.advance(2 * HOUR)
  const health = keep(handle, ({ key }) => (key === 'fresh-token' ? GOOD() : INVALID()))
  await health.pass(5 * SECOND)
  expect(refreshed).toBe(1)
  expect(health.sent.map(({ key }) => key)).not.toContain('old-token')
  expect(await stateOf(handle, 'anthropic:me')).toBe('available')
})

test('a token that is refused does not confirm that its login is gone, a deactivated account does', async () => {
  const handle = await openTestHandle({
    refresher: { refreshToken: async () => Promise.reject(new Error('not due')) },
  })
  const expiresAt = new Date(handle.clock.now().getTime() + 10 * HOUR)
  await handle.profiles.add({
    provider: 'anthropic',
    name: 'me',
    mode: 'oauth',
    oauth: { accessToken: 'a-token', refreshToken: 'r1', expiresAt },
  })
  let answer = INVALID
  const health = keep(handle, ({ key }) => (key === 'a-token' ? answer() : INVALID()))
  await suspected(handle, 'anthropic:me')
  await health.pass(2 * SECOND)
  expect(await handle.profiles.view('anthropic:me')).toMatchObject({ certainty: 'presumed' })
  answer = () => json(401, { error: { message: 'deactivated', type: 'x', code: 'account_deactivated' } })
  await health.pass(MINUTE)
  await suspected(handle, 'anthropic:me')
  await health.pass(5 * SECOND)
  expect(await handle.profiles.view('anthropic:me')).toMatchObject({ certainty: 'confirmed' })
})

test('a vault that cannot be read is told of once a minute, and no timer outlives the end', async () => {
  const handle = await withKeys({ 'openai:a': KEY })
  const health = keep(handle, GOOD)
  const { checks } = handle.profiles.native
  checks.targets = async () => Promise.reject(new Error('gone'))
  await health.pass(90 * SECOND)
  const failures = health.log.filter(([message]) => message === 'health.failed')
  expect(failures).toEqual([
    ['health.failed', { code: 'unknown', times: 1 }],
    ['health.failed', expect.objectContaining({ times: expect.any(Number) })],
  ])
  await health.stop()
})
