import type { Agent } from './agents.js'
import { asObject } from './fields.js'

/** What an agent sends, without what would tell who ran it, where and on what. */
export interface Fixture {
  readonly agent: string
  readonly version: string
  readonly provider: string
  readonly requests: readonly FixtureRequest[]
}

export interface FixtureRequest {
  readonly method: string
  /** Path and query, below the gateway's address. */
  readonly url: string
  /** In the order in which they came; a value that was left out is `…`, the gateway's token `{token}`. */
  readonly headers: Readonly<Record<string, string>>
  /** The shape of its JSON: strings that mean something to a provider stay, others are `…`. */
  readonly body?: unknown
}

/** Headers whose values say how something is sent, and not who sends it. */
const TELLING = new Set([
  'accept',
  'accept-encoding',
  'anthropic-beta',
  'anthropic-dangerous-direct-browser-access',
  'anthropic-version',
  'connection',
  'content-encoding',
  'content-type',
  'openai-beta',
  'sec-fetch-mode',
  'transfer-encoding',
])
/** Made anew by whoever sends the request. */
const DERIVED = new Set(['host', 'content-length'])
const MEANINGFUL = new Set(['model', 'type', 'role', 'name', 'effort', 'tool_choice', 'finish_reason'])
const SCHEMAS = new Set(['input_schema', 'parameters', 'parametersJsonSchema', 'schema'])
const LONGEST_LIST = 3

/** Makes a fixture of the lines that `record-requests.cjs` wrote. */
export function toFixture(agent: Agent, version: string, recorded: string): Fixture {
  const lines = recorded.split('\n').filter(Boolean)
  const requests = lines.map((line): FixtureRequest => {
    const { method, url, rawHeaders, body } = asObject(JSON.parse(line))
    const text = Buffer.from(String(body), 'base64').toString()
    const headers = pairs(Array.isArray(rawHeaders) ? rawHeaders.map(String) : [])
    return {
      method: String(method),
      url: String(url),
      headers: Object.fromEntries(
        headers.map(([name, value]) => [name, shownHeader(name.toLowerCase(), value)]),
      ),
      ...(text === '' ? {} : { body: shape(parsed(text), '') }),
    }
  })
  const distinct = new Map(requests.map((request) => [JSON.stringify(request), request]))
  return { agent: agent.name, version, provider: agent.provider, requests: [...distinct.values()] }
}

function pairs(raw: readonly string[]): [string, string][] {
  const found: [string, string][] = []
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = '', value = ''] = raw.slice(at, at + 2)
    if (!DERIVED.has(name.toLowerCase())) found.push([name, value])
  }
  return found
}

function shownHeader(name: string, value: string): string {
  if (name === 'authorization') return value.replace(/^(\S+) .*/, '$1 {token}')
  if (name === 'x-api-key' || name === 'x-goog-api-key') return '{token}'
  if (name === 'user-agent') return value.split(' ', 1)[0] ?? ''
  return TELLING.has(name) ? value : '…'
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function shape(value: unknown, key: string): unknown {
  if (typeof value === 'string') return MEANINGFUL.has(key) ? value : '…'
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.slice(0, LONGEST_LIST).map((each) => shape(each, key))
  if (SCHEMAS.has(key)) return { type: 'object', properties: {} }
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shape(each, name)]))
}
