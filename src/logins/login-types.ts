import type { CallOptions, Clock } from '../domain/ports.js'
import type { DeviceLogin } from '../oauth/device-flow.js'
import type { ProviderRefresher } from '../oauth/refresher.js'
import type { Profiles } from '../profiles/types.js'
import type { ProviderLookup } from '../profiles/validate.js'
import type { ClientSecrets } from './login-secret.js'

/** What logins work with. */
export interface LoginsConfig {
  readonly profiles: Profiles
  readonly providers: ProviderLookup
  readonly refresher: ProviderRefresher
  /** Where client secrets that were given with a login are kept. */
  readonly secrets: ClientSecrets
  /** Names this vault to providers that ask where keymux runs: a `urn:uuid:` that never changes. */
  readonly hostId: string
  readonly readReference: (reference: string, signal?: AbortSignal) => Promise<string>
  readonly clock: Clock
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  /** Keeps renewals of the profile away meanwhile. */
  readonly exclusively: <T>(profileId: string, waitMs: number, body: () => Promise<T>) => Promise<T>
}

/** Who logs in where. */
export interface LoginTarget extends CallOptions {
  readonly provider: string
  /** The profile's name. By default the e-mail address that comes back, else `default`. */
  readonly name?: string
  readonly clientId?: string
  /** Where the client's secret is kept: `vault://NAME`, `env://VAR`, `file:///path`. */
  readonly clientSecretRef?: string
  /**
   * The client's secret itself. It is kept in the vault as the secret `oauth-client:PROVIDER:CLIENT_ID` once the
   * login has succeeded.
   */
  readonly clientSecret?: string
  readonly scopes?: readonly string[]
  /**
   * Take the place of a login or key also where nothing tells whether it is the same account's. The login of an
   * account known to be another stays. Default false.
   */
  readonly replace?: boolean
  /** Port of the loopback listener. */
  readonly port?: number
  /** How long the person may take, in milliseconds. Default 5 minutes. */
  readonly timeLimitMs?: number
}

/** What a login left in the vault. */
export interface LoginResult {
  readonly profileId: string
  readonly email?: string
  /** Whether the profile was there before. */
  readonly renewed: boolean
}

/** A login in the browser: open its URL, wait for the result, close it. */
export interface BrowserLogin extends AsyncDisposable {
  readonly url: string
  /** @throws KeymuxError `invalid_value` */
  paste(text: string): void
  /** Waits for the person, then stores what came of it. Nothing is stored when this fails. */
  complete(): Promise<LoginResult>
  close(): Promise<void>
}

/** A login on another device: show the code, wait for the result. */
export interface DeviceLoginAttempt
  extends Pick<DeviceLogin, 'verificationUri' | 'verificationUriComplete' | 'userCode' | 'expiresInSeconds'> {
  complete(): Promise<LoginResult>
}

/** How a profile was logged out. */
export interface LogoutResult {
  readonly profileId: string
  /** Whether the provider confirmed that the tokens are void. */
  readonly revoked: boolean
}
