import { vaultReferenceName } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { parseBaseUrl } from '../domain/secure-url.js'

/*
 * What comes by a tool, over the network or in a file is not its owner's word. None of it decides where a
 * credential is sent, what is read or what is run until a person has said so.
 */

/** The free data of a login that named where its client's secret is, before that had a field of its own. */
const OLD_SECRET_REFERENCE = 'client_secret_ref'

/** Whether a base URL is another than the provider's own. One that nothing can be sent to leads nowhere. */
export function isForeignBaseUrl(baseUrl: string, provider: ProviderMetadata | undefined): boolean {
  const url = parseBaseUrl(baseUrl)
  const own = [provider?.baseUrl ?? '', ...(provider?.ownBaseUrls ?? [])].map((each) => parseBaseUrl(each))
  return url !== undefined && !own.includes(url)
}

/** Whether a reference leads out of the vault: to a variable, a file, a command. */
export function leavesVault(reference: string): boolean {
  return vaultReferenceName(reference) === undefined
}

/** Names of free data that hold a reference or an address, in their order. */
export function pointersIn(metadata: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(metadata)
    .filter(([name, text]) => name === OLD_SECRET_REFERENCE || /^\s*[a-z][a-z0-9+.-]*:\/\//i.test(text))
    .map(([name]) => name)
}
