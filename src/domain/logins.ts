import type { CallOptions, OAuthManager } from './ports.js'
import type { OAuthCredential } from './profile.js'

/** Who logs in where. */
export interface LoginTarget extends CallOptions {
  readonly provider: string
  /** The profile's name. By default the e-mail address that comes back, else `default`. */
  readonly name?: string | undefined
  readonly clientId?: string | undefined
  /** Where the client's secret is kept: `vault://NAME`, `env://VAR`, `file:///path`. */
  readonly clientSecretRef?: string | undefined
  /**
   * The client's secret itself. It is kept in the vault as the secret `oauth-client:PROVIDER:CLIENT_ID` once the
   * login has succeeded.
   */
  readonly clientSecret?: string | undefined
  readonly scopes?: readonly string[] | undefined
  /**
   * Take the place of a login or key also where nothing tells whether it is the same account's. The login of an
   * account known to be another stays. Default false.
   */
  readonly replace?: boolean | undefined
  /** Port of the loopback listener. */
  readonly port?: number | undefined
  /** How long the person may take, in milliseconds. Default 5 minutes. */
  readonly timeLimitMs?: number | undefined
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
export interface DeviceLoginAttempt {
  readonly verificationUri: string
  readonly verificationUriComplete?: string
  readonly userCode: string
  /** Seconds until the code is void. */
  readonly expiresInSeconds: number
  complete(): Promise<LoginResult>
}

/** How a profile was logged out. */
export interface LogoutResult {
  readonly profileId: string
  /** Whether the provider confirmed that the tokens are void. */
  readonly revoked: boolean
}

/** Options of {@link OAuthRenewer.renew}. */
export interface RenewOptions extends CallOptions {
  /** The access token that the provider refused: where another is stored by now, it is given instead. */
  readonly rejected?: string | undefined
}

/** Logs accounts in and out. */
export interface Logins {
  /** Whether logins at this provider go by device unless told otherwise, or are known to go no other way. */
  prefersDevice(provider: string): boolean
  /** Whether a client of one's own has a secret that must be known. */
  asksForSecret(provider: string): boolean
  /**
   * Refuses what cannot succeed, before anybody is bothered.
   *
   * @throws KeymuxError `unknown_provider`, `unsupported_mode`, `usage`, `profile_exists`
   */
  check(target: LoginTarget): Promise<void>
  /**
   * Checks a login, and completes it with the client that the named profile was logged in with before.
   *
   * @throws as {@link Logins.check}
   */
  prepare(target: LoginTarget): Promise<LoginTarget>
  /** Starts a login in the browser. @throws as {@link Logins.check}, and `login_failed`, `provider_unreachable` */
  browser(target: LoginTarget): Promise<BrowserLogin>
  /** Starts a login on another device. */
  device(target: LoginTarget): Promise<DeviceLoginAttempt>
  /**
   * Asks the provider to void the tokens (best effort, 10 s), then drops them. The profile stays, and says that
   * it needs a login.
   *
   * @throws KeymuxError `profile_not_found`, `unsupported_mode`, storage errors
   */
  logout(id: string, options?: CallOptions): Promise<LogoutResult>
}

/** An {@link OAuthManager} that renews on demand and ahead of time. */
export interface OAuthRenewer extends OAuthManager {
  /**
   * Renews now, whether due or not, unless others have renewed it since it was read, or since `rejected` was
   * current. An abort ends this caller's wait alone: the renewal goes on and its result is stored.
   *
   * @throws KeymuxError `refresh_failed`; its cause is the refresher's own error
   */
  renew(profileId: string, options?: RenewOptions): Promise<OAuthCredential>
  /** Renews logins ahead of time, until the signal fires: for whoever runs for long. */
  keepFresh(signal: AbortSignal): Promise<void>
  /** Whether a request is under way whose tokens must still be stored. */
  readonly underWay: boolean
}
