export { isLoopbackHost, parseBaseUrl, parseSecureUrl } from '../domain/secure-url.js'
