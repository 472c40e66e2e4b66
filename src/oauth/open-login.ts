import type { ProviderMetadata } from '../domain/provider.js'

/** Whether anybody may log in at a built-in provider for tokens, without a client of his own. */
export function isOpenToAll({ login }: ProviderMetadata): boolean {
  return login?.status === 'official' && login.yields === undefined
}
