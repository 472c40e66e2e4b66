import type { UpstreamProvider } from './types.js'

/** The failures that every provider knows in one form or another. */
export type FailureName =
  | 'rate_limited'
  | 'out_of_money'
  | 'bad_key'
  | 'permission'
  | 'overloaded'
  | 'server_error'
  | 'model_not_found'
  | 'context_overflow'
  | 'bad_request'

/** What the wording of a failure depends on. */
export interface FailureFacts {
  readonly model: string
  /** A message in place of the provider's own. */
  readonly message: string | undefined
  /** The wait the failure states, in milliseconds. */
  readonly waitMs: number | undefined
}

/** A failure as a provider puts it on the wire. */
export interface WireFailure {
  readonly status: number
  readonly body: object
}

type Wire = (facts: FailureFacts) => WireFailure
type Failures = Readonly<Record<FailureName, Wire>>

/** OpenAI, Groq, DeepSeek: `{error:{message,type,param,code}}`. */
function openaiStyle(
  status: number,
  code: string | null,
  type: string,
  words: (model: string) => string,
  param: string | null = null,
): Wire {
  return ({ model, message }) => ({
    status,
    body: { error: { message: message ?? words(model), type, param, code } },
  })
}

function anthropicStyle(status: number, type: string, words: (model: string) => string): Wire {
  return ({ model, message }) => ({
    status,
    body: { type: 'error', error: { type, message: message ?? words(model) }, request_id: 'req_scripted' },
  })
}

function geminiStyle(
  code: number,
  status: string,
  words: (model: string) => string,
  details: (facts: FailureFacts) => readonly object[] = () => [],
): Wire {
  return (facts) => ({
    status: code,
    body: { error: { code, message: facts.message ?? words(facts.model), status, details: details(facts) } },
  })
}

function mistralStyle(
  status: number,
  type: string,
  code: string | null,
  words: (model: string) => string,
): Wire {
  return ({ model, message }) => ({
    status,
    body: { object: 'error', message: message ?? words(model), type, param: null, code },
  })
}

function cohereStyle(status: number, words: (model: string) => string): Wire {
  return ({ model, message }) => ({ status, body: { message: message ?? words(model) } })
}

function xaiStyle(status: number, code: string, words: (model: string) => string): Wire {
  return ({ model, message }) => ({ status, body: { code, error: message ?? words(model) } })
}

function dashScopeStyle(status: number, code: string, words: (model: string) => string): Wire {
  return ({ model, message }) => ({
    status,
    body: { code, message: message ?? words(model), request_id: 'request-scripted' },
  })
}

/** MiniMax answers 200, as a rule, and says in `base_resp` that it failed. */
function minimaxStyle(statusCode: number, words: (model: string) => string): Wire {
  return ({ model, message }) => ({
    status: 200,
    body: { base_resp: { status_code: statusCode, status_msg: message ?? words(model) } },
  })
}

function openrouterStyle(code: number, words: (model: string) => string, metadata: object = {}): Wire {
  return ({ model, message }) => ({
    status: code,
    body: { error: { code, message: message ?? words(model), metadata } },
  })
}

const OPENAI: Failures = {
  rate_limited: openaiStyle(
    429,
    'rate_limit_exceeded',
    'tokens',
    (model) =>
      `Rate limit reached for ${model} on tokens per min (TPM): Limit 30000, Used 29800, Requested 900.`,
  ),
  out_of_money: openaiStyle(
    429,
    'insufficient_quota',
    'insufficient_quota',
    () => 'You exceeded your current quota, please check your plan and billing details.',
  ),
  bad_key: openaiStyle(401, 'invalid_api_key', 'invalid_request_error', () => 'Incorrect API key provided.'),
  permission: openaiStyle(
    403,
    'unsupported_country_region_territory',
    'request_forbidden',
    () => 'Country, region, or territory not supported',
  ),
  overloaded: openaiStyle(
    503,
    'server_is_overloaded',
    'server_error',
    () => 'The server is overloaded. Please retry later.',
  ),
  server_error: openaiStyle(
    500,
    null,
    'server_error',
    () => 'The server had an error while processing your request',
  ),
  model_not_found: openaiStyle(
    404,
    'model_not_found',
    'invalid_request_error',
    (model) => `The model \`${model}\` does not exist or you do not have access to it.`,
  ),
  context_overflow: openaiStyle(
    400,
    'context_length_exceeded',
    'invalid_request_error',
    () =>
      "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
    'messages',
  ),
  bad_request: openaiStyle(
    400,
    'unknown_parameter',
    'invalid_request_error',
    () => "Unknown parameter: 'flavour'.",
    'flavour',
  ),
}

const ANTHROPIC: Failures = {
  rate_limited: anthropicStyle(
    429,
    'rate_limit_error',
    () => "This request would exceed your organization's rate limit of 40,000 input tokens per minute",
  ),
  out_of_money: anthropicStyle(
    400,
    'invalid_request_error',
    () =>
      'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
  ),
  bad_key: anthropicStyle(401, 'authentication_error', () => 'invalid x-api-key'),
  permission: anthropicStyle(
    403,
    'permission_error',
    () => 'Your API key does not have permission to use the specified resource.',
  ),
  overloaded: anthropicStyle(529, 'overloaded_error', () => 'Overloaded'),
  server_error: anthropicStyle(500, 'api_error', () => 'Internal server error'),
  model_not_found: anthropicStyle(404, 'not_found_error', (model) => `model: ${model}`),
  context_overflow: anthropicStyle(
    400,
    'invalid_request_error',
    () => 'prompt is too long: 213462 tokens > 200000 maximum',
  ),
  bad_request: anthropicStyle(
    400,
    'invalid_request_error',
    () => 'messages: at least one message is required',
  ),
}

const GEMINI: Failures = {
  rate_limited: geminiStyle(
    429,
    'RESOURCE_EXHAUSTED',
    () => 'You exceeded your current quota, please check your plan and billing details.',
    ({ model, waitMs }) => [
      {
        '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
        violations: [
          {
            quotaId: 'GenerateRequestsPerMinutePerProjectPerModel-FreeTier',
            quotaDimensions: { location: 'global', model },
          },
        ],
      },
      ...(waitMs === undefined
        ? []
        : [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${waitMs / 1000}s` }]),
    ],
  ),
  out_of_money: geminiStyle(
    403,
    'PERMISSION_DENIED',
    () => 'This API method requires billing to be enabled. Please enable billing on the project.',
    () => [
      {
        '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
        reason: 'BILLING_DISABLED',
        domain: 'googleapis.com',
      },
    ],
  ),
  bad_key: geminiStyle(
    400,
    'INVALID_ARGUMENT',
    () => 'API key not valid. Please pass a valid API key.',
    () => [
      {
        '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
        reason: 'API_KEY_INVALID',
        domain: 'googleapis.com',
      },
    ],
  ),
  permission: geminiStyle(
    403,
    'PERMISSION_DENIED',
    () => 'Your API key was reported as leaked. Please use another API key.',
  ),
  overloaded: geminiStyle(503, 'UNAVAILABLE', () => 'The model is overloaded. Please try again later.'),
  server_error: geminiStyle(500, 'INTERNAL', () => 'An internal error has occurred.'),
  model_not_found: geminiStyle(
    404,
    'NOT_FOUND',
    (model) =>
      `models/${model} is not found for API version v1beta, or is not supported for generateContent.`,
  ),
  context_overflow: geminiStyle(
    400,
    'INVALID_ARGUMENT',
    () => 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
  ),
  bad_request: geminiStyle(
    400,
    'INVALID_ARGUMENT',
    () => 'Invalid JSON payload received. Unknown name "flavour": Cannot find field.',
  ),
}

const GROQ: Failures = {
  ...OPENAI,
  rate_limited: openaiStyle(
    429,
    'rate_limit_exceeded',
    'tokens',
    (model) => `Rate limit reached for model \`${model}\` on tokens per minute (TPM): Limit 12000.`,
  ),
  out_of_money: openaiStyle(
    402,
    'spend_limit_reached',
    'invalid_request_error',
    () => 'The spend limit of this organization has been reached. Check your billing settings.',
  ),
  bad_key: openaiStyle(401, 'invalid_api_key', 'invalid_request_error', () => 'Invalid API Key'),
  permission: openaiStyle(
    400,
    'organization_restricted',
    'invalid_request_error',
    () => 'Organization has been restricted. Please reach out to support.',
  ),
  overloaded: openaiStyle(
    503,
    'service_unavailable',
    'service_unavailable',
    () => 'The model is over capacity.',
  ),
  server_error: openaiStyle(500, null, 'internal_server_error', () => 'Internal Server Error'),
}

const MISTRAL: Failures = {
  rate_limited: mistralStyle(429, 'rate_limited', '1300', () => 'Requests rate limit exceeded'),
  out_of_money: mistralStyle(
    402,
    'payment_required',
    null,
    () => 'The credits of this workspace are used up, please check your billing details.',
  ),
  bad_key: ({ message }) => ({ status: 401, body: { detail: message ?? 'Unauthorized' } }),
  permission: mistralStyle(403, 'forbidden', null, () => 'This key has no permission to use this resource.'),
  overloaded: mistralStyle(
    429,
    'service_tier_capacity_exceeded',
    '3505',
    () => 'Service tier capacity exceeded for this model.',
  ),
  server_error: mistralStyle(500, 'internal_server_error', '1000', () => 'Internal server error'),
  model_not_found: mistralStyle(400, 'invalid_model', '1500', (model) => `Invalid model: ${model}`),
  context_overflow: mistralStyle(
    400,
    'invalid_request_error',
    '3051',
    () => 'Prompt contains 140000 tokens, too large for model with 131072 maximum context length',
  ),
  bad_request: ({ message }) => ({
    status: 422,
    body: { detail: [{ type: 'missing', loc: ['body', 'messages'], msg: message ?? 'Field required' }] },
  }),
}

const COHERE: Failures = {
  rate_limited: cohereStyle(
    429,
    () => 'You are past the per minute request limit, please wait and try again later.',
  ),
  out_of_money: cohereStyle(
    429,
    () =>
      'You are using a Trial key, which is limited to 1000 API calls / month. Upgrade to a Production key.',
  ),
  bad_key: cohereStyle(401, () => 'invalid api token'),
  permission: cohereStyle(403, () => 'your api key does not have permission to use this endpoint'),
  overloaded: cohereStyle(503, () => 'the model is overloaded, please try again later'),
  server_error: cohereStyle(500, () => 'internal server error'),
  model_not_found: cohereStyle(
    404,
    (model) => `model '${model}' not found, make sure the correct model ID was used`,
  ),
  context_overflow: cohereStyle(
    400,
    () => 'too many tokens: total number of tokens in the prompt exceeds the limit of 4081. Limit exceeded.',
  ),
  bad_request: cohereStyle(400, () => 'invalid request: messages must be an array'),
}

const XAI: Failures = {
  rate_limited: xaiStyle(
    429,
    'Some resource has been exhausted',
    () => 'Too many requests for team: rate limit reached, requests per second 5',
  ),
  out_of_money: xaiStyle(
    403,
    'The caller does not have permission to execute the specified operation',
    () => 'Your team has either used all available credits or reached its monthly spending limit.',
  ),
  bad_key: xaiStyle(400, 'Client specified an invalid argument', () => 'Incorrect API key provided.'),
  permission: xaiStyle(
    403,
    'The caller does not have permission to execute the specified operation',
    () => 'This API key is blocked and has no permission for this operation.',
  ),
  overloaded: xaiStyle(
    503,
    'The service is currently unavailable',
    () => 'The model is at capacity and overloaded.',
  ),
  server_error: xaiStyle(500, 'Internal error', () => 'Internal server error'),
  model_not_found: xaiStyle(
    404,
    'Some requested entity was not found',
    (model) => `The model ${model} does not exist or your team does not have access to it.`,
  ),
  context_overflow: xaiStyle(
    400,
    'Client specified an invalid argument',
    () => "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
  ),
  bad_request: xaiStyle(
    422,
    'Client specified an invalid argument',
    () => 'Failed to deserialize the JSON body: missing field `messages`',
  ),
}

const DEEPSEEK: Failures = {
  ...OPENAI,
  rate_limited: openaiStyle(429, 'rate_limit_reached', 'rate_limit_error', () => 'Rate limit reached'),
  out_of_money: openaiStyle(402, 'invalid_request_error', 'unknown_error', () => 'Insufficient Balance'),
  bad_key: openaiStyle(
    401,
    'invalid_request_error',
    'authentication_error',
    () => 'Authentication Fails, Your api key is invalid',
  ),
  permission: openaiStyle(
    403,
    'permission_denied',
    'permission_error',
    () => 'This account does not have permission to use the API.',
  ),
  overloaded: openaiStyle(
    503,
    null,
    'service_unavailable',
    () => 'The server is overloaded due to high traffic.',
  ),
  model_not_found: openaiStyle(
    400,
    'invalid_request_error',
    'invalid_request_error',
    () => 'Model Not Exist',
  ),
  context_overflow: openaiStyle(
    400,
    'invalid_request_error',
    'invalid_request_error',
    () => "This model's maximum context length is 65536 tokens. However, you requested 70000 tokens.",
  ),
  bad_request: openaiStyle(422, 'invalid_request_error', 'invalid_request_error', () => 'Invalid parameters'),
}

const QWEN: Failures = {
  rate_limited: ({ message }) => ({
    status: 429,
    body: {
      error: {
        message: message ?? 'You exceeded your current quota, please check your plan and billing details.',
        type: 'insufficient_quota',
        code: 'insufficient_quota',
      },
      request_id: 'request-scripted',
    },
  }),
  out_of_money: dashScopeStyle(
    400,
    'Arrearage',
    () => 'Access denied, please make sure your account is in good standing.',
  ),
  bad_key: dashScopeStyle(401, 'InvalidApiKey', () => 'Invalid API-key provided.'),
  permission: dashScopeStyle(403, 'AccessDenied', () => 'Access denied: this key has no permission.'),
  overloaded: dashScopeStyle(
    503,
    'ModelServingError',
    () => 'Too many requests in the system, it is overloaded.',
  ),
  server_error: dashScopeStyle(
    500,
    'InternalError',
    () => 'An internal error has occurred, please try again later.',
  ),
  model_not_found: dashScopeStyle(404, 'ModelNotFound', (model) => `The model ${model} does not exist.`),
  context_overflow: dashScopeStyle(
    400,
    'InvalidParameter',
    () => 'Range of input length should be [1, 30720]',
  ),
  bad_request: dashScopeStyle(400, 'InvalidParameter', () => 'Required parameter messages is missing.'),
}

const MINIMAX: Failures = {
  rate_limited: minimaxStyle(1002, () => 'rate limit'),
  out_of_money: minimaxStyle(1008, () => 'insufficient balance'),
  bad_key: minimaxStyle(2049, () => 'invalid api key'),
  permission: minimaxStyle(2042, () => "you don't have access to this voice_id"),
  overloaded: ({ message }) => ({
    status: 529,
    body: {
      base_resp: {
        status_code: 2064,
        status_msg: message ?? 'the server cluster is currently under high load',
      },
    },
  }),
  server_error: minimaxStyle(1013, () => 'internal service error'),
  model_not_found: minimaxStyle(2013, (model) => `invalid params, unknown model '${model}'`),
  context_overflow: minimaxStyle(2013, () => 'invalid params, context window exceeds limit'),
  bad_request: minimaxStyle(2013, () => 'invalid params'),
}

const OPENROUTER: Failures = {
  rate_limited: openrouterStyle(429, () => 'Rate limit exceeded: free-models-per-min.'),
  out_of_money: openrouterStyle(402, () => 'This request requires more credits, or fewer max_tokens.', {
    limit_source: 'openrouter_credits',
  }),
  bad_key: openrouterStyle(401, () => 'User not found.'),
  permission: openrouterStyle(403, () => 'This key has no permission for this request.'),
  overloaded: openrouterStyle(503, () => 'No instances available, the provider is overloaded.'),
  server_error: openrouterStyle(500, () => 'Internal Server Error'),
  model_not_found: openrouterStyle(404, (model) => `No endpoints found for ${model}.`),
  context_overflow: openrouterStyle(
    400,
    () =>
      "This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens.",
  ),
  bad_request: openrouterStyle(400, () => 'Input required: specify "prompt" or "messages"'),
}

/** Every failure in every provider's words. */
export const FAILURES: Readonly<Record<UpstreamProvider, Failures>> = {
  openai: OPENAI,
  anthropic: ANTHROPIC,
  gemini: GEMINI,
  groq: GROQ,
  mistral: MISTRAL,
  cohere: COHERE,
  xai: XAI,
  deepseek: DEEPSEEK,
  qwen: QWEN,
  minimax: MINIMAX,
  openrouter: OPENROUTER,
}
