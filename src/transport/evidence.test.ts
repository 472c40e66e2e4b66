import { describe, expect, test } from 'vitest'
import { type ForwardingLab, openForwarding } from '../../test/support/forwarding.js'
import { createMemoryStore, ok, type Reply } from '../entries/testing.js'

const MINUTE = 60_000
const HOUR = 3_600_000

function reply(status: number, body: object): Reply {
  return {
    answer: () => ({
      status,
      headers: { 'content-type': 'application/json' },
      pieces: [JSON.stringify(body)],
    }),
  }
}

/** Wording alone. */
const NOT_ALLOWED = reply(403, { message: 'You are not allowed to do this' })
const UNPAID = reply(402, { message: 'pay' })
/** A documented code. */
const BAD_KEY = reply(401, {
  error: { message: 'no', code: 'invalid_api_key', type: 'invalid_request_error' },
})
const DEACTIVATED = reply(403, { error: { message: 'no', code: 'account_deactivated' } })

/** How long the first account is set aside from now on, in milliseconds. */
async function aside(lab: ForwardingLab): Promise<number> {
  const { unusableUntil } = await lab.handle.profiles.view('openai:a')
  return (unusableUntil?.getTime() ?? lab.handle.clock.now().getTime()) - lab.handle.clock.now().getTime()
}

/** The windows of one failure after the other, each met when the last one has ended. */
async function windows(lab: ForwardingLab, count: number): Promise<number[]> {
  const found: number[] = []
  for (let turn = 0; turn < count; turn += 1) {
    await lab.forward()
    const ms = await aside(lab)
    found.push(ms)
    lab.handle.clock.advance(ms + 1)
  }
  return found
}

describe('a model that is presumed to be missing', () => {
  const NO_MODEL = reply(404, { message: 'no such model' })
  const GONE = reply(404, { error: { message: 'no', code: 'model_not_found' } })

  test('costs nobody his only account', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': [NO_MODEL, ok()] } })
    await lab.add('a')
    expect((await lab.forward()).status).toBe(404)
    const { modelCooldowns } = await lab.handle.profiles.view('openai:a')
    expect(modelCooldowns).toMatchObject([{ model: 'gpt-4o', reason: 'model_not_found' }])
    expect((await lab.forward()).status).toBe(200)
  })

  test('puts an account behind the others for ten minutes, and nobody is asked in its place for ever', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': NO_MODEL } })
    await lab.addAll('a', 'b')
    expect(await lab.forward()).toMatchObject({ profileId: 'openai:b', attempts: 2 })
    expect(await lab.forward()).toMatchObject({ profileId: 'openai:b', attempts: 1 })
    lab.handle.clock.advance(10 * MINUTE)
    await lab.handle.profiles.reportFailure('openai:b', 'rate_limit', { retryAfterMs: MINUTE })
    expect((await lab.forward()).attempts).toBe(1)
  })

  test('keeps it away where a code says it', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': [GONE, GONE, ok()] } })
    await lab.add('a')
    expect((await lab.forward()).status).toBe(404)
    // One request shows whether that still holds; the next ones do not.
    expect((await lab.forward()).status).toBe(404)
    expect((await lab.forward()).status).toBe(429)
    expect(lab.upstream.requests).toHaveLength(2)
  })

  test('is as in the vault after a restart', async () => {
    const shared = createMemoryStore()
    await using lab = await openForwarding({
      scripts: { 'key-a': [NO_MODEL, ok()] },
      store: shared.connect(),
    })
    await lab.add('a')
    await lab.forward()
    await lab.handle.profiles.flush()
    await using other = await openForwarding({ store: shared.connect() })
    expect((await other.forward()).status).toBe(200)
  })
})

describe('a presumption', () => {
  test('that a key is refused sets it aside for a minute, doubling to ten', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': NOT_ALLOWED } })
    await lab.addAll('a', 'b')
    expect(await windows(lab, 6)).toEqual([1, 2, 4, 8, 10, 10].map((minutes) => minutes * MINUTE))
    expect(await lab.handle.profiles.view('openai:a')).toMatchObject({ state: 'available' })
  })

  test('that an account is unpaid sets it aside for a minute, doubling to the first length of a disable', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': UNPAID } })
    await lab.addAll('a', 'b')
    const found = await windows(lab, 11)
    expect(found.slice(0, 4)).toEqual([1, 2, 4, 8].map((minutes) => minutes * MINUTE))
    expect(found.at(-1)).toBe(5 * HOUR)
  })

  test.each([
    ['refused', NOT_ALLOWED],
    ['unpaid', UNPAID],
  ])('costs nobody his only account: %s', async (_name, failure) => {
    await using lab = await openForwarding({ scripts: { 'key-a': [failure, ok()] } })
    await lab.add('a')
    expect(await lab.forward()).not.toMatchObject({ status: 200 })
    expect(await lab.handle.profiles.view('openai:a')).toMatchObject({ state: 'disabled' })
    expect(await lab.forward()).toMatchObject({ status: 200, profileId: 'openai:a' })
    expect(await lab.handle.profiles.view('openai:a')).toMatchObject({ state: 'available' })
  })

  test('keeps an account away while another one can serve', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': [NOT_ALLOWED, ok()] } })
    await lab.addAll('a', 'b')
    for (let count = 0; count < 3; count += 1) {
      expect(await lab.forward()).toMatchObject({ status: 200, profileId: 'openai:b' })
    }
    expect(lab.credentials().filter((key) => key === 'key-a')).toHaveLength(1)
    expect((await lab.handle.resolver.resolve('openai')).profile.id).toBe('openai:b')
  })

  test('yields to what is known for sure', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': [NOT_ALLOWED, DEACTIVATED] } })
    await lab.add('a')
    await lab.forward()
    expect(await aside(lab)).toBe(MINUTE)
    await lab.forward()
    expect(await aside(lab)).toBe(5 * HOUR)
    expect(await lab.forward()).toMatchObject({ kind: 'refused', status: 401, attempts: 1 })
  })

  test('that a model is not there sets it aside for ten minutes', async () => {
    await using lab = await openForwarding({
      scripts: { 'key-a': reply(404, { message: 'the model gpt-4o does not exist' }) },
    })
    await lab.addAll('a', 'b')
    await lab.forward()
    const { modelCooldowns } = await lab.handle.profiles.view('openai:a')
    expect((modelCooldowns[0]?.until.getTime() ?? 0) - lab.handle.clock.now().getTime()).toBe(10 * MINUTE)
  })

  test('is shared by the keys of an account, and none of them is lost', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': UNPAID, 'key-b': [UNPAID, ok()] } })
    await lab.add('a', { account: 'org', priority: 1 })
    await lab.add('b', { account: 'org' })
    await lab.forward()
    expect(await lab.handle.profiles.view('openai:b')).toMatchObject({ state: 'disabled' })
    expect(await lab.forward()).toMatchObject({ status: 200, profileId: 'openai:b' })
    expect(await lab.handle.profiles.view('openai:a')).toMatchObject({ state: 'disabled' })
  })
})

describe('what is stated', () => {
  test('a key that is refused rests for a minute, and the third time in a row for hours', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': BAD_KEY } })
    await lab.addAll('a', 'b')
    expect(await windows(lab, 3)).toEqual([MINUTE, MINUTE, 5 * HOUR])
  })

  test('a caller’s own word has its full effect', async () => {
    await using lab = await openForwarding()
    await lab.add('a')
    await lab.handle.profiles.markFailure('openai:a', 'auth_permanent')
    expect(await aside(lab)).toBe(5 * HOUR)
    expect(await lab.forward()).toMatchObject({ status: 200, attempts: 1 })
    await lab.handle.profiles.markFailure('openai:a', 'auth')
    expect(await lab.handle.profiles.view('openai:a')).toMatchObject({ state: 'available' })
  })
})
