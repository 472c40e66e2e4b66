import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import { type AuthProfile, shownReference } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { NO_PROXY } from '../domain/proxy.js'
import { redactSecrets } from '../domain/redact.js'
import { parseBaseUrl } from '../domain/secure-url.js'
import { isForeignBaseUrl, leavesVault, pointersIn } from '../profiles/outside.js'
import { ACCOUNT_HEADERS } from '../providers/account-headers.js'

/*
 * A file from elsewhere may name addresses that credentials would be sent to, and files, variables and commands
 * that would be read. It is believed where the person says so, with --trust-endpoints.
 */

/** A profile, and what was left out of it. */
export interface Sifted {
  readonly profile: AuthProfile
  /** In words. */
  readonly dropped: readonly string[]
}

const LONGEST_SHOWN = 200
const REMEDY = 'look at it, then import it with --trust-endpoints'

/**
 * A login without what it can do without: the reference to its client's secret, and free data that points somewhere.
 *
 * @param ownClient the person has named the client
 */
export function untrusted(profile: AuthProfile, ownClient: boolean): Sifted {
  const { oauth } = profile
  if (oauth === undefined) return { profile, dropped: [] }
  const { clientSecretRef, metadata = {}, ...rest } = oauth
  const pointers = pointersIn(metadata)
  const kept = Object.entries(metadata).filter(([name]) => !pointers.includes(name))
  const dropsClient = clientSecretRef !== undefined && !ownClient
  const dropped = [
    ...(dropsClient ? ["where its client's secret is kept"] : []),
    ...pointers.map((name) => `metadata ${shown(JSON.stringify(name))}`),
  ]
  if (dropped.length === 0) return { profile, dropped }
  const sifted = withoutUndefined({
    ...rest,
    clientSecretRef: dropsClient ? undefined : clientSecretRef,
    metadata: kept.length === 0 ? undefined : Object.fromEntries(kept),
  })
  return { profile: { ...profile, oauth: sifted }, dropped }
}

/** Says what {@link untrusted} left out. */
export function droppedNote(id: string, dropped: readonly string[]): string {
  return `${id} came without ${dropped.join(' and ')}: keymux login sets it anew, or import it with --trust-endpoints --replace.`
}

/** @throws KeymuxError `endpoint_refused` for a profile that would lead elsewhere */
export function refuseProfile(profile: AuthProfile, provider: ProviderMetadata | undefined): void {
  const { baseUrl, headers, proxy, apiKey, token } = profile
  const reference = apiKey?.keyRef ?? token?.tokenRef
  // One that a relay understands may lead on to somebody else.
  const unknown = Object.keys(headers ?? {}).filter((name) => !ACCOUNT_HEADERS.has(name))
  const leads = [
    ...(baseUrl !== undefined && isForeignBaseUrl(baseUrl, provider)
      ? [`its credential would be sent to ${shown(parseBaseUrl(baseUrl) ?? baseUrl)}`]
      : []),
    ...(unknown.length === 0 ? [] : [`its requests would carry the headers ${shown(unknown.join(', '))}`]),
    ...(proxy !== undefined && proxy !== NO_PROXY
      ? [`its requests would go through the proxy ${shown(shownReference(proxy))}`]
      : []),
    ...(reference !== undefined && leavesVault(reference)
      ? [`its credential would be read from ${shown(reference)}`]
      : []),
  ]
  if (leads.length > 0) throw refused(leads.join(', and '))
}

/** A provider is nothing but an address. @throws KeymuxError `endpoint_refused` */
export function refuseProvider({ baseUrl, oauth }: ProviderMetadata): never {
  const token = oauth?.tokenEndpoint ?? oauth?.issuer
  const places = [baseUrl, token].filter((place) => place !== undefined).map(shown)
  throw refused(`credentials would be sent to ${[...new Set(places)].join(' and ')}`)
}

function refused(what: string): KeymuxError {
  return new KeymuxError('endpoint_refused', `${what}; ${REMEDY}`)
}

function shown(text: string): string {
  const clean = redactSecrets(text)
  return clean.length > LONGEST_SHOWN ? `${clean.slice(0, LONGEST_SHOWN)}…` : clean
}
