import { isIP } from 'node:net'
import { type Refusal, refusal } from './refusal.js'

/** Which callers the gateway answers. */
export interface GuardOptions {
  /** Host names (lower case, without port) besides this machine's own that callers may use. */
  readonly hosts: ReadonlySet<string>
  /** Whether any IP address is taken for a host: the gateway listens beyond loopback. */
  readonly anyAddress: boolean
  /** Behind a unix socket, where no web page reaches, the host is whatever the client made up. */
  readonly anyHost: boolean
}

const FOREIGN_HOST = refusal(
  403,
  'keymux_foreign_host',
  'this host name is not one of the gateway: use the address it listens on, or start it with --allow-host',
)
const FOREIGN_ORIGIN = refusal(403, 'keymux_foreign_origin', 'web pages may not call the gateway')
const NO_HOST = refusal(400, 'keymux_bad_request', 'the request needs exactly one Host header')
/** A protocol that clients offer, and do without. */
export const STAYS = 'h2c'
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])
const BAD_METHOD = refusal(405, 'keymux_method_not_allowed', 'the gateway does not take this method', {
  allow: [...METHODS].join(', '),
})
// RFC 9110 section 15.5.22: the protocol that is wanted instead stands beside it. Who hears 426 goes on with HTTP at once,
// where other statuses are tried again.
const NO_UPGRADE = refusal(426, 'keymux_upgrade_refused', 'the gateway speaks HTTP/1.1 alone', {
  upgrade: 'HTTP/1.1',
  // Who wanted another protocol has no more to ask over this connection.
  connection: 'upgrade, close',
})

/** A request's head as the guard looks at it. */
export interface RequestHead {
  readonly method: string
  /** Names and values in turn, as received. */
  readonly rawHeaders: readonly string[]
  /** Its path is one where the gateway changes to WebSocket. Default false. */
  readonly tunnels?: boolean
}

/** What of a request's headers the guard has to see. */
interface Seen {
  hosts: number
  host: string
  origin: string | undefined
  site: string | undefined
  upgrade: string | undefined
}

/**
 * Tells whether a caller is turned away before anything else is looked at. A web page that the user visits
 * can send requests to loopback: its `Origin` gives it away, and after DNS rebinding its `Host`.
 */
export function guard(
  { method, rawHeaders, tunnels = false }: RequestHead,
  options: GuardOptions,
): Refusal | undefined {
  const seen = look(rawHeaders)
  if (seen.hosts !== 1) return NO_HOST
  if (!options.anyHost && !isOwnHost(hostName(seen.host), options)) return FOREIGN_HOST
  if (seen.origin !== undefined && !isOwnOrigin(seen.origin, seen.host)) return FOREIGN_ORIGIN
  // Browsers leave Origin out of plain GET requests, and tell where they come from all the same.
  if (seen.site === 'cross-site' || seen.site === 'same-site') return FOREIGN_ORIGIN
  if (!METHODS.has(method)) return BAD_METHOD
  // Some clients offer h2c with every request; staying with HTTP/1.1 is an answer (RFC 9110 section 7.8).
  const upgrade = seen.upgrade?.toLowerCase() ?? STAYS
  return upgrade === STAYS || (tunnels && upgrade === 'websocket') ? undefined : NO_UPGRADE
}

function look(rawHeaders: readonly string[]): Seen {
  const seen: Seen = { hosts: 0, host: '', origin: undefined, site: undefined, upgrade: undefined }
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    const value = rawHeaders[index + 1] ?? ''
    // Lower-casing every name of every request would cost more than the rest of the guard.
    if (name.length === 4 && name.toLowerCase() === 'host') {
      seen.hosts += 1
      seen.host = value
    } else if (name.length === 6 && name.toLowerCase() === 'origin') {
      // Of two, none is the gateway's own.
      seen.origin = seen.origin === undefined ? value : 'null'
    } else if (name.length === 7 && name.toLowerCase() === 'upgrade') seen.upgrade = value
    else if (name.length === 14 && name.toLowerCase() === 'sec-fetch-site') seen.site = value
  }
  return seen
}

/** The name of a Host header without its port, in lower case; empty for a malformed one. */
function hostName(host: string): string {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/.exec(host)
  return match?.[1]?.toLowerCase() ?? ''
}

function isOwnHost(name: string, { hosts, anyAddress }: GuardOptions): boolean {
  if (name === 'localhost' || name === '127.0.0.1' || name === '[::1]' || hosts.has(name)) return true
  return anyAddress && isIP(name.replace(/^\[|\]$/g, '')) !== 0
}

/** The gateway's own pages, if there are any: same scheme, host and port. */
function isOwnOrigin(origin: string, host: string): boolean {
  return origin.toLowerCase() === `http://${host.toLowerCase()}`
}
