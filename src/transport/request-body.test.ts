import { PassThrough, Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import type { RequestBody } from '../domain/forwarding.js'
import { type HoldOptions, holdBody, holdStream, wholeBody } from './request-body.js'

const CHUNKS = ['abc', 'def', 'ghi'].map((text) => Buffer.from(text))

async function rest(body: RequestBody): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body.rest ?? []) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const WAYS: readonly [string, (chunks: Buffer[], options: HoldOptions) => Promise<RequestBody>][] = [
  ['an iterable', (chunks, options) => holdBody(Readable.from(chunks), options)],
  [
    'a web stream',
    (chunks, options) =>
      holdBody(Readable.toWeb(Readable.from(chunks)) as ReadableStream<Uint8Array>, options),
  ],
  ['a Node stream', (chunks, options) => holdStream(Readable.from(chunks), options)],
]

describe.each(WAYS)('%s', (_name, hold) => {
  test('up to the limit it is held whole', async () => {
    const body = await hold(CHUNKS, { limit: 9 })
    expect(body.bytes.toString()).toBe('abcdefghi')
    expect(body.rest).toBeUndefined()
  })

  test('beyond the limit the rest follows, nothing lost', async () => {
    const body = await hold(CHUNKS, { limit: 8 })
    expect(body.bytes.toString() + (await rest(body))).toBe('abcdefghi')
    expect(body.rest).toBeDefined()
    expect(body.length).toBeUndefined()
  })

  test('a stated length beyond the limit is not waited for', async () => {
    const large = Array.from({ length: 40 }, () => Buffer.alloc(10_000, 'x'))
    const body = await hold(large, { limit: 200_000, length: 400_000 })
    expect(body.bytes.length).toBeLessThan(100_000)
    expect(body.length).toBe(400_000)
    expect(body.bytes.length + (await rest(body)).length).toBe(400_000)
  })

  test('nothing is held of an empty body', async () => {
    expect((await hold([], { limit: 9 })).bytes).toHaveLength(0)
  })

  test('an abort ends the wait', async () => {
    const abort = new AbortController()
    const held = hold([], { limit: 9, signal: AbortSignal.abort(new Error('gone')) })
    await expect(held).rejects.toThrow('gone')
    expect(abort.signal.aborted).toBe(false)
  })
})

describe('a body that does not end', () => {
  test('an abort ends the wait for more', async () => {
    for (const hold of [holdBody, holdStream]) {
      const abort = new AbortController()
      const stream = new PassThrough()
      stream.write('abc')
      const held = hold(stream, { limit: 9, signal: abort.signal })
      setImmediate(() => abort.abort(new Error('gone')))
      await expect(held).rejects.toThrow('gone')
    }
  })

  test('a stream that breaks off rejects, without its own error', async () => {
    const stream = new PassThrough()
    stream.write('abc')
    const held = holdStream(stream, { limit: 9 })
    stream.destroy(new Error('secret'))
    await expect(held).rejects.toMatchObject({
      code: 'aborted',
      message: expect.not.stringContaining('secret'),
    })
  })

  test('a stream that breaks off while nobody reads it harms nobody', async () => {
    const stream = new PassThrough({ highWaterMark: 1 })
    stream.write('abcdef')
    const body = await holdStream(stream, { limit: 3 })
    stream.destroy(new Error('gone'))
    await expect(rest(body)).rejects.toThrow()
  })
})

test('bytes are taken as they are', () => {
  const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
  expect([...wholeBody(bytes).bytes]).toEqual([2, 3])
})
