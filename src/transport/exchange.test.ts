import { describe, expect, test } from 'vitest'
import { TestTimers } from '../../test/support/forwarding.js'
import type { BodySink } from '../domain/forwarding.js'
import { Exchange } from './exchange.js'
import { HELD_BYTES } from './gate.js'
import type { UpstreamConnection } from './types.js'

const DELTA = Buffer.from('data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
const EVENTS = ['content-type', 'text/event-stream']

class FakeConnection implements UpstreamConnection {
  readonly calls: string[] = []
  aborted: unknown

  pause(): void {
    this.calls.push('pause')
  }

  resume(): void {
    this.calls.push('resume')
  }

  abort(reason: Error): void {
    this.aborted ??= reason
  }
}

class FakeSink implements BodySink {
  readonly got: string[] = []
  wants = true

  data(chunk: Buffer): boolean {
    this.got.push(chunk.toString())
    return this.wants
  }

  end(): void {
    this.got.push('END')
  }

  fail(error: unknown): void {
    this.got.push(`FAIL ${String(error)}`)
  }
}

function exchangeOf(signal?: AbortSignal) {
  const timers = new TestTimers()
  const connection = new FakeConnection()
  const exchange = new Exchange({
    provider: 'openai',
    family: 'openai',
    model: undefined,
    now: () => new Date(0),
    timers,
    idleMs: 300_000,
    lastEvent: () => undefined,
    patienceMs: 30_000,
    signal,
  })
  return { exchange, timers, connection }
}

/** Whether a promise has come to something by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol('open')
  return (await Promise.race([promise, Promise.resolve(open)])) !== open
}

describe('holding', () => {
  test('what was held comes first, then what follows, in order', async () => {
    const { exchange, connection } = exchangeOf()
    exchange.start(connection)
    exchange.head(200, 'OK', EVENTS)
    exchange.data(Buffer.from(': hi\n\n'))
    exchange.data(DELTA)
    expect(await exchange.outcome).toEqual({ kind: 'release' })
    exchange.data(Buffer.from('b'))
    const sink = new FakeSink()
    exchange.pipe(sink)
    exchange.data(Buffer.from('c'))
    exchange.end()
    expect(sink.got).toEqual([': hi\n\n', DELTA.toString(), 'b', 'c', 'END'])
  })

  test('informational answers are passed over', async () => {
    const { exchange, connection } = exchangeOf()
    exchange.start(connection)
    exchange.head(103, 'Early Hints', [])
    exchange.head(200, 'OK', [])
    exchange.end()
    expect(await exchange.outcome).toEqual({ kind: 'release' })
    expect(exchange.status).toBe(200)
    expect(exchange.whole()).toHaveLength(0)
  })

  test('no more than 64 KiB are held: the upstream waits, the answer goes on', async () => {
    const { exchange, connection } = exchangeOf()
    exchange.start(connection)
    exchange.head(200, 'OK', EVENTS)
    for (let size = 0; size < HELD_BYTES; size += 1024) exchange.data(Buffer.alloc(1024, ':'))
    expect(await exchange.outcome).toEqual({ kind: 'release' })
    expect(connection.calls).toEqual(['pause'])
    exchange.pipe(new FakeSink())
    expect(connection.calls).toEqual(['pause', 'resume'])
  })

  test('an error page is judged by its first 64 KiB', async () => {
    const { exchange, connection } = exchangeOf()
    exchange.start(connection)
    exchange.head(503, '', [])
    exchange.data(Buffer.alloc(HELD_BYTES, 'x'))
    expect(await exchange.outcome).toMatchObject({ kind: 'failed' })
    expect(connection.calls).toEqual(['pause'])
  })

  test('the reader sets the pace', async () => {
    const { exchange, connection } = exchangeOf()
    exchange.start(connection)
    exchange.head(200, 'OK', EVENTS)
    exchange.data(DELTA)
    const sink = new FakeSink()
    sink.wants = false
    exchange.pipe(sink)
    exchange.data(DELTA)
    expect(connection.calls).toEqual(['pause'])
    exchange.resume()
    exchange.resume()
    expect(connection.calls).toEqual(['pause', 'resume'])
  })
})

describe('time', () => {
  test('nothing in time is late, and nothing in ten times as long is silence', async () => {
    const { exchange, timers, connection } = exchangeOf()
    exchange.start(connection)
    timers.advance(29_999)
    expect(await settled(exchange.outcome)).toBe(false)
    timers.advance(1)
    expect(await exchange.outcome).toBeUndefined()
    timers.advance(269_999)
    expect(await settled(exchange.inTheEnd)).toBe(false)
    expect(connection.aborted).toBeUndefined()
    timers.advance(1)
    expect(await exchange.inTheEnd).toEqual({ kind: 'silent' })
    expect(connection.aborted).toBeInstanceOf(Error)
    expect(timers.pending).toBe(0)
  })

  test('late while the request is still going out, it comes to one end all the same', async () => {
    const { exchange, timers, connection } = exchangeOf()
    exchange.start(connection)
    timers.advance(30_000)
    expect(await exchange.outcome).toBeUndefined()
    const end = exchange.inTheEnd
    exchange.sending()
    timers.advance(30_000)
    exchange.head(200, 'OK', EVENTS)
    exchange.data(DELTA)
    expect(await end).toEqual({ kind: 'release' })
  })

  test('what is late may still come', async () => {
    const { exchange, timers, connection } = exchangeOf()
    exchange.start(connection)
    timers.advance(200_000)
    expect(await exchange.outcome).toBeUndefined()
    exchange.head(200, 'OK', EVENTS)
    exchange.data(DELTA)
    expect(await exchange.inTheEnd).toEqual({ kind: 'release' })
    expect(connection.aborted).toBeUndefined()
    expect(timers.pending).toBe(0)
  })

  test('a head and nothing more is late too; also a beginning after which nothing comes', async () => {
    for (const [beginning, end] of [
      ['', 'silent'],
      [': hi\n\n', 'release'],
    ] as const) {
      const { exchange, timers, connection } = exchangeOf()
      exchange.start(connection)
      timers.advance(20_000)
      exchange.head(200, 'OK', EVENTS)
      if (beginning !== '') exchange.data(Buffer.from(beginning))
      timers.advance(24_999)
      expect(await settled(exchange.outcome)).toBe(false)
      timers.advance(1)
      expect(await exchange.outcome).toBeUndefined()
      timers.advance(255_000)
      expect(await exchange.inTheEnd).toEqual({ kind: end })
    }
  })

  test('begins anew with every piece of the request, and stands still while that waits for its caller', async () => {
    const { exchange, timers, connection } = exchangeOf()
    exchange.start(connection)
    for (let piece = 0; piece < 3; piece += 1) {
      timers.advance(29_000)
      exchange.sending()
    }
    exchange.waiting()
    timers.advance(1_000_000)
    exchange.sending()
    timers.advance(29_999)
    expect(await settled(exchange.outcome)).toBe(false)
    timers.advance(1)
    expect(await exchange.outcome).toBeUndefined()
  })

  test('keep-alives show that it is at work: after a while it is passed on as it is', async () => {
    const { exchange, timers, connection } = exchangeOf()
    exchange.start(connection)
    exchange.head(200, 'OK', EVENTS)
    for (let second = 0; second < 45; second += 5) {
      exchange.data(Buffer.from(': working\n\n'))
      timers.advance(5_000)
    }
    expect(await exchange.outcome).toEqual({ kind: 'release' })
    expect(connection.aborted).toBeUndefined()
  })

  test('an error page that does not end is judged by what is there', async () => {
    const { exchange, timers, connection } = exchangeOf()
    exchange.start(connection)
    exchange.head(429, '', ['retry-after', '3'])
    timers.advance(30_000)
    expect(await exchange.outcome).toMatchObject({
      kind: 'failed',
      verdict: { reason: 'rate_limit', retryAfterMs: 3_000 },
    })
  })

  test('once it is clear what it is no time runs', async () => {
    const { exchange, timers, connection } = exchangeOf()
    exchange.start(connection)
    exchange.head(200, 'OK', EVENTS)
    exchange.data(DELTA)
    await exchange.outcome
    expect(timers.pending).toBe(0)
  })

  test('in a hurry, what talks is taken and what is silent is given up', async () => {
    const talking = exchangeOf().exchange
    talking.head(200, 'OK', EVENTS)
    talking.data(Buffer.from(': hi\n\n'))
    talking.hurry()
    expect(await talking.outcome).toEqual({ kind: 'release' })
    const silent = exchangeOf().exchange
    silent.hurry()
    expect(await silent.outcome).toEqual({ kind: 'silent' })
  })
})

describe('ends', () => {
  test('a connection that breaks before the answer is clear', async () => {
    const { exchange, connection } = exchangeOf()
    exchange.start(connection)
    exchange.head(200, 'OK', EVENTS)
    exchange.data(Buffer.from('data: {"choices"'))
    const error = new Error('reset')
    exchange.error(error)
    expect(await exchange.outcome).toEqual({ kind: 'broken', error })
  })

  test('one that breaks afterwards is told to the reader, once', async () => {
    const { exchange, connection } = exchangeOf()
    exchange.start(connection)
    exchange.head(200, 'OK', EVENTS)
    exchange.data(DELTA)
    await exchange.outcome
    const sink = new FakeSink()
    exchange.pipe(sink)
    exchange.error(new Error('reset'))
    exchange.error(new Error('again'))
    expect(sink.got).toEqual([DELTA.toString(), 'FAIL Error: reset'])
    expect(exchange.whole()).toBeUndefined()
  })

  test('one that broke before anybody read', async () => {
    const { exchange } = exchangeOf()
    exchange.head(200, 'OK', EVENTS)
    exchange.data(DELTA)
    exchange.error(new Error('reset'))
    const sink = new FakeSink()
    exchange.pipe(sink)
    expect(sink.got).toEqual([DELTA.toString(), 'FAIL Error: reset'])
  })

  test('the signal ends it at once, even while the connection is being made', async () => {
    const abort = new AbortController()
    const { exchange, connection } = exchangeOf(abort.signal)
    const reason = new Error('enough')
    abort.abort(reason)
    expect(await exchange.outcome).toEqual({ kind: 'broken', error: reason })
    exchange.start(connection)
    expect(connection.aborted).toBe(reason)
  })

  test('the signal reaches a body that is being read, and nothing afterwards', async () => {
    const abort = new AbortController()
    const { exchange, connection } = exchangeOf(abort.signal)
    exchange.start(connection)
    exchange.head(200, 'OK', EVENTS)
    exchange.data(DELTA)
    await exchange.outcome
    const sink = new FakeSink()
    exchange.pipe(sink)
    abort.abort('no error at all')
    expect(connection.aborted).toBeInstanceOf(Error)
    expect(sink.got).toEqual([DELTA.toString(), 'FAIL no error at all'])

    const other = new AbortController()
    const done = exchangeOf(other.signal)
    done.exchange.start(done.connection)
    done.exchange.head(200, 'OK', [])
    done.exchange.end()
    other.abort()
    expect(done.connection.aborted).toBeUndefined()
    expect(done.exchange.whole()).toHaveLength(0)
  })

  test('a cancelled one frees what it holds', async () => {
    const { exchange, connection } = exchangeOf()
    exchange.start(connection)
    exchange.head(500, '', [])
    exchange.data(Buffer.alloc(1_000))
    exchange.cancel()
    exchange.data(Buffer.alloc(1_000))
    expect(exchange.beginning()).toHaveLength(0)
    expect(connection.aborted).toBeInstanceOf(Error)
  })
})
