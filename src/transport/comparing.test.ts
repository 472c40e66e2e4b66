import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { CHAT, type ForwardingLab, openForwarding, readBody } from '../../test/support/forwarding.js'
import type { ForwardRequest } from '../domain/forwarding.js'
import {
  createMemoryStore,
  ok,
  type Reply,
  rateLimited,
  reset,
  type Script,
  stall,
} from '../entries/testing.js'

const MINUTE = 60_000

function refusal(status: number, message: string, code: string | null = null): Reply {
  return {
    answer: ({ index }) => ({
      status,
      headers: { 'content-type': 'application/json' },
      pieces: [
        JSON.stringify({
          error: { message: message.replace('@', `req_${index}f`), type: 'invalid_request_error', code },
        }),
      ],
    }),
  }
}

const NOT_FOR_YOU = refusal(400, 'Model not available for your organisation (@)')

/** A request of another conversation. */
function saying(text: string): Partial<ForwardRequest> {
  const messages = [{ role: 'user', content: text }]
  return { body: { bytes: Buffer.from(JSON.stringify({ ...CHAT, messages })) } }
}

async function labWith(scripts: Record<string, Script>): Promise<ForwardingLab> {
  const lab = await openForwarding({ scripts })
  await lab.addAll('a', 'b', 'c')
  return lab
}

describe('a refusal of which nothing is known', () => {
  test('is tried on one other account, and served there', async () => {
    await using lab = await labWith({ 'key-a': NOT_FOR_YOU })
    const answer = await lab.forward()
    expect(answer).toMatchObject({ status: 200, profileId: 'openai:b', attempts: 2 })
    expect(answer.failures).toEqual([{ profileId: 'openai:a', reason: 'format', status: 400 }])
  })

  test.each([400, 403, 404, 413, 422])('with the status %i is one', async (status) => {
    await using lab = await labWith({ 'key-a': refusal(status, 'Unsupported combination of options.') })
    const answer = await lab.forward()
    // A 403 says something of the key, and is tried on every account.
    expect(answer.status).toBe(200)
    expect(lab.credentials()).toEqual(['key-a', 'key-b'])
  })

  test('goes to the caller when another account says the same', async () => {
    await using lab = await labWith({ 'key-a': NOT_FOR_YOU, 'key-b': NOT_FOR_YOU })
    const answer = await lab.forward()
    expect(answer).toMatchObject({ status: 400, profileId: 'openai:a', attempts: 2 })
    expect((await readBody(answer)).toString()).toContain('req_1f')
    expect(lab.credentials()).toEqual(['key-a', 'key-b'])
  })

  test('that two accounts agreed on is put to one of them for ten minutes', async () => {
    await using lab = await labWith({ 'key-a': NOT_FOR_YOU, 'key-b': NOT_FOR_YOU })
    await lab.forward()
    expect((await lab.forward()).attempts).toBe(1)
    expect((await lab.forward(saying('something else'))).attempts).toBe(1)
    lab.handle.clock.advance(10 * MINUTE)
    expect((await lab.forward()).attempts).toBe(2)
  })

  test('is put to two accounts again after a success of the model', async () => {
    const scripts = { 'key-a': [NOT_FOR_YOU, NOT_FOR_YOU, ok(), NOT_FOR_YOU], 'key-b': NOT_FOR_YOU }
    await using lab = await labWith(scripts)
    await lab.forward()
    expect((await lab.forward()).attempts).toBe(1)
    const served = await lab.forward()
    await readBody(served)
    expect(served.status).toBe(200)
    expect((await lab.forward()).attempts).toBe(2)
  })

  test('is put to two accounts again after a reset', async () => {
    await using lab = await labWith({ 'key-a': NOT_FOR_YOU, 'key-b': NOT_FOR_YOU })
    await lab.forward()
    lab.handle.clock.advance(2_000)
    await lab.handle.profiles.reset('openai:c')
    expect((await lab.forward()).attempts).toBe(2)
  })

  test('that is remembered is known to other processes', async () => {
    const shared = createMemoryStore()
    const scripts = { 'key-a': NOT_FOR_YOU, 'key-b': NOT_FOR_YOU }
    await using lab = await openForwarding({ scripts, store: shared.connect() })
    await lab.addAll('a', 'b')
    await lab.forward()
    await lab.handle.profiles.flush()
    await using other = await openForwarding({ scripts, store: shared.connect() })
    // The accounts' base URL is the first upstream.
    expect((await other.forward()).attempts).toBe(1)
  })

  test('of another model, path or wording is another one', async () => {
    const other = refusal(400, 'Nothing to be done about it')
    await using lab = await labWith({
      'key-a': [NOT_FOR_YOU, NOT_FOR_YOU, other],
      'key-b': [NOT_FOR_YOU, NOT_FOR_YOU, other],
    })
    await lab.forward()
    const body = { bytes: Buffer.from(JSON.stringify({ ...CHAT, model: 'o3' })) }
    expect((await lab.forward({ body })).attempts).toBe(2)
    expect((await lab.forward()).attempts).toBe(2)
  })

  test.each([
    ['a rate limit', rateLimited({ retryAfterMs: 5_000 }), 'cooling'],
    ['a broken connection', reset(), 'available'],
  ])('goes to the caller when another account meets %s, which has its own effect', async (_what, script) => {
    await using lab = await labWith({ 'key-a': NOT_FOR_YOU, 'key-b': script })
    const answer = await lab.forward()
    expect(answer).toMatchObject({ status: 400, profileId: 'openai:a' })
    expect(lab.credentials()).not.toContain('key-c')
    expect((await lab.handle.profiles.view('openai:b')).errorCount).toBe(1)
    // Nothing is remembered of the refusal.
    expect((await lab.forward()).attempts).toBeGreaterThan(1)
  })

  test('is compared with no profile of the same account, another pool, or one that is set aside', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': NOT_FOR_YOU } })
    await lab.add('a', { priority: 3, account: 'acme', pool: 'work' })
    await lab.add('b', { priority: 2, account: 'acme', pool: 'work' })
    await lab.add('c', { priority: 1, account: 'else', pool: 'home' })
    await lab.add('d', { account: 'else', pool: 'work' })
    await lab.handle.profiles.reportFailure('openai:d', 'rate_limit', { retryAfterMs: MINUTE })
    expect(await lab.forward()).toMatchObject({ status: 400, attempts: 1 })
    lab.handle.clock.advance(MINUTE)
    expect(await lab.forward()).toMatchObject({ status: 200, profileId: 'openai:d', attempts: 2 })
  })

  test('is no occasion for a half-open trial', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': NOT_FOR_YOU } })
    await lab.addAll('a', 'b')
    await lab.handle.profiles.reportFailure('openai:b', 'billing')
    expect(await lab.forward()).toMatchObject({ status: 400, attempts: 1 })
    expect(lab.credentials()).toEqual(['key-a'])
  })

  test('sets nobody aside, and nothing is noted before the comparison has ended', async () => {
    let noted = -1
    await using lab = await openForwarding({
      scripts: {
        'key-a': NOT_FOR_YOU,
        'key-b': async () => {
          noted = (await lab.handle.profiles.view('openai:a')).errorCount
          return ok()
        },
      },
    })
    await lab.addAll('a', 'b')
    await lab.forward()
    expect(noted).toBe(0)
    expect(await lab.handle.profiles.view('openai:a')).toMatchObject({ errorCount: 1, state: 'available' })
  })

  test('leaves a caller who hangs up meanwhile alone', async () => {
    const leaving = new AbortController()
    await using lab = await openForwarding({
      scripts: {
        'key-a': NOT_FOR_YOU,
        'key-b': () => {
          leaving.abort(new Error('gone'))
          return new Promise<Reply>(() => undefined)
        },
      },
    })
    await lab.addAll('a', 'b')
    await expect(lab.forward({ signal: leaving.signal })).rejects.toThrow('gone')
    expect((await lab.handle.profiles.view('openai:a')).errorCount).toBe(0)
  })
})

describe('at once to the caller goes', () => {
  test.each([
    ['content that a policy forbids', refusal(400, 'Your request was flagged by our usage policy.')],
    ['a safety stop', refusal(400, 'rejected as a result of our safety system')],
    ['moderation', refusal(403, 'This prompt was stopped by moderation')],
    ['sensitive content', refusal(422, 'sensitive words detected')],
    ['the same in Chinese', refusal(400, '输入内容未通过安全审核')],
    ['a code that names it', refusal(400, 'Invalid', 'content_policy_violation')],
    ['a documented code', refusal(400, 'Unknown parameter', 'unknown_parameter')],
    ['a request that is too long', refusal(400, "This model's maximum context length is 10 tokens")],
  ])('%s', async (_what, script) => {
    await using lab = await labWith({ 'key-a': script })
    const answer = await lab.forward()
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(lab.credentials()).toEqual(['key-a'])
  })

  test.each(['gzip', 'br-is-not'])('what speaks of policy under a coding (%s)', async (coding) => {
    const text = JSON.stringify({ error: { message: 'content policy' } })
    const script: Reply = {
      answer: () => ({
        status: 400,
        headers: { 'content-type': 'application/json', 'content-encoding': coding },
        pieces: [coding === 'gzip' ? gzipSync(text) : Buffer.from(text)],
      }),
    }
    await using lab = await labWith({ 'key-a': script })
    expect((await lab.forward()).status).toBe(400)
    expect(lab.credentials()).toEqual(['key-a'])
  })

  test('Chinese that is written in escapes', async () => {
    const script: Reply = {
      answer: () => ({
        status: 400,
        headers: { 'content-type': 'application/json' },
        pieces: ['{"error":{"message":"\\u654f\\u611f"}}'],
      }),
    }
    await using lab = await labWith({ 'key-a': script })
    expect((await lab.forward()).status).toBe(400)
    expect(lab.credentials()).toEqual(['key-a'])
  })

  test('what is refused on other paths', async () => {
    await using lab = await labWith({ 'key-a': NOT_FOR_YOU })
    for (const path of ['/files', '/responses/resp_1/cancel', '/images/generations']) {
      expect((await lab.forward({ path })).attempts).toBe(1)
    }
  })

  test('what cannot be sent again', async () => {
    await using lab = await labWith({ 'key-a': NOT_FOR_YOU })
    const rest = (async function* () {
      yield Buffer.from('}')
    })()
    const text = JSON.stringify(CHAT)
    const body = { bytes: Buffer.from(text.slice(0, -1)), rest }
    expect(await lab.forward({ body })).toMatchObject({ status: 400, attempts: 1 })
  })
})

describe('an account that is passed over without being asked', () => {
  test('for its room does not say which pool a request stays in', async () => {
    await using lab = await openForwarding({ scripts: { 'key-b': stall() } })
    await lab.add('a', { priority: 1, pool: 'work' })
    await lab.add('b', { priority: 3, pool: 'home', concurrency: 1 })
    await lab.add('c', { priority: 2, pool: 'home' })
    const leaving = new AbortController()
    const busy = lab.forward({ signal: leaving.signal })
    await lab.upstream.received(1)
    const stages = [{ provider: 'openai', profile: 'a' }]
    expect(await lab.forward({ stages })).toMatchObject({ status: 200, profileId: 'openai:a' })
    leaving.abort(new Error('gone'))
    await expect(busy).rejects.toThrow('gone')
  })

  test('for what it refused does not either', async () => {
    await using lab = await openForwarding({ scripts: { 'key-b': NOT_FOR_YOU } })
    await lab.add('a', { priority: 1, pool: 'work' })
    await lab.add('b', { priority: 3, pool: 'home' })
    await lab.add('c', { priority: 2, pool: 'home' })
    await readBody(await lab.forward())
    const stages = [{ provider: 'openai', profile: 'a' }]
    expect(await lab.forward({ stages })).toMatchObject({ status: 200, profileId: 'openai:a' })
  })
})

describe('an account that refuses what others serve', () => {
  test('goes last in that conversation', async () => {
    await using lab = await labWith({ 'key-a': NOT_FOR_YOU })
    await readBody(await lab.forward())
    expect(await lab.forward()).toMatchObject({ status: 200, profileId: 'openai:b', attempts: 1 })
    expect(await lab.forward(saying('another matter'))).toMatchObject({ profileId: 'openai:b', attempts: 2 })
  })

  test('is still asked where nobody else can serve', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': [NOT_FOR_YOU, ok()] } })
    await lab.addAll('a', 'b')
    await readBody(await lab.forward())
    await lab.handle.profiles.reportFailure('openai:b', 'rate_limit', { retryAfterMs: MINUTE })
    expect(await lab.forward()).toMatchObject({ status: 200, profileId: 'openai:a' })
  })

  test('goes behind others for the model after three conversations, for a minute that doubles', async () => {
    await using lab = await labWith({ 'key-a': NOT_FOR_YOU })
    for (const text of ['one', 'two', 'two', 'three']) await readBody(await lab.forward(saying(text)))
    const { behind } = await lab.handle.profiles.view('openai:a')
    expect(behind).toEqual([{ model: 'gpt-4o', until: new Date(lab.handle.clock.now().getTime() + MINUTE) }])
    expect(await lab.forward(saying('four'))).toMatchObject({ profileId: 'openai:b', attempts: 1 })
    lab.handle.clock.advance(MINUTE)
    expect(await lab.forward(saying('five'))).toMatchObject({ profileId: 'openai:b', attempts: 2 })
    const again = await lab.handle.profiles.view('openai:a')
    expect(again.behind?.[0]?.until.getTime()).toBe(lab.handle.clock.now().getTime() + 2 * MINUTE)
  })

  test('and then serves that model is in its place again', async () => {
    await using lab = await labWith({ 'key-a': [NOT_FOR_YOU, NOT_FOR_YOU, ok(), NOT_FOR_YOU] })
    for (const text of ['one', 'two', 'three', 'four']) await readBody(await lab.forward(saying(text)))
    expect((await lab.handle.profiles.view('openai:a')).behind).toBeUndefined()
  })
})
