import type { AuthMode } from './profile.js'

/** OAuth endpoints of a provider, in the original's names. */
export interface OAuthEndpoint {
  readonly authUrl?: string
  readonly tokenUrl?: string
  readonly scopes?: readonly string[]
}

/** How a provider wants its credential: a bearer token, or a header of its own. */
export type AuthHeader = 'bearer' | 'x-api-key' | 'x-goog-api-key' | `header:${string}`

/** The dialect a provider speaks: its error shapes and those keymux answers with. */
export type ProviderFamily = 'openai' | 'anthropic' | 'gemini'

/** A cheap authenticated request that tells whether a credential works. */
export interface ProviderCheck {
  readonly method: 'GET' | 'POST'
  /** Appended to the base URL; begins with a slash. */
  readonly path: string
}

/** OAuth settings of a custom provider. */
export interface ProviderOAuthConfig {
  readonly issuer?: string
  readonly authorizationEndpoint?: string
  readonly tokenEndpoint?: string
  readonly deviceAuthorizationEndpoint?: string
  readonly revocationEndpoint?: string
  readonly clientId: string
  readonly clientSecretRef?: string
  readonly scopes?: readonly string[]
  readonly tokenRequest?: 'form' | 'json'
  readonly redirectUri?: string
}

/** What keymux knows of a provider. The fields down to `parentProvider` are the original's. */
export interface ProviderMetadata {
  readonly name: string
  readonly label: string
  readonly description: string
  readonly modes: readonly AuthMode[]
  /** Environment variable of the key. */
  readonly envKey?: string
  readonly website?: string
  readonly scopes?: readonly string[]
  readonly oauthEndpoint?: OAuthEndpoint
  readonly parentProvider?: string
  /** Where its API lives, without a trailing slash. */
  readonly baseUrl?: string
  /** Header for API keys; `bearer` by default. Tokens and OAuth are always sent as a bearer token. */
  readonly auth?: AuthHeader
  /** Headers that every request needs, such as an API version. */
  readonly headers?: Readonly<Record<string, string>>
  /** Headers that go with tokens that begin with these texts; lists are added to those of the caller. */
  readonly tokenHeaders?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Other addresses of the provider itself: a credential may be sent there. */
  readonly ownBaseUrls?: readonly string[]
  readonly family?: ProviderFamily
  /** Environment variable names the key is also known by. */
  readonly envAliases?: readonly string[]
  /** Environment variable of the key in token and OAuth mode, where it differs. */
  readonly tokenEnvKey?: string
  /** Environment variable of tokens that begin with these texts, where it is another than for tokens in general. */
  readonly tokenEnvKeys?: Readonly<Record<string, string>>
  readonly baseUrlEnv?: string
  /** Other environment variables that programs take the base URL from. */
  readonly baseUrlAliases?: readonly string[]
  /** Environment variables that lead a program to another account of this provider, or to another credential. */
  readonly relatedEnv?: readonly string[]
  readonly check?: ProviderCheck
  /** The proxy of its accounts: a URL without a login, a reference to one with, or `none`. */
  readonly proxy?: string
  /** How long an OAuth access token is known to live and which flows are allowed is settled by this data. */
  readonly oauth?: ProviderOAuthConfig
  /** Suggested profile names for this provider. */
  readonly suggestedNames?: readonly string[]
}

/** A provider as listed to agents and people. */
export interface ProviderInfo {
  readonly name: string
  readonly label: string
  readonly description: string
  readonly modes: readonly AuthMode[]
  readonly envKey?: string
  readonly website?: string
}
