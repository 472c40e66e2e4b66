import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { SteppedTimers } from '../../test/support/forwarding.js'
import type { TunnelOver } from '../domain/forwarding.js'
import { closeFrame } from './frames.js'
import { Tunnel } from './tunnel.js'

/** One end of a connection: what was written to it, and what its peer says. */
class End extends Duplex {
  readonly written: Buffer[] = []
  /** Whether whoever writes is asked to wait. */
  #isFull = false
  #release: (() => void) | undefined

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk)
    if (this.#isFull) this.#release = done
    else done()
  }

  fill(): void {
    this.#isFull = true
  }

  drain(): void {
    this.#isFull = false
    this.#release?.()
  }

  says(...chunks: readonly Buffer[]): void {
    for (const chunk of chunks) this.push(chunk)
  }

  get text(): string {
    return Buffer.concat(this.written).toString('latin1')
  }
}

interface Lab {
  readonly upstream: End
  readonly caller: End
  readonly tunnel: Tunnel
  readonly timers: SteppedTimers
  readonly over: Promise<TunnelOver>
  readonly verdicts: string[]
  join(early?: string): void
}

function lab(family: 'openai' | 'gemini' = 'openai'): Lab {
  const timers = new SteppedTimers()
  const [upstream, caller] = [new End(), new End()]
  const context = { provider: family, family, now: () => new Date(0) }
  const tunnel = new Tunnel({ upstream, protocol: undefined, context, timers })
  let told: (over: TunnelOver) => void = () => {}
  const over = new Promise<TunnelOver>((resolve) => {
    told = resolve
  })
  return {
    upstream,
    caller,
    tunnel,
    timers,
    over,
    verdicts: [],
    join: (early = '') => tunnel.join(caller, Buffer.from(early), told),
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const frame = (text: string): Buffer => Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)])
const QUOTA = frame('{"type":"error","error":{"code":"insufficient_quota"}}')
const DONE = frame('{"type":"response.done","response":{"status":"completed"}}')

test('what either side says before the other is there is not lost', async () => {
  const { upstream, caller, join } = lab()
  upstream.says(frame('hello'))
  await settle()
  join('early')
  await settle()
  expect([caller.text, upstream.text]).toEqual([frame('hello').toString('latin1'), 'early'])
})

test('the slower side sets the pace', async () => {
  const { upstream, caller, join } = lab()
  join()
  caller.fill()
  for (let count = 0; count < 50; count += 1) upstream.says(Buffer.alloc(10_000))
  await settle()
  const before = caller.written.length + caller.writableLength / 10_000
  expect(before).toBeLessThan(10)
  caller.drain()
  await settle()
  expect(Buffer.concat(caller.written).length).toBe(500_000)
})

test('keymux puts its Close frame where the last frame ends', async () => {
  const { upstream, caller, tunnel, join, over } = lab()
  join()
  const long = frame('x'.repeat(100))
  upstream.says(long.subarray(0, 50))
  await settle()
  tunnel.close(1008, 'no more')
  expect(caller.text).toBe(long.subarray(0, 50).toString('latin1'))
  upstream.says(long.subarray(50))
  await settle()
  const ending = closeFrame(1008, 'no more')
  expect(caller.text).toBe(Buffer.concat([long, ending]).toString('latin1'))
  upstream.says(frame('too late'))
  caller.says(closeFrame(1008, '', Buffer.alloc(4)))
  await settle()
  expect(caller.text).not.toContain('too late')
  expect(upstream.text.slice(0, 2)).toBe('\u0088\u0082')
  upstream.destroy()
  caller.destroy()
  expect(await over).toMatchObject({ by: 'keymux', code: 1008 })
})

test('a frame that never ends does not keep the session open, nor does a Close frame that nobody answers', async () => {
  const first = lab()
  first.join()
  first.upstream.says(frame('x'.repeat(100)).subarray(0, 50))
  await settle()
  first.tunnel.close(1001, '')
  await first.timers.advance(2_000)
  expect(await first.over).toMatchObject({ by: 'keymux' })

  const second = lab()
  second.join()
  second.upstream.says(closeFrame(4000, 'bye'))
  await settle()
  expect(second.upstream.destroyed).toBe(false)
  await second.timers.advance(10_000)
  expect(await second.over).toMatchObject({ by: 'provider', code: 4000 })
})

test('one side that leaves takes the other along, and what it has said still arrives', async () => {
  const { upstream, caller, join, over } = lab()
  join()
  upstream.says(frame('last'))
  upstream.push(null)
  await settle()
  expect(caller.text).toContain('last')
  expect(caller.writableEnded).toBe(true)
  caller.push(null)
  await once(caller, 'close')
  expect(await over).toMatchObject({ by: 'provider', providerBytes: frame('last').length })
})

test('what was found out before anybody asked is told; an error and its Close frame count once', async () => {
  const { upstream, caller, tunnel, join } = lab()
  upstream.says(DONE, QUOTA)
  await settle()
  const verdicts: string[] = []
  tunnel.follow((verdict) => verdicts.push(verdict.kind === 'bad' ? verdict.reason : verdict.kind))
  join()
  upstream.says(closeFrame(1013, ''))
  await settle()
  expect(verdicts).toEqual(['good', 'billing'])
  caller.destroy()
})

test('a break is held against the account, unless the caller has left before', async () => {
  for (const [first, expected] of [
    ['upstream', ['server_error']],
    ['caller', []],
  ] as const) {
    const one = lab()
    const verdicts: string[] = []
    one.tunnel.follow((verdict) => verdicts.push(verdict.kind === 'bad' ? verdict.reason : verdict.kind))
    one.join()
    one[first].destroy()
    await settle()
    one.upstream.destroy()
    one.caller.destroy()
    await one.over
    expect(verdicts).toEqual(expected)
  }
})

test('the model of a live session stands in the first message of its caller', async () => {
  const { caller, tunnel, join } = lab('gemini')
  join()
  const setup = frame('{"setup":{"model":"models/gemini-live"}}')
  setup[1] = (setup[1] ?? 0) | 0x80
  caller.says(Buffer.concat([setup.subarray(0, 2), Buffer.alloc(4), setup.subarray(2)]))
  const other = frame('{"x":{"model":"models/other"}}')
  caller.says(other)
  await settle()
  expect(tunnel.model).toBe('gemini-live')
})
