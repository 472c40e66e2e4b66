import type { Certainty, FailureReason, FailureScope } from '../domain/usage.js'
import type { Problem } from './classify-problem.js'

/** One rule about a failure. All conditions that it has must hold. Texts are compared as `wordsOf` gives them. */
export interface FailureRule {
  readonly reason: FailureReason
  /** Where it differs from what the reason sets aside anyway. */
  readonly scope?: FailureScope | undefined
  /** One of the codes. */
  readonly code?: RegExp | undefined
  /** The message. */
  readonly words?: RegExp | undefined
  /** One of the exceeded quotas. */
  readonly quota?: RegExp | undefined
  /** When it fills up again, where the response does not say it. */
  readonly until?: 'midnight UTC' | undefined
  /** The page or report that says so. */
  readonly source: string
}

/** A way of telling failures. Relays and custom providers pass on those of others, so most are known by the body too. */
export interface RuleFamily {
  readonly name: string
  /** Providers that speak so, whatever a body looks like. */
  readonly providers: readonly string[]
  /** Whether a body is of this kind, whoever sent it. */
  readonly recognises?: ((problem: Problem) => boolean) | undefined
  /** What its times without a zone are ahead of UTC, in hours. */
  readonly utcOffset?: number
  /** These go before the rules for everyone. */
  readonly rules: readonly FailureRule[]
}

/** Recognises a body by one of its codes. */
export const speaks =
  (code: RegExp) =>
  (problem: Problem): boolean =>
    problem.codes.some((one) => code.test(one))

/** What a rule is worth: a code or a quota's name is documented, words change. */
export function certaintyOf({ code, quota }: FailureRule): Certainty {
  return code !== undefined || quota !== undefined ? 'stated' : 'presumed'
}

/** Rules for everyone: where a code or a phrase says less, or something else, than it seems to. */
export const GENERIC_RULES: readonly FailureRule[] = [
  // One request larger than the whole minute's allowance: waiting never helps.
  {
    reason: 'context_overflow',
    code: /^(?:rate limit exceeded|tokens)$/,
    words: /\brequest too large\b/,
    source: 'platform.openai.com/docs/guides/rate-limits',
  },
  // A subscription's window: every model of the account waits.
  {
    reason: 'rate_limit',
    scope: 'credential',
    code: /^(?:[a-z]{1,24} )?usage limit (?:reached|exceeded)$/,
    source: 'openai/codex: windows of a ChatGPT plan',
  },
  // Of the account, although its code is the one of a parameter.
  {
    reason: 'model_not_found',
    words: /\borganization must be verified\b/,
    source: 'help.openai.com: models that a verified organisation alone may use',
  },
  // Of one model, although its code is that of a missing permission.
  {
    reason: 'model_not_found',
    words:
      /\bmodel\b.{0,120}\b(?:is|are) not (?:available|enabled|supported|allowed) (?:for|to|in|on|with|by) (?:your|this) (?:organi[sz]ation|account|project|workspace|team|plan|subscription|key)\b/,
    source: 'docs.claude.com/en/api/errors, help.openai.com: models that an account does not have',
  },
  // Whatever the wording says of plans and billing, a quota per minute or day fills up again by itself.
  {
    reason: 'rate_limit',
    quota: /\bper (?:second|minute|hour|day)\b/,
    source: 'google.rpc.QuotaFailure, ai.google.dev/gemini-api/docs/rate-limits',
  },
  {
    reason: 'billing',
    code: /^budget exceeded$/,
    source: 'docs.litellm.ai/docs/proxy/users: a virtual key has spent its budget',
  },
  // A limit on what is spent, that the owner has set: it ends with the month, or when he raises it.
  {
    reason: 'billing',
    words: /\bspecified api usage limits\b/,
    source: 'docs.claude.com/en/api/rate-limits: spend limits of an organisation',
  },
  {
    reason: 'rate_limit',
    scope: 'credential',
    words:
      /\b(?:hit|reached) your (?:[a-z0-9]{1,24} ){0,3}(?:usage|session|subscription|quota) (?:quota )?limit|\b(?:\d{1,4}[ -]?hour|daily|weekly|monthly) (?:usage|session) limits?\b|\b\d{1,4}[ -]?hour limit reached\b|\bsubscription quota limit\b|\bquota refresh\b/,
    source: 'windows of subscriptions, as Codex, Copilot, Claude and MiniMax word them',
  },
]

/** Codes that settle the matter, by reason. */
const CODES: Readonly<Partial<Record<FailureReason, readonly string[]>>> = {
  auth: [
    'invalid api key',
    'incorrect api key',
    'missing api key',
    'api key invalid',
    'api key expired',
    'invalid authentication',
    'invalid token error',
    'unrecognized client exception',
  ],
  auth_permanent: [
    'account deactivated',
    'account disabled',
    'account suspended',
    'organization deactivated',
    'organization restricted',
    'unsupported country region territory',
    'request forbidden',
    'ip not authorized',
    'consumer suspended',
    'consumer invalid',
    'service disabled',
    'api key service blocked',
    'api key ip address blocked',
    'api key http referrer blocked',
    'invalid client',
    'unauthorized client',
  ],
  session_expired: [
    'invalid grant',
    'token expired',
    'access token expired',
    'session expired',
    'token revoked',
    'token invalidated',
    'expired token exception',
  ],
  rate_limit: [
    'rate limit exceeded',
    'rate limit error',
    'rate limit reached',
    'rate limited',
    'too many requests',
    'throttling',
    'throttling exception',
    'model cooldown',
    'rate limit reached error',
  ],
  billing: [
    'insufficient quota',
    'insufficient balance',
    'insufficient credits',
    'insufficient funds',
    'billing error',
    'billing hard limit reached',
    'billing not active',
    'billing disabled',
    'payment required',
    'arrearage',
    'insufficient user quota',
    'exceeded current quota error',
  ],
  overloaded: [
    'overloaded error',
    'overloaded',
    'server is overloaded',
    'server overloaded',
    'engine overloaded',
    'engine overloaded error',
    'service tier capacity exceeded',
    'capacity exceeded',
    'resource unavailable',
    'service unavailable',
  ],
  model_not_found: [
    'model not found',
    'model decommissioned',
    'model not available',
    'model not supported',
    'model not active',
    'model terms required',
    'model is deactivated',
    'invalid model',
    'unknown model',
    'unsupported model',
    'deployment not found',
    'model not open',
    'key model access denied',
    'team model access denied',
  ],
  context_overflow: [
    'context length exceeded',
    'context window exceeded',
    'exceed context size error',
    'request too large',
    'payload too large',
  ],
  format: [
    'unknown parameter',
    'unsupported parameter',
    'unsupported value',
    'missing required parameter',
    'invalid value',
    'invalid type',
    'invalid prompt',
    'invalid parameter',
    'string above max length',
    'json validate failed',
    'tool use failed',
    'content filter',
    'content policy violation',
    'data inspection failed',
    'invalid encrypted content',
    'sensitive words detected',
    'prompt blocked',
  ],
  timeout: ['timeout', 'timeout error', 'request timeout', 'request time out'],
}

/** The reason of each such code. */
export const REASON_OF_CODE: ReadonlyMap<string, FailureReason> = new Map(
  Object.entries(CODES).flatMap(([reason, codes]) =>
    codes.map((code): [string, FailureReason] => [code, reason as FailureReason]),
  ),
)

/**
 * Types that say no more than an HTTP status: that of Anthropic's and OpenAI's types and of Google's
 * canonical codes. They count where the response's own status says nothing: inside a stream, with a 200 or 400.
 */
export const STATUS_OF_CODE: ReadonlyMap<string, number> = new Map([
  ['invalid request error', 400],
  ['invalid argument', 400],
  ['failed precondition', 400],
  ['authentication error', 401],
  ['unauthenticated', 401],
  ['permission error', 403],
  ['permission denied', 403],
  ['not found error', 404],
  ['not found', 404],
  ['resource exhausted', 429],
  ['api error', 500],
  ['server error', 500],
  ['internal', 500],
  ['internal error', 500],
  ['internal server error', 500],
  ['unavailable', 503],
  ['deadline exceeded', 504],
])
