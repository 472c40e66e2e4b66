import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { type ForwardingLab, openForwarding } from '../../test/support/forwarding.js'
import { ok, rateLimited, reply } from '../entries/testing.js'

const ON = { privacy: true }
const ID = JSON.stringify({ device_id: 'd'.repeat(64), account_uuid: '', session_id: 's' })
const BODY = JSON.stringify({
  model: 'gpt-4o',
  messages: [{ role: 'user', content: 'Grüße', metadata: { user_id: 'stays' } }],
  metadata: { user_id: ID, other: 1 },
  user: 'me@example.com',
})

interface Sent {
  readonly metadata: { readonly user_id: string }
  readonly user: string
}

function sentBodies({ upstream }: ForwardingLab): Sent[] {
  return upstream.requests.map(({ body }) => JSON.parse(body.toString()))
}

/** What was sent with the ids put back. */
function restored(text: string): string {
  const { metadata, user }: Sent = JSON.parse(text)
  return text.replace(JSON.stringify(metadata.user_id), JSON.stringify(ID)).replace(user, 'me@example.com')
}

describe('with privacy', () => {
  test('each account sees ids of its own, the same every time, and nothing else changes', async () => {
    await using lab = await openForwarding({ settings: ON, script: rateLimited({ retryAfter: 60 }) })
    lab.upstream.respond(ok(), 'key-b')
    await lab.addAll('a', 'b')
    for (let round = 0; round < 2; round += 1) {
      await lab.handle.profiles.reset('openai:a')
      await lab.forward({ body: { bytes: Buffer.from(BODY) } })
    }
    const texts = lab.upstream.requests.map(({ body }) => body.toString())
    expect(texts).toHaveLength(4)
    const [a, b] = sentBodies(lab)
    expect(a?.user).toMatch(/^[0-9a-f]{64}$/)
    expect(Object.keys(JSON.parse(a?.metadata.user_id ?? ''))).toEqual(Object.keys(JSON.parse(ID)))
    expect(a).not.toEqual(b)
    expect(texts.slice(2)).toEqual(texts.slice(0, 2))
    expect(texts.map(restored)).toEqual(texts.map(() => BODY))
    for (const text of texts) expect(text).not.toMatch(/me@example|dddd/)
    for (const { headers, body } of lab.upstream.requests)
      expect(headers['content-length']).toBe(String(body.length))
  })

  test('in a chain, with the model of the stage', async () => {
    await using lab = await openForwarding({ settings: ON, script: ok() })
    await lab.add('a')
    await lab.forward({ body: { bytes: Buffer.from(BODY) }, stages: [{ provider: 'openai', model: 'o3' }] })
    const [text = ''] = lab.upstream.requests.map(({ body }) => body.toString())
    expect(restored(text)).toBe(BODY.replace('gpt-4o', 'o3'))
  })

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const)(
    'a body in %s goes without coding where it changes, else as it came',
    async (coding, encode) => {
      await using lab = await openForwarding({ settings: ON, script: ok() })
      await lab.add('a')
      const headers = ['content-encoding', coding, 'content-type', 'application/json']
      await lab.forward({ headers, body: { bytes: encode(Buffer.from(BODY)) } })
      const nobody = encode(Buffer.from('{"model":"gpt-4o","messages":[]}'))
      await lab.forward({ headers, body: { bytes: nobody } })
      const [first, second] = lab.upstream.requests
      expect(first?.headers).not.toHaveProperty('content-encoding')
      expect(restored(first?.body.toString() ?? '')).toBe(BODY)
      expect(second?.headers).toHaveProperty('content-encoding', coding)
      expect(second?.body.equals(nobody)).toBe(true)
    },
  )

  test('a body that names nobody is the very same', async () => {
    await using lab = await openForwarding({ settings: ON, script: reply(200, 'x') })
    await lab.add('a')
    const bodies = [
      '{"model":"m", "user":"" }',
      'user=me',
      '--x\r\nname="user"\r\n\r\nme',
      '[{"user":"me"}]',
      '',
    ]
    for (const text of bodies) await lab.forward({ body: { bytes: Buffer.from(text) } })
    await lab.forward({ method: 'GET', body: undefined })
    expect(lab.upstream.requests.map(({ body }) => body.toString())).toEqual([...bodies, ''])
  })

  async function* rest(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('of it')
  }

  test.each([
    ['JSON', ['content-type', 'application/json'], '  {"messages":["a'],
    ['JSON that says it is something else', ['content-type', 'audio/mpeg'], '{"messages":["a'],
    ['space so far', ['content-type', 'application/json'], '    '],
    ['coded', ['content-encoding', 'gzip'], '\u001f'],
  ])('one that is too large to be kept is refused: %s', async (_name, headers, beginning) => {
    await using lab = await openForwarding({ settings: ON, script: ok() })
    await lab.add('a')
    const body = { bytes: Buffer.from(beginning), rest: rest() }
    await expect(lab.forward({ headers, body })).rejects.toMatchObject({ code: 'body_too_large' })
    expect(lab.upstream.requests).toEqual([])
    expect((await lab.handle.profiles.view('openai:a')).errorCount).toBe(0)
  })

  test('an upload that is no JSON is passed through', async () => {
    await using lab = await openForwarding({ settings: ON, script: reply(200, 'x') })
    await lab.add('a')
    await lab.forward({ headers: [], body: { bytes: Buffer.from('--part '), rest: rest() } })
    expect(lab.upstream.requests[0]?.body.toString()).toBe('--part of it')
  })

  test('createFetch has it as an option, which goes before the config', async () => {
    for (const [settings, option, isHidden] of [
      [ON, {}, true],
      [ON, { privacy: false }, false],
      [{}, ON, true],
      [{}, {}, false],
    ] as const) {
      await using lab = await openForwarding({ settings, script: ok() })
      await lab.add('a')
      const url = 'https://api.openai.com/v1/chat/completions'
      await lab.fetch(option)(url, { method: 'POST', body: BODY })
      expect(lab.upstream.requests[0]?.body.toString() === BODY).toBe(!isHidden)
    }
  })
})

test('without it not one byte changes', async () => {
  await using lab = await openForwarding({ script: ok() })
  await lab.add('a')
  await lab.forward({ body: { bytes: Buffer.from(BODY) } })
  expect(lab.upstream.requests[0]?.body.toString()).toBe(BODY)
})
