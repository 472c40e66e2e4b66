import { isLoopbackHost } from '../domain/secure-url.js'
import { type Exemption, readNoProxy } from './no-proxy.js'

/** Settings and files come from here that nobody names. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What an owner says of proxies, the most specific first. */
export interface ProxySettings {
  /** Of the very profile. */
  readonly profile?: string | undefined
  readonly provider?: string | undefined
  /** Of the config, for everybody. */
  readonly general?: string | undefined
}

/** What decides on a request's proxy. */
export interface ProxyChoice {
  /** A URL, a reference to one, or `none`. */
  readonly setting: string
  readonly source: 'profile' | 'provider' | 'config' | 'environment'
  /** Of the environment: the variable. */
  readonly variable?: string
}

/** What the environment says of proxies. */
export interface ProxyEnvironment {
  readonly proxy: { readonly setting: string; readonly variable: string } | undefined
  readonly exempt: Exemption
}

/**
 * Reads the environment as curl does for https (curl.se/docs/manpage.html, ENVIRONMENT): `HTTPS_PROXY`, then `ALL_PROXY`;
 * as Node.js and undici do, `HTTP_PROXY` after these. Lower case goes before upper case, and what is empty counts for
 * nothing. `HTTP_PROXY` in upper case is not read where a web server may have made it of a header: under CGI (RFC 3875)
 * every `Proxy:` header is one.
 */
export function readProxyEnvironment(env: Environment): ProxyEnvironment {
  const names = ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY', 'http_proxy']
  const isCgi = Boolean(env.REQUEST_METHOD) || Boolean(env.GATEWAY_INTERFACE)
  const variable = [...names, ...(isCgi ? [] : ['HTTP_PROXY'])].find((name) => env[name]?.trim())
  const setting = variable === undefined ? undefined : env[variable]?.trim()
  return {
    proxy: variable === undefined || setting === undefined ? undefined : { setting, variable },
    exempt: readNoProxy(env.no_proxy?.trim() || env.NO_PROXY || ''),
  }
}

/**
 * The proxy for requests to an address: the profile's, else the provider's, else the general one, else the
 * environment's. `NO_PROXY` holds for the last two, which name nobody. This machine itself is reached through none but
 * a profile's own.
 */
export function chooseProxy(
  url: URL,
  { profile, provider, general }: ProxySettings,
  { proxy, exempt }: ProxyEnvironment,
): ProxyChoice | undefined {
  if (profile !== undefined) return { setting: profile, source: 'profile' }
  if (isLoopbackHost(url.hostname)) return undefined
  if (provider !== undefined) return { setting: provider, source: 'provider' }
  if (general === undefined && proxy === undefined) return undefined
  if (exempt(url.hostname, Number(url.port || (url.protocol === 'https:' ? 443 : 80)))) return undefined
  if (general !== undefined) return { setting: general, source: 'config' }
  return proxy && { ...proxy, source: 'environment' }
}
