export { Renewer } from '../compose-compat.js'
export type { DeviceDialect, LoginMetadata, LoginStatus } from '../domain/login-metadata.js'
export type {
  BrowserLogin,
  DeviceLoginAttempt,
  LoginResult,
  Logins,
  LoginTarget,
  LogoutResult,
  RenewOptions,
} from '../domain/logins.js'
export type { OAuthManager, OAuthTokenRefresher, RefreshOptions } from '../domain/ports.js'
export type { OAuthCredential, OAuthToken } from '../domain/profile.js'
export {
  fromOAuthToken,
  isOAuthCredentialExpired,
  isOAuthCredentialValid,
  mergeRefreshedCredential,
  toOAuthToken,
} from '../domain/profile.js'
export type { RenewerConfig } from '../logins/renewal.js'
export type { RenewalTiming } from '../logins/renewal-timing.js'
export type { Delivery, OAuthFailure } from '../oauth/errors.js'
export { OAuthError } from '../oauth/errors.js'
export type { RefresherConfig } from '../oauth/refresher.js'
export { ProviderRefresher } from '../oauth/refresher.js'
export { LOGIN_METADATA } from '../providers/logins.js'
export type { HeldLock, LockOptions, RefreshLocks } from '../storage/locks.js'
export type { Spilled, SpillPlace } from '../vault/unsaved-tokens.js'
