import type { ProviderLookup } from '../domain/providers.js'
import type { Entry } from './entry.js'

/**
 * What the owner can do about a login that is not renewed, as a phrase; `undefined` when that is nothing, or
 * when nothing is wrong.
 *
 * @param providers where the settings of providers are looked up
 */
export function renewalAdvice(entry: Entry, providers: ProviderLookup): string | undefined {
  const { meta } = entry.record
  if (meta.mode !== 'oauth' || meta.loginNeeded === true || !meta.hasRefresh) return undefined
  const { obstacle, backoff } = entry
  if (obstacle !== undefined) return obstacle.missing === 'client_id' ? ownClient(entry) : obstacle.hint
  if (backoff?.reason !== 'auth_permanent') return undefined
  const { oauth } = providers.get(entry.provider) ?? {}
  const configured = oauth !== undefined && (meta.clientId === undefined || meta.clientId === oauth.clientId)
  return configured
    ? `check providers.${entry.provider}.oauth.client_id and the other settings of its logins`
    : `check the client that it was made with, or ${ownClient(entry)}`
}

function ownClient({ id }: Entry): string {
  return `run keymux login ${id} --client-id ID`
}
