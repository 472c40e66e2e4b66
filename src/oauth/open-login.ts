import { LOGIN_METADATA } from './metadata.js'

/** Whether anybody may log in at a built-in provider for tokens, without a client of his own. */
export function isOpenToAll(provider: string): boolean {
  const metadata = Object.hasOwn(LOGIN_METADATA, provider) ? LOGIN_METADATA[provider] : undefined
  return metadata?.status === 'official' && metadata.yields === undefined
}
