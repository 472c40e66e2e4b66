import type { IncomingMessage } from 'node:http'
import type { UpgradeRequest } from '../../domain/forwarding.js'
import type { Realtime } from '../../providers/realtime.js'
import { acceptOf } from '../../transport/handshake.js'
import { type Refusal, refusal } from './refusal.js'
import { KEY_PROTOCOL } from './token.js'

const NO_GET = refusal(405, 'keymux_method_not_allowed', 'a WebSocket is asked for with GET', {
  allow: 'GET',
})
const NO_KEY = refusal(400, 'keymux_bad_request', 'the WebSocket handshake is malformed')
const OTHER_VERSION = refusal(426, 'keymux_upgrade_refused', 'the gateway speaks version 13 of WebSocket', {
  'sec-websocket-version': '13',
})
/** 16 bytes in base64 (RFC 6455 section 4.1). */
const KEY = /^[+/0-9A-Za-z]{22}==$/
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Subprotocols that name a caller's key or account: the chosen account has its own. */
const OF_AN_ACCOUNT = [KEY_PROTOCOL, 'openai-organization.', 'openai-project.']
/** Query parameters that carry a caller's credential, besides `key`: of Azure's and Google's clients. */
const CREDENTIALS: ReadonlySet<string> = new Set(['api-key', 'authorization', 'access_token'])

/** Why a request for a WebSocket cannot be answered with one. */
export function handshakeRefusal({ method, headers }: IncomingMessage): Refusal | undefined {
  if (method !== 'GET') return NO_GET
  if (headers['sec-websocket-version'] !== '13') return OTHER_VERSION
  const { 'sec-websocket-key': key, 'content-length': length = '0', 'transfer-encoding': coding } = headers
  if (typeof key !== 'string' || !KEY.test(key) || length !== '0' || coding !== undefined) return NO_KEY
  return protocolsOf(headers['sec-websocket-protocol']).every((one) => TOKEN.test(one)) ? undefined : NO_KEY
}

/** What is asked for upstream. */
export function upgradeOf({ headers }: IncomingMessage, { greets }: Realtime): UpgradeRequest {
  const offered = protocolsOf(headers['sec-websocket-protocol'])
  const protocols = offered.filter((one) => !OF_AN_ACCOUNT.some((begin) => one.startsWith(begin)))
  return { protocols, greets }
}

function protocolsOf(value: string | undefined): string[] {
  return value === undefined ? [] : value.split(',').map((one) => one.trim())
}

/** The model that a query names. */
export function modelIn(query: string, { model }: Realtime): string | undefined {
  const named = new URLSearchParams(query)
  return model.map((name) => named.get(name) ?? '').find((text) => text !== '')
}

/** A query without a caller's credential. */
export function withoutCredentials(query: string): string {
  const pairs = query.slice(1).split('&')
  const kept = pairs.filter((pair) => {
    const [name] = new URLSearchParams(pair).keys()
    return !CREDENTIALS.has(name?.toLowerCase() ?? '')
  })
  return kept.length === pairs.length ? query : kept.length === 0 ? '' : `?${kept.join('&')}`
}

/** The head of the answer that changes to WebSocket (RFC 6455 section 4.2.2). */
export function switchingHead(
  { headers }: IncomingMessage,
  protocol: string | undefined,
  more: readonly string[],
): string {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
  lines.push(`Sec-WebSocket-Accept: ${acceptOf(String(headers['sec-websocket-key']))}`)
  if (protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocol}`)
  for (let index = 0; index < more.length; index += 2) lines.push(`${more[index]}: ${more[index + 1]}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}
