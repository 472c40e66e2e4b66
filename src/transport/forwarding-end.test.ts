import { describe, expect, test } from 'vitest'
import {
  type ForwardingLab,
  openForwarding,
  readBody,
  STREAMED,
  SteppedTimers,
} from '../../test/support/forwarding.js'
import { STREAMED_DIALECTS } from '../../test/support/streams.js'
import type { ProfileView } from '../domain/profiles.js'
import { ok, type Reply, reply, stall, truncated } from '../entries/testing.js'
import { successStream } from '../testing/upstream/success.js'

const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ object: 'chat.completion.chunk', choices: [{ delta, finish_reason: finish }] })}\n\n`
const CONTENT = chunk({ role: 'assistant', content: 'Hello' })
const DONE = 'data: [DONE]\n\n'
const EVENTS = { 'content-type': 'text/event-stream' }

const first = (lab: ForwardingLab): Promise<ProfileView> => lab.handle.profiles.view('openai:a')

/** A stream of unknown length. */
function events(text: string): Reply {
  return { answer: () => ({ status: 200, headers: EVENTS, pieces: [text] }) }
}

/** An answer in two pieces, the second of which comes when it may. */
function twoPieces(beginning: string, rest: string, when: Promise<unknown>): Reply {
  return stall(when, { in: events(beginning + rest), afterBytes: Buffer.byteLength(beginning) })
}

describe('what nobody has seen yet', () => {
  test.each([
    ['breaks off', truncated({ in: reply(200, JSON.stringify({ text: 'x'.repeat(999) })) })],
    ['ends after its role', reply(200, chunk({ role: 'assistant', content: '' }), EVENTS)],
    [
      'has an error after its content',
      reply(200, `${CONTENT}data: {"error":{"message":"Overloaded","type":"overloaded_error"}}\n\n`, EVENTS),
    ],
  ])('fails over without a word: it %s', async (_what, script) => {
    await using lab = await openForwarding({ scripts: { 'key-a': script } })
    await lab.addAll('a', 'b')
    const answer = await lab.forward(STREAMED)
    expect(answer).toMatchObject({ status: 200, profileId: 'openai:b' })
    expect((await readBody(answer)).toString()).toContain('[DONE]')
    expect(await first(lab)).toMatchObject({ errorCount: 1, lastGood: false })
    expect(await first(lab)).not.toHaveProperty('behind')
  })

  test('lacks its end, where others had theirs', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': [ok(), reply(200, CONTENT, EVENTS)] } })
    await lab.addAll('a', 'b')
    await readBody(await lab.forward(STREAMED))
    expect(await lab.forward(STREAMED)).toMatchObject({ profileId: 'openai:b' })
  })
})

describe('the verdict on an answer', () => {
  test('comes with its end', async () => {
    let open = (): void => {}
    const when = new Promise<void>((resolve) => {
      open = resolve
    })
    await using lab = await openForwarding({ script: twoPieces(CONTENT, DONE, when) })
    await lab.add('a')
    const answer = await lab.forward(STREAMED)
    expect((await first(lab)).lastGood).toBe(false)
    const body = readBody(answer)
    open()
    expect((await body).toString()).toBe(CONTENT + DONE)
    expect((await first(lab)).lastGood).toBe(true)
  })

  test('is there before its reader hears of the end, and adds to no run', async () => {
    let open = (): void => {}
    await using lab = await openForwarding({
      scripts: {
        'key-a': [
          ok(),
          () =>
            twoPieces(
              CONTENT,
              '',
              new Promise<void>((resolve) => {
                open = resolve
              }),
            ),
        ],
      },
    })
    await lab.addAll('a', 'b')
    await readBody(await lab.forward(STREAMED))
    const answer = await lab.forward(STREAMED)
    const again = new Promise<string | undefined>((resolve) => {
      answer.body.pipe({
        data: () => true,
        end: () => void lab.forward(STREAMED).then(({ profileId }) => resolve(profileId)),
        fail: () => resolve('it broke'),
      })
    })
    open()
    expect(await again).toBe('openai:b')
    expect(answer.failures).toEqual([{ profileId: 'openai:a', reason: 'server_error' }])
    expect((await lab.handle.profiles.stats('openai:a')).runs).toEqual({})
    expect(lab.logged.join('\n')).toContain('an answer broke off')
  })

  test('of one whose caller left before any content is none', async () => {
    await using lab = await openForwarding({
      script: stall('forever', { in: reply(200, CONTENT, EVENTS), afterBytes: 0 }),
    })
    await lab.add('a')
    const leave = new AbortController()
    const pending = lab.forward({ ...STREAMED, signal: leave.signal })
    await lab.upstream.received(1)
    leave.abort(new Error('enough'))
    await expect(pending).rejects.toThrow('enough')
    expect(await first(lab)).toMatchObject({ errorCount: 0, lastGood: false })
  })

  test('of a request that was at fault in the end sends nobody behind', async () => {
    const fault = `data: ${JSON.stringify({ error: { message: 'too long', code: 'context_length_exceeded' } })}\n\n`
    let open = (): void => {}
    const when = new Promise<void>((resolve) => {
      open = resolve
    })
    await using lab = await openForwarding({ script: twoPieces(CONTENT, fault, when) })
    await lab.add('a')
    const body = readBody(await lab.forward(STREAMED))
    open()
    await body
    expect(await first(lab)).toMatchObject({ failureCounts: { context_overflow: 1 } })
    expect(await first(lab)).not.toHaveProperty('behind')
  })
})

describe('a stream whose connection breaks', () => {
  /** What a caller has read when it does: all of these events, or a part of the last one. */
  async function broken(
    dialect: (typeof STREAMED_DIALECTS)[number],
    missing: number,
  ): Promise<{ readonly read: string; readonly sent: string; readonly failed: boolean }> {
    let breakNow = (): void => {}
    const when = new Promise<void>((resolve) => {
      breakNow = resolve
    })
    let sent = ''
    const script: Reply = {
      answer(request) {
        const { opening, deltas } = successStream(request)
        const text = [...opening, ...deltas.slice(0, missing === 0 ? 1 : 2)].join('')
        sent = missing === 0 ? text : text.slice(0, -missing)
        const at = Buffer.byteLength(sent)
        const interruptions = [
          { kind: 'pause', at, pause: when },
          { kind: 'reset', at },
        ] as const
        return { status: 200, headers: EVENTS, pieces: [`${sent} `], interruptions: [...interruptions] }
      },
    }
    await using lab = await openForwarding({ script })
    const baseUrl = dialect.upstreamBase(lab.upstream.url)
    await lab.handle.profiles.add({
      provider: dialect.provider,
      name: 'a',
      secret: 'key-a-12345678',
      baseUrl,
    })
    const answer = await lab.forward({
      path: dialect.path,
      body: { bytes: Buffer.from(JSON.stringify(dialect.body)) },
      stages: [{ provider: dialect.provider }],
    })
    let read = ''
    const failed = await new Promise<boolean>((resolve) => {
      answer.body.pipe({
        data: (bytes) => {
          read += bytes.toString()
          if (read.length >= sent.length) breakNow()
          return true
        },
        end: () => resolve(false),
        fail: () => resolve(true),
      })
    })
    const view = await lab.handle.profiles.view(`${dialect.provider}:a`)
    expect(view).toMatchObject({ errorCount: 1, lastGood: false, behind: [{ model: dialect.model }] })
    return { read, sent, failed }
  }

  const inGemini = STREAMED_DIALECTS.filter(({ provider }) => provider === 'gemini')
  const others = STREAMED_DIALECTS.filter(({ provider }) => provider !== 'gemini')

  test.each(inGemini)(
    'is ended with an error where its readers ask again after that: $name',
    async (dialect) => {
      const { read, sent, failed } = await broken(dialect, 0)
      expect(read.startsWith(sent)).toBe(true)
      const [, data = ''] = /^data: (.*)$/m.exec(read.slice(sent.length)) ?? []
      expect(JSON.stringify(JSON.parse(data))).toContain('stopped in the middle of its answer')
      expect(read.endsWith('\n\n')).toBe(true)
      expect(failed).toBe(false)
    },
  )

  test.each([...others.map((dialect) => [dialect.name, dialect, 0] as const)])(
    'breaks for its reader too: %s',
    async (_name, dialect, missing) => {
      const { read, sent, failed } = await broken(dialect, missing)
      expect({ read, failed }).toEqual({ read: sent, failed: true })
    },
  )

  test.each(STREAMED_DIALECTS)(
    'breaks for its reader too in the middle of an event: $name',
    async (dialect) => {
      for (const missing of [1, 2, 9]) {
        const { read, sent, failed } = await broken(dialect, missing)
        expect({ missing, read, failed }).toEqual({ missing, read: sent, failed: true })
      }
    },
  )
})

describe('a stream that falls silent', () => {
  const IDLE_MS = 80_000

  async function silentLab(script: Reply): Promise<ForwardingLab & { readonly steps: SteppedTimers }> {
    const steps = new SteppedTimers()
    const lab = await openForwarding({
      scripts: { 'key-a': script },
      timers: steps,
      settings: { idleTimeoutMs: IDLE_MS },
    })
    await lab.addAll('a', 'b')
    return { ...lab, [Symbol.asyncDispose]: lab[Symbol.asyncDispose], steps }
  }

  test('is ended with an error of its dialect, and counts as one that broke off', async () => {
    await using lab = await silentLab(twoPieces(CONTENT, DONE, new Promise(() => {})))
    const answer = await lab.forward(STREAMED)
    let over = false
    const body = readBody(answer).finally(() => {
      over = true
    })
    await lab.steps.advance(IDLE_MS)
    expect(over).toBe(false)
    await lab.steps.advance(IDLE_MS / 8)
    const text = (await body).toString()
    expect(text.slice(0, CONTENT.length)).toBe(CONTENT)
    expect(JSON.parse(text.slice(CONTENT.length).replace('data: ', ''))).toMatchObject({
      error: { code: 'keymux_stream_stopped' },
    })
    await lab.upstream.requests[0]?.ended
    expect(await first(lab)).toMatchObject({ failureCounts: { timeout: 1 }, behind: [{ model: 'gpt-4o' }] })
    expect(lab.steps.pending).toBe(0)
    expect(await lab.forward(STREAMED)).toMatchObject({ profileId: 'openai:b' })
  })

  test('in the middle of an event breaks off', async () => {
    await using lab = await silentLab(twoPieces(`${CONTENT}data: {"cho`, DONE, new Promise(() => {})))
    const body = readBody(await lab.forward(STREAMED))
    body.catch(() => undefined)
    await lab.steps.advance(IDLE_MS * 1.25)
    await expect(body).rejects.toThrow('stopped')
  })

  test('is not one whose caller does not read', async () => {
    await using lab = await silentLab(
      reply(200, CONTENT + chunk({ content: 'x'.repeat(200_000) }) + DONE, EVENTS),
    )
    const answer = await lab.forward(STREAMED)
    let [size, reads] = [0, false]
    const ended = new Promise<void>((resolve, reject) => {
      answer.body.pipe({
        data: (bytes) => {
          size += bytes.length
          return reads
        },
        end: resolve,
        fail: reject,
      })
    })
    await lab.steps.advance(IDLE_MS * 10)
    expect(size).toBeLessThan(200_000)
    reads = true
    answer.body.resume()
    await ended
    expect(await first(lab)).toMatchObject({ errorCount: 0, lastGood: true })
  })
})
