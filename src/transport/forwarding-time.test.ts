import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import {
  CHAT,
  openForwarding,
  readBody,
  STREAMED,
  SteppedTimers,
  standing,
  until,
} from '../../test/support/forwarding.js'
import { ok, outOfMoney, rateLimited, reset, stall } from '../entries/testing.js'
import { systemTimers } from './timers.js'

/** Something to wait for until it is opened. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

describe('time', () => {
  test('a stall before the first byte fails over', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': stall() } })
    await lab.addAll('a', 'b')
    const pending = lab.forward()
    await lab.upstream.received(1)
    lab.timers.advance(30_000)
    expect(await pending).toMatchObject({ status: 200, profileId: 'openai:b', attempts: 2 })
    expect((await lab.handle.profiles.view('openai:a')).failureCounts).toEqual({ timeout: 1 })
    await lab.upstream.requests[0]?.ended
    expect(lab.upstream.requests[0]?.aborted).toBe(true)
  })

  test('so does one after the head, and one before content', async () => {
    for (const afterBytes of [0, 40]) {
      await using lab = await openForwarding({ scripts: { 'key-a': stall('forever', { afterBytes }) } })
      await lab.addAll('a', 'b')
      const pending = lab.forward(STREAMED)
      await until(() => lab.timers.pending === 2 && lab.upstream.requests.length === 1)
      const settled = { done: false }
      void pending.then(() => {
        settled.done = true
      })
      await until(() => {
        lab.timers.advance(5_000)
        return settled.done
      })
      expect(await pending).toMatchObject({ profileId: 'openai:b' })
    }
  })

  test('the time is a setting', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': stall() } })
    await lab.addAll('a', 'b')
    const pending = lab.forward({ settings: { firstByteTimeoutMs: 5_000 } })
    await lab.upstream.received(1)
    lab.timers.advance(5_000)
    expect(await pending).toMatchObject({ profileId: 'openai:b' })
  })

  test('the only profile is asked again after its silence', async () => {
    await using lab = await openForwarding({ script: [stall(), ok()] })
    await lab.add('a')
    const pending = lab.forward()
    await lab.upstream.received(1)
    lab.timers.advance(30_000)
    expect(await pending).toMatchObject({ kind: 'provider', attempts: 2 })
  })

  test('nobody in ten times as long: 504', async () => {
    await using lab = await openForwarding({ script: stall() })
    await lab.add('a')
    const pending = lab.forward()
    for (const count of [1, 2]) {
      await lab.upstream.received(count)
      lab.timers.advance(30_000)
    }
    await until(() => lab.timers.pending === 3)
    lab.timers.advance(240_000)
    await until(() => lab.timers.pending === 2)
    lab.timers.advance(30_000)
    expect(await pending).toMatchObject({ kind: 'unreachable', status: 504, attempts: 2 })
    expect((await lab.handle.profiles.view('openai:a')).failureCounts).toEqual({ timeout: 2 })
  })

  test('a large request that is kept goes out whole, and again to the next', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': rateLimited() } })
    await lab.addAll('a', 'b')
    const text = JSON.stringify({ ...CHAT, padding: 'ü'.repeat(200_000) })
    const answer = await lab.forward({ body: { bytes: Buffer.from(text) } })
    expect(answer).toMatchObject({ status: 200, profileId: 'openai:b', replayable: true })
    for (const request of lab.upstream.requests) {
      expect(request.text === text).toBe(true)
      expect(request.headers['content-length']).toBe(String(Buffer.byteLength(text)))
    }
    expect(lab.upstream.requests).toHaveLength(2)
  })

  test('an answer that takes its time comes, while others are asked beside it', async () => {
    for (const [first, winner] of [
      ['a', 'openai:a'],
      ['b', 'openai:b'],
    ] as const) {
      const [a, b] = [gate(), gate()]
      await using lab = await openForwarding({
        scripts: {
          'key-a': stall(a.opened, { in: ok() }),
          'key-b': stall(b.opened, { in: ok() }),
          'key-c': stall(),
        },
      })
      await lab.addAll('a', 'b', 'c')
      const pending = lab.forward()
      for (const count of [1, 2, 3]) {
        await lab.upstream.received(count)
        lab.timers.advance(30_000)
      }
      if (first === 'a') a.open()
      else b.open()
      expect(await pending).toMatchObject({ status: 200, profileId: winner })
      const counts = async (name: string): Promise<object> =>
        (await lab.handle.profiles.view(`openai:${name}`)).failureCounts
      // Who was asked later than the one that answered was not slower.
      expect(await counts('a')).toEqual(first === 'a' ? {} : { timeout: 1 })
      expect(await counts('b')).toEqual({})
      expect(await counts('c')).toEqual({})
      expect(lab.timers.pending).toBe(0)
      await Promise.all(lab.upstream.requests.map(({ ended }) => ended))
    }
  })

  test('an account that comes back is asked while a silent one is waited for', async () => {
    const steps = new SteppedTimers()
    await using lab = await openForwarding({
      scripts: { 'key-a': stall(), 'key-b': [rateLimited({ retryAfter: 60 }), ok()] },
      timers: steps,
    })
    await lab.addAll('a', 'b')
    const pending = lab.forward()
    await lab.upstream.received(1)
    await steps.advance(30_000)
    await lab.upstream.received(2)
    await until(async () => (await lab.handle.profiles.view('openai:b')).modelCooldowns.length > 0)
    // The silent one is asked once more.
    await steps.advance(1_000)
    await lab.upstream.received(3)
    await until(() => steps.pending > 0)
    for (let second = 0; second < 120 && lab.upstream.requests.length < 4; second += 1) {
      await steps.advance(1_000)
    }
    expect(await pending).toMatchObject({ status: 200, profileId: 'openai:b', attempts: 4 })
    expect(steps.pending).toBe(0)
  })

  test('an error that takes its time is one, and the others are waited for', async () => {
    const [a, b] = [gate(), gate()]
    await using lab = await openForwarding({
      scripts: { 'key-a': stall(a.opened, { in: outOfMoney() }), 'key-b': stall(b.opened, { in: ok() }) },
    })
    await lab.addAll('a', 'b')
    const pending = lab.forward()
    await lab.upstream.received(1)
    lab.timers.advance(30_000)
    await lab.upstream.received(2)
    a.open()
    await until(async () => (await lab.handle.profiles.view('openai:a')).state === 'disabled')
    b.open()
    expect(await pending).toMatchObject({ status: 200, profileId: 'openai:b', attempts: 2 })
    expect((await lab.handle.profiles.view('openai:a')).failureCounts).toEqual({ billing: 1 })
  })

  test('the deadline of all tries together', async () => {
    await using lab = await openForwarding({ script: stall() })
    await lab.addAll('a', 'b', 'c')
    const pending = lab.forward({ settings: { firstByteTimeoutMs: 40_000, deadlineMs: 60_000 } })
    await lab.upstream.received(1)
    lab.timers.advance(40_000)
    await lab.upstream.received(2)
    lab.timers.advance(20_000)
    expect(await pending).toMatchObject({ kind: 'unreachable', status: 504, attempts: 2 })
    // The second was not given the time it is due.
    expect((await lab.handle.profiles.view('openai:b')).failureCounts).toEqual({})
    expect(lab.timers.pending).toBe(0)
  })

  test('the deadline ends with the head: streams may take as long as they like', async () => {
    await using lab = await openForwarding({
      script: stall(30, { in: ok({ text: ['a', 'b'] }), afterBytes: 400 }),
    })
    await lab.add('a')
    const answer = await lab.forward(STREAMED)
    lab.timers.advance(10_000_000)
    expect((await readBody(answer)).toString()).toContain('[DONE]')
  })
})

describe('a process that stood still', () => {
  test('does not take its own silence for that of the upstream', async () => {
    // In a thread of its own, which goes on meanwhile.
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads')
       const server = require('node:http').createServer((_, response) => {
         parentPort.postMessage('asked')
         const answer = () => response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}')
         setTimeout(answer, 50)
       })
       server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`,
      { eval: true },
    )
    const [port] = await once(worker, 'message')
    await using lab = await openForwarding({ timers: systemTimers })
    await lab.add('a', { baseUrl: `http://127.0.0.1:${port}/v1` })
    const asked = once(worker, 'message')
    const pending = lab.forward({ settings: { firstByteTimeoutMs: 300 } })
    await asked
    const until = performance.now() + 700
    while (performance.now() < until);
    expect(await pending).toMatchObject({ status: 200, attempts: 1, failures: [] })
    await worker.terminate()
  })
})

describe('aborts', () => {
  test('reach the upstream at once and are held against nobody', async () => {
    await using lab = await openForwarding({ script: stall() })
    await lab.addAll('a', 'b')
    const abort = new AbortController()
    const reason = new Error('enough')
    const pending = lab.forward({ signal: abort.signal })
    const request = await lab.upstream.received(1)
    const startedAt = performance.now()
    abort.abort(reason)
    await expect(pending).rejects.toBe(reason)
    await request.ended
    expect(performance.now() - startedAt).toBeLessThan(100)
    expect(request.aborted).toBe(true)
    expect(lab.upstream.requests).toHaveLength(1)
    expect((await lab.handle.profiles.view('openai:a')).errorCount).toBe(0)
    expect(lab.timers.pending).toBe(0)
  })

  test('in the middle of a body', async () => {
    await using lab = await openForwarding({ script: stall('forever', { afterBytes: 400 }) })
    await lab.add('a')
    const abort = new AbortController()
    const answer = await lab.forward({ ...STREAMED, signal: abort.signal })
    const body = readBody(answer)
    abort.abort(new Error('enough'))
    await expect(body).rejects.toThrow('enough')
    await lab.upstream.requests[0]?.ended
    expect(lab.upstream.requests[0]?.aborted).toBe(true)
    expect((await lab.handle.profiles.view('openai:a')).errorCount).toBe(0)
  })

  test('before anything, and during a pause', async () => {
    await using lab = await openForwarding({ script: reset() })
    await lab.add('a')
    await expect(lab.forward({ signal: AbortSignal.abort(new Error('early')) })).rejects.toThrow('early')
    expect(lab.upstream.requests).toHaveLength(0)
    await lab.handle.profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: 100 })
    const abort = new AbortController()
    const pending = lab.forward({ signal: abort.signal })
    abort.abort(new Error('meanwhile'))
    await expect(pending).rejects.toThrow('meanwhile')
  })

  test('what failed before an abort has failed', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': rateLimited(), 'key-b': stall() } })
    await lab.addAll('a', 'b')
    const abort = new AbortController()
    const pending = lab.forward({ signal: abort.signal })
    await lab.upstream.received(2)
    abort.abort()
    await expect(pending).rejects.toMatchObject({ name: 'AbortError' })
    await until(async () => (await standing(lab, 'a')) === 'available gpt-4o')
  })

  test('listeners do not pile up on a signal that lives long', async () => {
    await using lab = await openForwarding({ scripts: { 'key-a': rateLimited() } })
    await lab.addAll('a', 'b')
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1
      remove(...args)
    }
    for (let count = 0; count < 5; count += 1) await readBody(await lab.forward({ signal }))
    // Removing twice is harmless, so there may be fewer than none.
    expect(listeners).toBeLessThanOrEqual(0)
  })
})
