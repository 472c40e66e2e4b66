/**
 * Who may log in to a provider with OAuth.
 *
 * - `official`: any program, without a registration
 * - `own-client`: whoever registers a client of his own and names it with `--client-id`
 * - `first-party-only`: the provider's own programs; others get API keys
 * - `discontinued`: nobody any more
 * - `configured`: whoever declared the provider, with the client he named there
 */
export type LoginStatus = 'official' | 'own-client' | 'first-party-only' | 'discontinued' | 'configured'

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

const USE_A_KEY = 'use an API key: keymux add'

/** What is known of the built-in providers' logins. Facts of other people's programs: see each one's page. */
export const LOGIN_METADATA: Readonly<Record<string, LoginMetadata>> = {
  // https://openrouter.ai/docs/oauth
  openrouter: {
    status: 'official',
    note: 'gives an API key that you can see and delete at openrouter.ai/settings/keys',
    authorizationEndpoint: 'https://openrouter.ai/auth',
    tokenEndpoint: 'https://openrouter.ai/api/v1/auth/keys',
    yields: 'api_key',
    keyPage: 'https://openrouter.ai/settings/keys',
  },
  // https://developers.google.com/identity/protocols/oauth2/native-app
  gemini: {
    status: 'own-client',
    note: 'make an OAuth client of the type "Desktop app" at console.cloud.google.com/apis/credentials',
    issuer: 'https://accounts.google.com',
    authorizationEndpoint: 'https://accounts.google.com/o/oauth2/v2/auth',
    tokenEndpoint: 'https://oauth2.googleapis.com/token',
    revocationEndpoint: 'https://oauth2.googleapis.com/revoke',
    scopes: ['openid', 'email', 'https://www.googleapis.com/auth/cloud-platform'],
    // Without these Google gives a refresh token at the first consent only.
    authorizationFields: { access_type: 'offline', prompt: 'consent' },
    asksForSecret: true,
  },
  // https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
  'github-copilot': {
    status: 'own-client',
    note: 'make an OAuth app with device flow at github.com/settings/developers; Copilot may refuse its tokens',
    authorizationEndpoint: 'https://github.com/login/oauth/authorize',
    tokenEndpoint: 'https://github.com/login/oauth/access_token',
    deviceAuthorizationEndpoint: 'https://github.com/login/device/code',
    accountEndpoint: 'https://api.github.com/user',
    scopes: ['read:user', 'user:email'],
    preferred: 'device',
  },
  // https://huggingface.co/docs/hub/oauth
  huggingface: {
    status: 'own-client',
    note: 'make a public OAuth app at huggingface.co/settings/applications/new',
    issuer: 'https://huggingface.co',
    scopes: ['openid', 'profile', 'email', 'inference-api'],
  },
  // A preview: https://developers.openai.com/siwc/token-sharing-open-source/sign-in. The endpoints are those of
  // https://auth.openai.com/.well-known/openid-configuration.
  openai: {
    status: 'official',
    note: 'uses the ChatGPT plan of the account, where OpenAI allows it; a preview, for models at /v1/responses',
    issuer: 'https://auth.openai.com',
    authorizationEndpoint: 'https://auth.openai.com/api/accounts/authorize',
    tokenEndpoint: 'https://auth.openai.com/api/accounts/oauth/token',
    revocationEndpoint: 'https://auth.openai.com/api/accounts/oauth/revoke',
    scopes: ['openid', 'profile', 'email', 'offline_access', 'resource.invoke', 'chatgpt.tokens.use.direct'],
    neededScope: 'chatgpt.tokens.use.direct',
    authorizationFields: { resource: 'https://api.openai.com/v1' },
    tokenFields: { resource: 'https://api.openai.com/v1' },
    callbackPath: '/auth/callback',
    registration: {
      entry: 'dynamic_agent_client',
      fields: { agent_name_hint: 'keymux' },
      hostField: 'ext_agent_host_id',
    },
  },
  anthropic: {
    status: 'first-party-only',
    note: `logins with a Claude account are for Anthropic's own programs; ${USE_A_KEY} anthropic`,
  },
  // MiniMax gives client ids to partners; the dialect is what its portal speaks.
  minimax: {
    status: 'first-party-only',
    note: `MiniMax's portal logs in programs of its partners alone; ${USE_A_KEY} minimax`,
    tokenEndpoint: 'https://api.minimax.io/oauth/token',
    deviceAuthorizationEndpoint: 'https://api.minimax.io/oauth/code',
    scopes: ['group_id', 'profile', 'model.completion'],
    preferred: 'device',
    device: {
      grantType: 'urn:ietf:params:oauth:grant-type:user_code',
      pollsWith: 'user_code',
      pkce: true,
      state: true,
      statusField: 'status',
      fields: { response_type: 'code' },
      intervalUnit: 'milliseconds',
    },
  },
  // Ended on 2026-04-15: https://github.com/QwenLM/qwen-code
  qwen: {
    status: 'discontinued',
    note: `Qwen ended its free logins on 2026-04-15; ${USE_A_KEY} qwen`,
    tokenEndpoint: 'https://chat.qwen.ai/api/v1/oauth2/token',
    deviceAuthorizationEndpoint: 'https://chat.qwen.ai/api/v1/oauth2/device/code',
    scopes: ['openid', 'profile', 'email', 'model.completion'],
    preferred: 'device',
    device: { pkce: true },
  },
}
