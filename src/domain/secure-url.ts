/** Whether a URL's host name is this machine itself: `localhost`, 127.0.0.0/8 or `[::1]`. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}

/**
 * Reads a URL that credentials may travel to: https, or http on loopback; no user name, password or
 * fragment, and nothing that URL parsers silently drop or turn round (spaces, control characters,
 * backslashes). `undefined` for anything else.
 */
export function parseSecureUrl(text: string): URL | undefined {
  if (text.length > 2048 || /[\s\p{Cc}\\]/u.test(text) || !URL.canParse(text)) return undefined
  const url = new URL(text)
  const secure = url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname))
  return secure && url.username === '' && url.password === '' && !text.includes('#') ? url : undefined
}

/** Reads a base URL: as {@link parseSecureUrl}, without a query; the trailing slash is dropped. */
export function parseBaseUrl(text: string): string | undefined {
  const url = parseSecureUrl(text)
  if (url === undefined || text.includes('?')) return undefined
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}
