import type { CallOptions, VaultInterface } from '../domain/ports.js'

/** The part of the vault that keeps the secrets of OAuth clients. */
export type ClientSecrets = Pick<VaultInterface, 'has' | 'get' | 'set' | 'delete'>

/** The name under which a client's secret is kept in the vault. */
export function clientSecretName(provider: string, clientId: string): string {
  return `oauth-client:${provider}:${clientId.slice(0, 64)}`
}

/**
 * Keeps a client's secret while `body` stores the login that it made; when that fails, what was there before is
 * put back.
 */
export async function keepingSecret<T>(
  secrets: ClientSecrets,
  name: string,
  value: string,
  options: CallOptions,
  body: () => Promise<T>,
): Promise<T> {
  const before = (await secrets.has(name, options)) ? await secrets.get(name, options) : undefined
  if (before === value) return body()
  await secrets.set(name, value, options)
  try {
    return await body()
  } catch (error) {
    await (before === undefined ? secrets.delete(name) : secrets.set(name, before))
    throw error
  }
}
