import { describe, expect, test } from 'vitest'
import { openForwarding, readBody, STREAMED, standing, until } from '../../test/support/forwarding.js'
import { lastPieceLate } from '../../test/support/streams.js'
import { errorMidStream, hugeBody, ok, rateLimited, reply, reset, stall } from '../entries/testing.js'

describe('large bodies', () => {
  async function* pieces(count: number): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < count; index += 1) yield Buffer.alloc(1_000, 'x')
  }

  test('stream through, once, with their length', async () => {
    await using lab = await openForwarding({ script: reply(200, 'done') })
    await lab.add('a')
    const bytes = Buffer.from('{"model":"m","x":"')
    const answer = await lab.forward({ body: { bytes, rest: pieces(3_000), length: 3_000_018 } })
    expect(answer).toMatchObject({ status: 200, replayable: false, attempts: 1 })
    const [seen] = lab.upstream.requests
    expect(seen?.headers['content-length']).toBe('3000018')
    expect(seen?.body).toHaveLength(3_000_018)
  })

  test('are not sent again: the answer is passed on, the failure recorded', async () => {
    await using lab = await openForwarding({ script: rateLimited({ retryAfter: 5 }) })
    await lab.addAll('a', 'b')
    const body = { bytes: Buffer.from('{"model":"gpt-4o","x":"'), rest: pieces(10) }
    const answer = await lab.forward({ body })
    expect(answer).toMatchObject({ kind: 'provider', status: 429, replayable: false, attempts: 1 })
    expect(lab.upstream.requests[0]?.headers['transfer-encoding']).toBe('chunked')
    expect(await standing(lab, 'a')).toBe('available gpt-4o')
  })

  test('go elsewhere as long as nothing of them has been sent', async () => {
    await using lab = await openForwarding({ script: reply(200, 'done') })
    await lab.add('a', { baseUrl: 'http://127.0.0.1:9', priority: 1 })
    await lab.add('b')
    const answer = await lab.forward({ body: { bytes: Buffer.from('x'), rest: pieces(10) } })
    expect(answer).toMatchObject({ status: 200, profileId: 'openai:b', attempts: 3 })
  })

  test('that break off are the caller’s affair', async () => {
    await using lab = await openForwarding()
    await lab.add('a')
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('abc')
      throw new Error('gone')
    }
    await expect(lab.forward({ body: { bytes: Buffer.from('x'), rest: broken() } })).rejects.toMatchObject({
      code: 'aborted',
    })
    expect((await lab.handle.profiles.view('openai:a')).errorCount).toBe(0)
  })
})

describe('streams', () => {
  test('go out as they come, byte for byte, from the first content on', async () => {
    let goOn = (): void => {}
    const pause = new Promise<void>((resolve) => {
      goOn = resolve
    })
    await using lab = await openForwarding({
      script: stall(pause, { in: ok({ text: ['one', 'two'] }), afterBytes: 400 }),
    })
    await lab.add('a')
    const answer = await lab.forward(STREAMED)
    let text = ''
    const done = new Promise<void>((resolve, reject) => {
      answer.body.pipe({
        data: (chunk) => {
          text += chunk.toString()
          return true
        },
        end: resolve,
        fail: reject,
      })
    })
    await until(() => text.includes('one'))
    expect(text).not.toContain('DONE')
    goOn()
    await done
    expect(text.match(/data: /g)).toHaveLength(5)
  })

  test('an error in the middle is passed on as it is', async () => {
    await using lab = await openForwarding({ script: lastPieceLate(errorMidStream()) })
    await lab.addAll('a', 'b')
    const answer = await lab.forward(STREAMED)
    expect((await readBody(answer)).toString()).toContain('"error"')
    expect(answer).toMatchObject({ profileId: 'openai:a', attempts: 1 })
  })

  test('a reset in the middle breaks the body off', async () => {
    let open = (): void => {}
    const when = new Promise<void>((resolve) => {
      open = resolve
    })
    await using lab = await openForwarding({ script: reset({ afterBytes: 450, when }) })
    await lab.add('a')
    const body = readBody(await lab.forward(STREAMED))
    open()
    await expect(body).rejects.toThrow()
  })

  test('a slow reader holds the upstream back', async () => {
    const size = 50_000_000
    await using lab = await openForwarding({ script: hugeBody(size, 200) })
    await lab.add('a')
    const answer = await lab.forward({ path: '/files/file-1/content' })
    let got = 0
    let atPause = 0
    await new Promise<void>((resolve, reject) => {
      answer.body.pipe({
        data: (chunk) => {
          got += chunk.length
          if (atPause > 0 || got < 1_000_000) return true
          atPause = got
          setTimeout(() => {
            expect(got).toBeLessThan(atPause + 200_000)
            answer.body.resume()
          }, 50)
          return false
        },
        end: resolve,
        fail: reject,
      })
    })
    expect(got).toBe(size)
  })
})
