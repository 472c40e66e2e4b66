/** How a proxy is spoken to: CONNECT (RFC 9110 section 9.3.6) over TCP or TLS, or SOCKS 5 (RFC 1928). */
export type ProxyProtocol = 'http' | 'https' | 'socks5'

/** A proxy as it is dialled. It may hold a password: never shown as a whole, see {@link proxyLabel}. */
export interface ProxyAddress {
  readonly protocol: ProxyProtocol
  /** In lower case, in ASCII; an IPv6 address in brackets. */
  readonly host: string
  readonly port: number
  /** Absent where no login is given. */
  readonly login?: { readonly user: string; readonly password: string }
}

/** What switches a proxy off. */
export const NO_PROXY = 'none'

const PORTS: Readonly<Record<ProxyProtocol, number>> = { http: 80, https: 443, socks5: 1080 }
const PROTOCOLS: Readonly<Record<string, ProxyProtocol>> = {
  http: 'http',
  https: 'https',
  socks5: 'socks5',
  socks5h: 'socks5',
}
const OFF: ReadonlySet<string> = new Set(['none', 'direct'])
const REFERENCE = /^(?:vault|env|file|exec):\/\/\S/
const MAX_LENGTH = 2048
/** RFC 1929 section 2: one byte for the length. */
const MAX_SOCKS_LOGIN = 255

/**
 * Reads a proxy's URL, `http://HOST:PORT` when it has no scheme, as other programs read the environment's. Ports are 80,
 * 443 and 1080 by default. `undefined` for what no proxy can be reached by: another scheme, a path, a query, port 0,
 * a user name with a colon, control characters.
 */
export function parseProxyUrl(text: string): ProxyAddress | undefined {
  if (text.length > MAX_LENGTH || /[\s\p{Cc}\\]/u.test(text)) return undefined
  const [, scheme = 'http', rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/iu.exec(text) ?? []
  const protocol = PROTOCOLS[scheme.toLowerCase()]
  // What follows the scheme is read as of https: of schemes that URL does not know it takes any host as it is.
  const url = protocol && URL.canParse(`https://${rest}`) ? new URL(`https://${rest}`) : undefined
  if (protocol === undefined || url === undefined || /[?#]/.test(rest) || url.pathname !== '/')
    return undefined
  const port = /:(\d+)\/?$/.exec(rest.slice(rest.lastIndexOf('@') + 1))?.[1]
  if (url.hostname === '' || port === '' || Number(port ?? 1) === 0) return undefined
  const address = { protocol, host: url.hostname, port: Number(port ?? PORTS[protocol]) }
  if (url.username === '' && url.password === '') return address
  const user = decoded(url.username)
  const password = decoded(url.password)
  if (user === undefined || password === undefined || user.includes(':')) return undefined
  if (protocol === 'socks5' && [user, password].some(tooLong)) return undefined
  return { ...address, login: { user, password } }
}

/**
 * Reads what an owner writes for a proxy: a URL without a login, a reference to where a whole URL is kept, or `none`
 * (`direct` says the same). `undefined` for anything else, a URL with a password in it among it.
 */
export function parseProxySetting(text: string): string | undefined {
  if (OFF.has(text.toLowerCase())) return NO_PROXY
  if (isProxyReference(text)) {
    // A command line has blanks.
    const odd = text.startsWith('exec://') ? /\p{Cc}/u : /[\s\p{Cc}]/u
    return text.length <= MAX_LENGTH && !odd.test(text) ? text : undefined
  }
  const address = text.includes('://') ? parseProxyUrl(text) : undefined
  if (address === undefined || address.login !== undefined || text.includes('@')) return undefined
  return `${address.protocol}://${proxyLabel(address)}`
}

/** What {@link parseProxySetting} takes, as a hint. */
export const PROXY_HINT =
  'use http://HOST:PORT, https://, socks5:// or none; one with a password is kept as a secret: keymux secret set NAME, then vault://NAME'

/** Whether a setting says where the URL is kept. */
export function isProxyReference(text: string): boolean {
  return REFERENCE.test(text)
}

/** Where a proxy is, without its login: `HOST:PORT`. */
export function proxyLabel({ host, port }: Pick<ProxyAddress, 'host' | 'port'>): string {
  return `${host}:${port}`
}

function decoded(text: string): string | undefined {
  try {
    const plain = decodeURIComponent(text)
    return /\p{Cc}/u.test(plain) ? undefined : plain
  } catch {
    // A percent sign that stands for itself.
    return text
  }
}

function tooLong(text: string): boolean {
  return new TextEncoder().encode(text).length > MAX_SOCKS_LOGIN
}
