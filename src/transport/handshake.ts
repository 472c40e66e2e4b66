import { createHash, randomBytes } from 'node:crypto'
import type { RawHeaders } from '../domain/forwarding.js'
import { headerValue } from './headers.js'

/** Of every accept key (RFC 6455 section 1.3). */
const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** What one try offers to an upstream. */
export interface Offer {
  readonly key: string
  readonly protocols: readonly string[]
  /** The upstream speaks first. */
  readonly greets: boolean
}

/** A fresh offer: keys are not used twice (RFC 6455 section 4.1). */
export function newOffer(protocols: readonly string[], greets: boolean): Offer {
  return { key: randomBytes(16).toString('base64'), protocols, greets }
}

/** The headers of an offer. No extensions: messages stay readable, and pass as they are. */
export function offerHeaders({ key, protocols }: Offer): string[] {
  const offered = protocols.length === 0 ? [] : ['sec-websocket-protocol', protocols.join(', ')]
  return ['sec-websocket-version', '13', 'sec-websocket-key', key, ...offered]
}

/** What proves that a key was read (RFC 6455 section 4.2.2). */
export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}${MAGIC}`).digest('base64')
}

/** Why an upstream's 101 is none to this offer (RFC 6455 section 4.1), as a phrase. */
export function handshakeFault(headers: RawHeaders, { key, protocols }: Offer): string | undefined {
  if (headerValue(headers, 'upgrade')?.toLowerCase() !== 'websocket') return 'it changed to another protocol'
  if (headerValue(headers, 'sec-websocket-accept') !== acceptOf(key))
    return 'its WebSocket handshake is not an answer to ours'
  if (headerValue(headers, 'sec-websocket-extensions') !== undefined)
    return 'it uses a WebSocket extension that was not offered'
  const protocol = headerValue(headers, 'sec-websocket-protocol')
  if (protocol !== undefined && !protocols.includes(protocol))
    return 'it chose a WebSocket subprotocol that was not offered'
  return undefined
}

/** A caller's headers without those of his own handshake. */
export function withoutHandshake(headers: RawHeaders): string[] {
  return headers.filter(
    (_, index) => !(headers[index - (index % 2)] ?? '').toLowerCase().startsWith('sec-websocket-'),
  )
}
