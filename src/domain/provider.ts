import type { ProviderFailureRule } from './failure-rule.js'
import type { LoginMetadata } from './login-metadata.js'
import type { AuthMode } from './profile.js'

/** OAuth endpoints of a provider, in the original's names. */
export interface OAuthEndpoint {
  readonly authUrl?: string
  readonly tokenUrl?: string
  readonly scopes?: readonly string[]
}

/** A header of a provider's own, with what stands before the credential in it: `Token` in `Authorization: Token KEY`. */
export interface CredentialHeader {
  /** In lower case. */
  readonly header: string
  /** A space follows it. Absent: the credential alone. */
  readonly prefix?: string
}

/** How a provider wants its credential: a bearer token, or a header of its own. */
export type AuthHeader = 'bearer' | 'x-api-key' | 'x-goog-api-key' | `header:${string}` | CredentialHeader

/** The dialect a provider speaks: its error shapes and those keymux answers with. */
export type ProviderFamily = 'openai' | 'anthropic' | 'gemini'

/**
 * The ways of telling failures that are known by a name; `relay` is that of programs that pass on the errors of others.
 * Where there are no rules for one, the provider's name and its dialect decide.
 */
export const FAILURE_FAMILIES = [
  'openai',
  'anthropic',
  'gemini',
  'groq',
  'dashscope',
  'minimax',
  'zai',
  'cohere',
  'mistral',
  'azure',
  'openrouter',
  'github',
  'opencode',
  'cloudflare',
  'relay',
] as const

/** Whose way of telling failures a provider has. */
export type FailureFamily = (typeof FAILURE_FAMILIES)[number]

/** How a provider says that an account is unpaid, where it differs from its dialect: clients know it by that. */
export interface UnpaidAnswer {
  /** HTTP status, 400 to 499. */
  readonly status: number
  /** Default `insufficient_quota`. */
  readonly type?: string
  /** Default `insufficient_quota`. */
  readonly code?: string
  /** The words by which clients know it, without a full stop. */
  readonly message: string
}

/** A cheap authenticated request that tells whether a credential works. */
export interface ProviderCheck {
  readonly method: 'GET' | 'POST'
  /** Appended to the base URL; begins with a slash. */
  readonly path: string
  /** What a good answer tells besides that the credential works: `credit`, that the account can pay. */
  readonly tells?: 'credit'
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
  /** Rules of its owner's own about what its failures mean. */
  readonly failureRules?: readonly ProviderFailureRule[]
  /** Whose way of telling failures it has; that of its dialect by default. */
  readonly failureFamily?: FailureFamily
  /** Its page that says all this. */
  readonly docs?: string
  /** What other programs call it, in lower case. */
  readonly aliases?: readonly string[]
  /**
   * Whether it serves without a key, as programs on one's own machine do. An account without one sends none; one that
   * has a key sends it. Default false.
   */
  readonly keyless?: boolean
  /**
   * What a base URL looks like where each account has one of its own, `https://RESOURCE.openai.azure.com`: accounts are
   * asked for theirs.
   */
  readonly baseUrlExample?: string
  /** Where its API is, relative to a base URL without a version: `/v1`. {@link apiPaths} are looked for there. */
  readonly apiPrefix?: string
  /** First parts of the paths under {@link apiPrefix}: `messages`. Those of OpenAI's API by default. */
  readonly apiPaths?: readonly string[]
  /** Where its OpenAI-compatible API is, relative to the base URL, where that is elsewhere: `/compatibility/v1`. */
  readonly compatiblePath?: string
  /** Whether it has the sessions over WebSocket of its dialect. Default true. */
  readonly realtime?: boolean
  readonly unpaid?: UnpaidAnswer
  /** Environment variable names the key is also known by. */
  readonly envAliases?: readonly string[]
  /**
   * Further ones, of programs that take no base URL from the environment: they are given the key only where requests go
   * to the provider itself.
   */
  readonly directEnvKeys?: readonly string[]
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
  /** False: no gateway asks the check by itself. Default true. */
  readonly health?: boolean
  /** The proxy of its accounts: a URL without a login, a reference to one with, or `none`. */
  readonly proxy?: string
  /** How logins at a built-in provider work, and who may log in. One of your own says `oauth`. */
  readonly login?: LoginMetadata
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
