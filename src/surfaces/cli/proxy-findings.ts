import { isKeymuxError, type KeymuxError } from '../../domain/errors.js'
import type { Keymux } from '../../domain/keymux.js'
import type { ProfileView } from '../../domain/profiles.js'
import { readProxyEnvironment } from '../../egress/choice.js'
import type { CliContext } from './context.js'
import type { Finding } from './finding.js'

/** Accounts that go the same way to the same server. */
interface SameWay {
  readonly url: string
  readonly server: string
  /** `HOST:PORT (HTTPS_PROXY)`; absent: straight there. */
  readonly proxy: string | undefined
  /** Why there is no way. */
  readonly error: KeymuxError | undefined
  readonly ids: string[]
}

/** What the environment says of proxies, for who cannot look into the vault. */
export function proxyOfEnvironment({ host }: CliContext): Finding[] {
  const { proxy } = readProxyEnvironment(host.env)
  if (proxy === undefined) return []
  return [{ check: 'proxy', status: 'ok', message: `the environment names one: ${proxy.variable}` }]
}

/**
 * Which proxies are in use, for whom, and who says so.
 *
 * @param live whether connections are opened to see what stands in their way; nothing is sent
 */
export async function proxiesInUse(
  { profiles, providers, egress }: Pick<Keymux, 'profiles' | 'providers' | 'egress'>,
  { live, signal }: { readonly live: boolean; readonly signal: AbortSignal },
): Promise<Finding[]> {
  const ways = new Map<string, SameWay>()
  for (const view of await profiles.views({}, { signal })) {
    const url = view.baseUrl ?? providers.get(view.provider)?.baseUrl
    if (url === undefined) continue
    const way = await wayOf(egress, url, view)
    const key = JSON.stringify([way.server, way.proxy, way.error?.message])
    const known = ways.get(key)
    if (known === undefined) ways.set(key, way)
    else known.ids.push(view.id)
  }
  const all = [...ways.values()]
  const proxied = all.filter(({ proxy, error }) => proxy !== undefined || error !== undefined)
  const inUse = byProxy(proxied)
  if (!live) return inUse
  const tried = await Promise.all(
    all.filter(({ error }) => error === undefined).map((way) => probe(egress, way, signal)),
  )
  return [...inUse, ...tried]
}

async function wayOf(egress: Keymux['egress'], url: string, { provider, id }: ProfileView): Promise<SameWay> {
  const { host } = new URL(url)
  const way = { url, server: host, ids: [id] }
  try {
    const use = await egress.proxyFor(url, { provider, profileId: id })
    return { ...way, proxy: use && `${use.label} (${use.source})`, error: undefined }
  } catch (error) {
    if (!isKeymuxError(error, 'proxy_failed')) throw error
    return { ...way, proxy: undefined, error }
  }
}

function byProxy(ways: readonly SameWay[]): Finding[] {
  const found = new Map<string, { readonly way: SameWay; readonly ids: string[] }>()
  for (const way of ways) {
    const key = way.proxy ?? way.error?.message ?? ''
    const known = found.get(key)
    if (known === undefined) found.set(key, { way, ids: [...way.ids] })
    else known.ids.push(...way.ids)
  }
  return [...found].map(([what, { way, ids }]) => {
    const whose = listed(ids)
    if (way.error === undefined) return { check: 'proxy', status: 'ok', message: `${what}: ${whose}` }
    return problem('proxy', `${what}: ${whose}`, way.error)
  })
}

async function probe(
  egress: Keymux['egress'],
  { url, server, proxy, ids }: SameWay,
  signal: AbortSignal,
): Promise<Finding> {
  const [id = ''] = ids
  const provider = id.slice(0, id.lastIndexOf(':'))
  const through = proxy === undefined ? '' : ` through ${proxy}`
  try {
    await egress.probe(url, { provider, profileId: id }, signal)
    return { check: 'network', status: 'ok', message: `${server} can be reached${through}` }
  } catch (error) {
    if (!isKeymuxError(error)) throw error
    return problem('network', error.message, error)
  }
}

function problem(check: string, message: string, { hint, exitCode }: KeymuxError): Finding {
  return { check, status: 'problem', message, exitCode, ...(hint === undefined ? {} : { hint }) }
}

const MOST_LISTED = 6

function listed(ids: readonly string[]): string {
  const more = ids.length - MOST_LISTED
  return more > 0 ? `${ids.slice(0, MOST_LISTED).join(', ')} and ${more} more` : ids.join(', ')
}
