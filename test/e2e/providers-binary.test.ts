import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ProviderMetadata } from '../../src/domain/provider.js'
import { openKeymux } from '../../src/index.js'
import { apiPath, compatiblePath } from '../../src/providers/api-paths.js'
import { CATALOGUE } from '../../src/providers/catalogue.js'
import { authHeaders, credentialHeader } from '../../src/providers/request.js'
import { keymuxBinary, makeSandbox, removeSandbox } from '../transcripts/harness.js'

const TOKEN = 'gateway-token-Marker4Hs8Dk2Wq'
const ANSWER = {
  id: 'x',
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello.' }, finish_reason: 'stop' }],
  usage: { total_tokens: 2 },
}
const RATE_LIMITED = {
  error: { message: 'Rate limit reached', type: 'requests', code: 'rate_limit_exceeded' },
}

interface Asked {
  readonly path: string
  readonly headers: IncomingHttpHeaders
}

const sandbox = makeSandbox()
const asked: Asked[] = []
let upstream: Server
let gateway: ChildProcess
let url = ''
let upstreamUrl = ''

/** Where an account of a provider is in this test: the provider's own path on this machine. */
function baseOf({ baseUrl, baseUrlExample = '' }: ProviderMetadata): string {
  return `${upstreamUrl}${new URL(baseUrl ?? baseUrlExample).pathname.replace(/\/$/, '')}`
}

const modeOf = ({ modes }: ProviderMetadata): 'api_key' | 'token' =>
  modes.includes('api_key') ? 'api_key' : 'token'
const keyOf = (provider: ProviderMetadata, name: 'limited' | 'good'): string =>
  `key-${provider.name}-${name}-Marker6Lp1`

beforeAll(async () => {
  upstream = createServer((request, response) => {
    asked.push({ path: request.url ?? '', headers: request.headers })
    request.resume()
    const limited = JSON.stringify(request.headers).includes('-limited-')
    response.writeHead(limited ? 429 : 200, { 'content-type': 'application/json', 'retry-after': '600' })
    response.end(JSON.stringify(limited ? RATE_LIMITED : ANSWER))
  })
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const address = upstream.address()
  upstreamUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  const [vault, keyFile, config] = ['vault.db', 'vault.key', 'config.yaml'].map((name) => join(sandbox, name))
  const keymux = await openKeymux({ vault: `${vault}`, unlock: { keyFile: `${keyFile}` }, create: true })
  for (const provider of CATALOGUE) {
    for (const [name, priority] of [
      ['limited', 2],
      ['good', 1],
    ] as const) {
      await keymux.profiles.add({
        provider: provider.name,
        name,
        priority,
        mode: modeOf(provider),
        secret: keyOf(provider, name),
        baseUrl: baseOf(provider),
      })
    }
    if (provider.keyless === true)
      await keymux.profiles.add({ provider: provider.name, name: 'keyless', baseUrl: baseOf(provider) })
  }
  await keymux.close()
  const chains = CATALOGUE.map(({ name }) => `  only-${name}: [${name}]\n`).join('')
  writeFileSync(`${config}`, `chains:\n${chains}`)
  gateway = spawn(process.execPath, [keymuxBinary(), 'serve', '--json', '--port', '0'], {
    cwd: sandbox,
    env: {
      PATH: process.env.PATH,
      HOME: sandbox,
      KEYMUX_VAULT: vault,
      KEYMUX_KEY_FILE: keyFile,
      KEYMUX_CONFIG: config,
      KEYMUX_GATEWAY_TOKEN: TOKEN,
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  if (gateway.stdout === null) throw new Error('serve has no output')
  const [line] = await once(createInterface(gateway.stdout), 'line')
  url = JSON.parse(String(line)).url
})

afterAll(() => {
  gateway?.kill('SIGKILL')
  upstream?.close()
  removeSandbox(sandbox)
})

async function ask(path: string, headers: Record<string, string>): Promise<[Response, readonly Asked[]]> {
  asked.length = 0
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'some-model', messages: [{ role: 'user', content: 'Hello?' }] }),
  })
  await response.arrayBuffer()
  return [response, [...asked]]
}

/** What of these headers carries the credential of an account, or of the caller. */
function credentialsIn(headers: IncomingHttpHeaders): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => /Marker/.test(String(value))))
}

describe.each(CATALOGUE.map((provider) => [provider.name, provider] as const))('%s', (name, provider) => {
  test('a rate limit of one account is answered by the next, at the right place with the right header', async () => {
    const { header, prefix } = credentialHeader(provider, 'api_key')
    const shown = { [header]: prefix === undefined ? TOKEN : `${prefix} ${TOKEN}` }
    const [response, requests] = await ask(`/${name}/something/else?a=b`, shown)
    expect(response.status).toBe(200)
    expect(response.headers.get('x-keymux-profile')).toBe(`${name}:good`)
    const path = `${new URL(baseOf(provider)).pathname.replace(/\/$/, '')}/something/else?a=b`
    expect(requests.map((request) => request.path)).toEqual([path, path])
    expect(requests.map(({ headers }) => credentialsIn(headers))).toEqual([
      authHeaders(provider, modeOf(provider), keyOf(provider, 'limited')),
      authHeaders(provider, modeOf(provider), keyOf(provider, 'good')),
    ])
  })

  test('serves OpenAI’s API in a chain', async () => {
    const [response, requests] = await ask(`/@only-${name}/v1/chat/completions`, {
      authorization: `Bearer ${TOKEN}`,
    })
    expect(response.status).toBe(200)
    const base = new URL(baseOf(provider)).pathname.replace(/\/$/, '')
    const path = apiPath(provider, base, compatiblePath(provider, '/chat/completions'))
    expect(requests.map((request) => request.path)).toEqual([`${base}${path}`])
    const isBearer = provider.family === 'gemini' || provider.family === 'anthropic'
    expect(credentialsIn(requests[0]?.headers ?? {})).toEqual(
      authHeaders(provider, isBearer ? 'token' : modeOf(provider), keyOf(provider, 'good')),
    )
  })

  test.runIf(provider.keyless)('sends no credential for an account that has none', async () => {
    const [response, requests] = await ask(`/${name}:keyless/api/chat`, { authorization: `Bearer ${TOKEN}` })
    expect([response.status, response.headers.get('x-keymux-profile')]).toEqual([200, `${name}:keyless`])
    expect(requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
    expect(credentialsIn(requests[0]?.headers ?? {})).toEqual({})
  })
})
