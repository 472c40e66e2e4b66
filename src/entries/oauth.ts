export type { OAuthManager, OAuthTokenRefresher, RefreshOptions } from '../domain/ports.js'
export type { OAuthCredential, OAuthToken } from '../domain/profile.js'
export {
  fromOAuthToken,
  isOAuthCredentialExpired,
  isOAuthCredentialValid,
  mergeRefreshedCredential,
  toOAuthToken,
} from '../domain/profile.js'
export type { RenewerConfig } from '../resolver/renewal.js'
export { Renewer } from '../resolver/renewal.js'
