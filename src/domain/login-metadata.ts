/** Who may log in to a provider, see {@link LoginStatus}. */
export const LOGIN_STATUSES = [
  'official',
  'own-client',
  'first-party-only',
  'discontinued',
  'configured',
] as const

/**
 * Who may log in to a provider with OAuth.
 *
 * - `official`: any program, without a registration
 * - `own-client`: whoever registers a client of his own and names it with `--client-id`
 * - `first-party-only`: the provider's own programs; others get API keys
 * - `discontinued`: nobody any more
 * - `configured`: whoever declared the provider, with the client he named there
 */
export type LoginStatus = (typeof LOGIN_STATUSES)[number]

/** In what a device login differs from RFC 8628. */
export interface DeviceDialect {
  /** `grant_type` of the polls. */
  readonly grantType?: string
  /** Which code the polls repeat. */
  readonly pollsWith?: 'device_code' | 'user_code'
  /** Sends a PKCE challenge with the first request and its verifier with the polls. */
  readonly pkce?: boolean
  /** Further fields of the first request. */
  readonly fields?: Readonly<Record<string, string>>
  /** Sends a random `state` with the first request, and takes no answer with another one. */
  readonly state?: boolean
  /** The field in which polls are told how it stands, in place of an error code; `pending` means what it says. */
  readonly statusField?: string
  /** Unit of the interval. Default seconds. */
  readonly intervalUnit?: 'milliseconds'
}

/** A client is registered by the first login itself; the callback says which. */
export interface ClientRegistration {
  /** What the first request names in place of a client. Never kept, and never sent to the token endpoint. */
  readonly entry: string
  /** Further parameters of the first request. */
  readonly fields: Readonly<Record<string, string>>
  /** The parameter that names the place keymux runs at, always the same for one vault. */
  readonly hostField: string
}

/** How logins at a provider work, and whether they are allowed. */
export interface LoginMetadata {
  readonly status: LoginStatus
  /** For people: what to do, or to do instead. */
  readonly note: string
  readonly issuer?: string
  readonly authorizationEndpoint?: string
  readonly tokenEndpoint?: string
  readonly deviceAuthorizationEndpoint?: string
  readonly revocationEndpoint?: string
  /** Where the account's e-mail is, when the tokens do not tell. */
  readonly accountEndpoint?: string
  readonly scopes?: readonly string[]
  /** Further parameters of the authorization request. */
  readonly authorizationFields?: Readonly<Record<string, string>>
  /** Further fields of requests to the token endpoint. */
  readonly tokenFields?: Readonly<Record<string, string>>
  /** Path that the browser comes back to. Default `/callback`. */
  readonly callbackPath?: string
  readonly registration?: ClientRegistration
  /** A scope without which the tokens are of no use. */
  readonly neededScope?: string
  /** What the login yields: tokens, or an API key (OpenRouter). Default tokens. */
  readonly yields?: 'api_key'
  /** Where a person sees and deletes the API keys that logins yielded. */
  readonly keyPage?: string
  /** The client has a secret although it cannot keep one: it is asked for. */
  readonly asksForSecret?: boolean
  /** The flow when nothing is said. Default `code`. */
  readonly preferred?: 'device'
  readonly device?: DeviceDialect
}
