import { newProfileId } from '../domain/ids.js'
import type { LoginResult, LoginTarget } from '../domain/logins.js'
import type { AuthProfile, OAuthCredential, OAuthToken } from '../domain/profile.js'
import { fromOAuthToken } from '../domain/profile.js'
import type { Profiles } from '../domain/profiles.js'
import { findAccount } from '../oauth/account.js'
import type { LoginYield } from '../oauth/code-flow.js'
import type { KeyYield } from '../oauth/key-exchange.js'
import { tokenOf } from '../oauth/refresher.js'
import type { OAuthSettings } from '../oauth/settings.js'
import type { TokenGrant } from '../oauth/token-answer.js'
import { isKnownAccount, nameFor, refuseOther } from './login-account.js'
import { keyNameFor, refuseOtherKey } from './login-keys.js'
import type { ClientSecrets } from './login-secret.js'
import { clientSecretName, keepingSecret } from './login-secret.js'

/** What the audit calls it. */
const LOGIN = { event: 'login' } as const

interface StoreConfig {
  readonly profiles: Profiles
  readonly secrets: ClientSecrets
  readonly now: () => Date
}

/** Stores what a login yielded, in one step, under the name that fits. */
export class LoginStore {
  readonly #config: StoreConfig

  constructor(config: StoreConfig) {
    this.#config = config
  }

  async store(outcome: LoginYield, settings: OAuthSettings, target: LoginTarget): Promise<LoginResult> {
    target.signal?.throwIfAborted()
    if (outcome.kind === 'api_key') return this.#storeKey(outcome, settings, target)
    const { grant, clientId } = outcome
    const { clientSecret } = target
    if (clientSecret === undefined) return this.#storeTokens(grant, clientId, settings, target)
    const name = clientSecretName(settings.provider, clientId)
    const kept = { ...target, clientSecretRef: `vault://${name}` }
    return keepingSecret(this.#config.secrets, name, clientSecret, {}, () =>
      this.#storeTokens(grant, clientId, settings, kept),
    )
  }

  async #storeTokens(
    grant: TokenGrant,
    clientId: string,
    settings: OAuthSettings,
    target: LoginTarget,
  ): Promise<LoginResult> {
    const issuedAt = this.#config.now()
    const account = await findAccount(settings, grant, target.signal)
    target.signal?.throwIfAborted()
    const token = tokenOf(settings.provider, grant, issuedAt, account)
    const { name, explicit } = await nameFor(this.#config.profiles, token, target, account.login)
    const oauth = credentialOf(token, name, clientId, settings.scopes, target.clientSecretRef)
    const id = newProfileId(settings.provider, name)
    let renewed = false
    await this.#config.profiles.change(
      id,
      (known) => {
        renewed = known !== undefined
        if (known !== undefined) refuseOther(known, oauth, { explicit, replace: target.replace === true })
        const base = known ?? blank(settings.provider, name, 'oauth', issuedAt)
        return { ...base, oauth: { ...keptAddress(known?.oauth, oauth), ...oauth } }
      },
      LOGIN,
    )
    return { profileId: id, renewed, ...(token.email === undefined ? {} : { email: token.email }) }
  }

  async #storeKey(
    { key, account }: KeyYield,
    { provider, keyPage }: OAuthSettings,
    target: LoginTarget,
  ): Promise<LoginResult> {
    const name = await keyNameFor(this.#config.profiles, provider, account, target)
    const id = newProfileId(provider, name)
    let renewed = false
    await this.#config.profiles.change(
      id,
      (known) => {
        renewed = known !== undefined
        if (known !== undefined) refuseOtherKey(known, account, target, keyPage)
        const profile = known ?? blank(provider, name, 'api_key', this.#config.now())
        const { oauth: _none, token: _neither, account: _former, ...base } = profile
        return { ...base, apiKey: { key }, ...(account === undefined ? {} : { account }) }
      },
      LOGIN,
    )
    return { profileId: id, renewed }
  }
}

function credentialOf(
  token: OAuthToken,
  name: string,
  clientId: string,
  asked: readonly string[],
  clientSecretRef: string | undefined,
): OAuthCredential {
  return {
    ...fromOAuthToken(token, name),
    clientId,
    scopes: token.scopes ?? asked,
    ...(clientSecretRef === undefined ? {} : { clientSecretRef }),
  }
}

/** The address stays where the answer names the same account without it; another's is never carried over. */
function keptAddress(known: OAuthCredential | undefined, fresh: OAuthCredential): { email?: string } {
  if (known?.email === undefined || !isKnownAccount(known, fresh)) return {}
  return { email: known.email }
}

function blank(provider: string, name: string, mode: 'oauth' | 'api_key', now: Date): AuthProfile {
  const id = newProfileId(provider, name)
  return { id, provider, name, mode, priority: 0, enabled: true, createdAt: now, updatedAt: now }
}
