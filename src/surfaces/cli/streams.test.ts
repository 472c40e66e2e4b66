import { PassThrough, Readable, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { nodeSink, nodeSource } from './streams.js'

/** A stream whose writes fail. */
function failing(code: string): Writable {
  return new Writable({
    write(_chunk, _encoding, done) {
      done(Object.assign(new Error(code), { code }))
    },
  })
}

describe('a sink', () => {
  it('hands over everything before it is flushed, however slow the reader', async () => {
    const stream = new PassThrough({ highWaterMark: 10 })
    const sink = nodeSink(stream)
    const text = 'x'.repeat(100_000)
    sink.write(text)
    let read = ''
    stream.on('data', (chunk: Buffer) => {
      read += chunk.toString()
    })
    await sink.flush()
    expect(read).toBe(text)
  })

  it('is quiet about a reader that has gone', async () => {
    const sink = nodeSink(failing('EPIPE'))
    sink.write('x')
    await sink.flush()
    expect(sink.closed).toBe(true)
    sink.write('more')
    await sink.flush()
  })

  it('reports any other failure, once', async () => {
    const sink = nodeSink(failing('ENOSPC'))
    sink.write('x')
    await expect(sink.flush()).rejects.toMatchObject({ code: 'output_failed', message: /ENOSPC/ })
    await sink.flush()
  })

  it('has a width only on a terminal', () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 120 })
    const sink = nodeSink(stream)
    expect(sink.columns).toBe(120)
    stream.columns = 80
    expect(sink.columns).toBe(80)
    stream.columns = 0
    expect(sink.columns).toBeUndefined()
    expect(nodeSink(new PassThrough()).columns).toBeUndefined()
  })
})

describe('a source', () => {
  it('reads to the end', async () => {
    const source = nodeSource(() => Readable.from([Buffer.from('a'), Buffer.from('b')]))
    expect(Buffer.from(await source.read(10)).toString()).toBe('ab')
  })

  it('stops soon after the limit, even if the stream never ends', async () => {
    function* endless(): Generator<Buffer> {
      for (;;) yield Buffer.alloc(1_000)
    }
    const source = nodeSource(() => Readable.from(endless()))
    expect((await source.read(10_000)).byteLength).toBe(11_000)
  })

  it('rejects when it cannot be read', async () => {
    const source = nodeSource(
      () =>
        new Readable({
          read() {
            this.destroy(new Error('EISDIR'))
          },
        }),
    )
    await expect(source.read(10)).rejects.toThrow('EISDIR')
  })
})
