export type { OAuthManager, OAuthTokenRefresher, RefreshOptions } from '../domain/ports.js'
export type { OAuthCredential, OAuthToken } from '../domain/profile.js'
export {
  fromOAuthToken,
  isOAuthCredentialExpired,
  isOAuthCredentialValid,
  mergeRefreshedCredential,
  toOAuthToken,
} from '../domain/profile.js'
export type { Delivery, OAuthFailure } from '../oauth/errors.js'
export { OAuthError } from '../oauth/errors.js'
export type { DeviceDialect, LoginMetadata, LoginStatus } from '../oauth/metadata.js'
export { LOGIN_METADATA } from '../oauth/metadata.js'
export type { RefresherConfig } from '../oauth/refresher.js'
export { ProviderRefresher } from '../oauth/refresher.js'
export type {
  BrowserLogin,
  DeviceLoginAttempt,
  LoginResult,
  LoginTarget,
  LogoutResult,
} from '../profiles/login-types.js'
export type { Logins } from '../profiles/logins.js'
export type { RenewerConfig, RenewOptions } from '../resolver/renewal.js'
export { Renewer } from '../resolver/renewal.js'
export type { RenewalTiming } from '../resolver/renewal-timing.js'
export type { HeldLock, LockOptions, RefreshLocks } from '../storage/locks.js'
export type { Spilled, SpillPlace } from '../vault/unsaved-tokens.js'
