import type { LoginResult, Logins, LoginTarget } from '../../../domain/logins.js'
import { clientSecretName } from '../../../logins/login-secret.js'
import { isClientRefused } from '../../../oauth/token-error.js'
import type { CliContext } from '../context.js'

/** How often a secret may be typed. */
const TRIES = 3

/**
 * Logs in with the secret of a client that has one although it cannot keep it (Google's Desktop clients). It is
 * asked for without showing it, again where the provider refuses it, and kept by the login that succeeds. Where
 * nobody can be asked it is left out.
 */
export async function withClientSecret(
  context: CliContext,
  vault: { has(name: string): Promise<boolean> },
  logins: Logins,
  target: LoginTarget,
  logIn: (target: LoginTarget) => Promise<LoginResult>,
): Promise<LoginResult> {
  const { clientId, clientSecretRef, provider } = target
  if (clientId === undefined || !logins.asksForSecret(provider)) return logIn(target)
  const name = clientSecretName(provider, clientId)
  const kept = `vault://${name}`
  // Somebody who says where it is keeps it himself.
  if (clientSecretRef !== undefined && clientSecretRef !== kept) return logIn(target)
  const { clientSecretRef: _none, ...bare } = target
  const ask = async (before: string): Promise<LoginTarget | undefined> => {
    const typed = await context.host.prompter.hidden(`${before}Secret of the client ${clientId}: `)
    return typed === undefined || typed === '' ? undefined : { ...bare, clientSecret: typed }
  }
  let next = (await vault.has(name)) ? { ...bare, clientSecretRef: kept } : ((await ask('')) ?? bare)
  for (let tries = 1; ; tries += 1) {
    try {
      return await logIn(next)
    } catch (error) {
      const again =
        isClientRefused(error) && tries < TRIES ? await ask('The provider refused it. ') : undefined
      if (again === undefined) throw error
      next = again
    }
  }
}
