import type { LoginMetadata } from '../domain/login-metadata.js'
import { CATALOGUE } from './catalogue.js'

/** What is known of the built-in providers' logins, by provider. Facts of other people's programs: see each one's page. */
export const LOGIN_METADATA: Readonly<Record<string, LoginMetadata>> = Object.fromEntries(
  CATALOGUE.flatMap(({ name, login }) => (login === undefined ? [] : [[name, login] as const])),
)
