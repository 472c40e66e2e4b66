import { readdirSync, readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { rateLimited, type ScriptedUpstream, startScriptedUpstream } from '../../src/entries/testing.js'
import { startTestGateway, type TestGateway } from '../support/gateway.js'
import { asList, asObject } from './fields.js'
import { asksModel, turns } from './turns.js'

const KEYS = { first: 'sk-account-one-AAAAAAAAAAAAAAAA', second: 'sk-account-two-BBBBBBBBBBBBBBBB' }
const BASES: Readonly<Record<string, string>> = {
  anthropic: '/anthropic',
  openai: '/openai/v1',
  gemini: '/gemini',
  qwen: '/qwen/v1',
}
const FOLDER = join(import.meta.dirname, 'fixtures')

let upstream: ScriptedUpstream
let gateway: TestGateway

beforeAll(async () => {
  upstream = await startScriptedUpstream()
  upstream.respond((request) => (asksModel(request) ? rateLimited() : turns(0)), KEYS.first)
  upstream.respond(turns(0), KEYS.second)
})
afterAll(() => upstream.close())

// Each request meets a gateway of its own: those of one agent's run are one conversation, and that stays.
beforeEach(async () => {
  const accounts = Object.entries(BASES).flatMap(([provider, base]) =>
    Object.entries(KEYS).map(([name, secret]) => ({
      provider,
      name,
      secret,
      baseUrl: `${upstream.url}${base}`,
      priority: name === 'first' ? 2 : 1,
    })),
  )
  gateway = await startTestGateway(accounts)
})
afterEach(() => gateway.close())

const fixtures = readdirSync(FOLDER).map((name) =>
  asObject(JSON.parse(readFileSync(join(FOLDER, name), 'utf8'))),
)
const requests = fixtures.flatMap(({ agent, version, provider, requests: all }) =>
  asList(all).map((each) => {
    const { method, url, headers, body } = asObject(each)
    return {
      title: `${agent} ${version}: ${method} ${url}`,
      provider: String(provider),
      method: String(method),
      url: String(url),
      headers: asObject(headers),
      body: body === undefined ? undefined : JSON.stringify(body),
    }
  }),
)
type Sent = (typeof requests)[number]

describe('what agents send', () => {
  it.each(requests)('is answered by the account that works: $title', async (sent) => {
    const before = upstream.requests.length
    const { status, text } = await send(sent)
    const got = upstream.requests.slice(before)
    const last = got.at(-1)
    if (last !== undefined && asksModel(last)) {
      expect(got.map(({ credential }) => credential)).toEqual([KEYS.first, KEYS.second])
      expect(text).not.toContain('error')
    }
    expect({ status, path: last?.url }).toEqual({ status: 200, path: upstreamUrl(sent) })
    if (sent.body !== undefined) expect(last?.text).toBe(sent.body)
  })

  it.each(requests)('shows its token to no provider: $title', async (sent) => {
    const before = upstream.requests.length
    await send(sent)
    for (const { headers, url } of upstream.requests.slice(before)) {
      expect(JSON.stringify([headers, url])).not.toContain(gateway.token)
    }
  })
})

/** Where the gateway asks: the provider's own base URL, with the version where it belongs. */
function upstreamUrl({ provider, url }: Sent): string {
  const rest = url.slice(`/${provider}`.length)
  const base = BASES[provider] ?? ''
  return `${base}${rest}`
}

function send(sent: Sent): Promise<{ status: number | undefined; text: string }> {
  const headers = Object.entries(sent.headers).map(([name, value]): [string, string] => [
    name,
    String(value).replace('{token}', gateway.token).replace('…', 'x'),
  ])
  const framed = headers.filter(([name]) => name.toLowerCase() !== 'transfer-encoding')
  return new Promise((resolve, reject) => {
    const options = { method: sent.method, headers: Object.fromEntries(framed), agent: false }
    const sending = httpRequest(`${gateway.url}${sent.url}`, options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.once('end', () => resolve({ status: response.statusCode, text }))
      response.once('error', reject)
    })
    sending.once('error', reject)
    sending.end(sent.body)
  })
}
