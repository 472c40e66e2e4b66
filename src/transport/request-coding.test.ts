import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { openForwarding } from '../../test/support/forwarding.js'
import { ok, rateLimited, reply } from '../entries/testing.js'
import { codingsOf } from './request-coding.js'

const BODY = Buffer.from(JSON.stringify({ model: 'gpt-4o', input: 'hello '.repeat(1_000) }))
/** `zstd -19` of {@link BODY}'s text, made by the stock program: no earlier Node can make one. */
const ZSTD = Buffer.from(
  '28b52ffd648d1665010034027b226d6f64656c223a226770742d346f222c22696e707574223a2268656c6c6f20227d010039bbf4e509f5da4981',
  'hex',
)

const CODED = {
  gzip: gzipSync(BODY),
  'x-gzip': gzipSync(BODY),
  deflate: deflateSync(BODY),
  'raw deflate': deflateRawSync(BODY),
  br: brotliCompressSync(BODY),
  zstd: ZSTD,
  'gzip, br': brotliCompressSync(gzipSync(BODY)),
}

describe('a coded request', () => {
  test.each(Object.entries(CODED))('(%s) is read, and sent as it came', async (name, bytes) => {
    await using lab = await openForwarding({ script: rateLimited({ retryAfter: 60 }) })
    await lab.addAll('a', 'b')
    const coding = name.replace('raw ', '')
    const headers = ['Content-Encoding', coding, 'content-type', 'application/json']
    await lab.forward({ headers, body: { bytes } })
    const seen = lab.upstream.requests
    expect(seen).toHaveLength(2)
    for (const { headers: sent } of seen) {
      expect(sent).toMatchObject({ 'content-encoding': coding, 'content-length': String(bytes.length) })
    }
    // The model was read: it alone is set aside.
    expect((await lab.handle.profiles.view('openai:a')).modelCooldowns).toMatchObject([{ model: 'gpt-4o' }])
  })

  test.each(Object.entries(CODED))(
    '(%s) goes without coding where its model changes',
    async (name, bytes) => {
      await using lab = await openForwarding({ script: ok() })
      await lab.add('a')
      const headers = ['Content-Encoding', name.replace('raw ', ''), 'content-type', 'application/json']
      await lab.forward({ headers, body: { bytes }, stages: [{ provider: 'openai', model: 'o3' }] })
      const [sent] = lab.upstream.requests
      expect(sent?.headers).not.toHaveProperty('content-encoding')
      expect(JSON.parse(sent?.body.toString() ?? '')).toMatchObject({
        model: 'o3',
        input: expect.stringContaining('hello'),
      })
    },
  )

  test.each([
    ['gzip', Buffer.from('no gzip at all')],
    ['gzip', gzipSync(BODY).subarray(0, 20)],
    ['br', Buffer.alloc(50, 0xff)],
    ['zstd', Buffer.from('no zstd')],
    ['zstd', ZSTD.subarray(0, 30)],
    ['deflate', Buffer.from([0x78, 0x9c, 1, 2, 3])],
    ['compress', BODY],
    ['gzip, gzip, gzip, gzip', BODY],
    ['gzip', gzipSync(Buffer.alloc(65 * 1024 * 1024))],
    ['constructor', BODY],
  ])('(%s) that cannot be read is refused before anybody is asked', async (coding, bytes) => {
    await using lab = await openForwarding({ script: reply(200, 'done') })
    await lab.add('a')
    const asked = lab.forward({ headers: ['content-encoding', coding], body: { bytes } })
    await expect(asked).rejects.toMatchObject({ code: 'unsupported_coding' })
    expect(lab.upstream.requests).toEqual([])
    expect((await lab.handle.profiles.view('openai:a')).errorCount).toBe(0)
  })

  test('too large to be held goes through as it is', async () => {
    await using lab = await openForwarding({ script: reply(200, 'done') })
    await lab.add('a')
    async function* rest(): AsyncGenerator<Uint8Array> {
      yield CODED.gzip.subarray(10)
    }
    const body = { bytes: CODED.gzip.subarray(0, 10), rest: rest() }
    const answer = await lab.forward({ headers: ['content-encoding', 'gzip'], body })
    expect(answer.status).toBe(200)
    expect(lab.upstream.requests[0]?.body).toHaveLength(CODED.gzip.length)
  })

  test('names its codings in any way that HTTP allows', () => {
    expect(
      codingsOf(['Content-Encoding', 'GZIP, identity,, br', 'x', 'y', 'content-encoding', 'zstd']),
    ).toEqual(['gzip', 'br', 'zstd'])
  })
})
