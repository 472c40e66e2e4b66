import type { FailureReason } from '../domain/usage.js'

/** Longest part of a message or body that is looked at, in characters (bytes, for bodies given as bytes). */
export const LOOKED_AT = 65_536

/** One group of wordings. Every pattern has to be found in the text as {@link wordsOf} gives it. */
interface WordingRule {
  readonly group: string
  readonly reason: FailureReason
  readonly patterns: readonly RegExp[]
}

const MODEL_GONE =
  'not found|(?:(?:does|do) )?not exist|decommissioned|has been (?:deprecated|removed|retired)|no longer (?:supported|available)'

/**
 * What providers, SDKs and operating systems say when something fails. The first group that fits decides,
 * so the order is the rule: what waiting cannot mend goes before rate limits, except where a quota is one
 * per minute or day; a dead account goes before a bad key, and both before mere formats. Every pattern is
 * linear: alternations of phrases, and gaps of bounded length.
 */
const WORDING: readonly WordingRule[] = [
  group('request too large', 'context_overflow', [
    'context (?:length|window|limit|size)',
    'maximum context',
    '(?:prompt|input) (?:is )?too long',
    'max(?:imum)? prompt length',
    'tokens? (?:in the prompt )?exceeds?',
    'token count .{0,40}exceeds?',
    'maximum number of tokens',
    'model token limit',
    'range of input length',
    '(?:request|request entity|payload|content) too large',
    'reduce the length',
  ]),
  group('model missing', 'model_not_found', [
    `models?\\b[^.;!?]{0,160}?\\b(?:${MODEL_GONE})`,
    `deployment\\b[^.;!?]{0,80}?\\b(?:${MODEL_GONE})`,
    '(?:no such|unknown) model',
    'invalid model(?! (?:parameter|output|response|request))',
    'no endpoints found',
    'have access to (?:the )?model',
    'not found error\\b.{0,24}\\bmodel: [^ ]+',
  ]),
  group(
    'quota of a period',
    'rate_limit',
    ['quota'],
    ['(?:per|a) (?:second|minute|min|hour|day)', '[rt]p[smhd]'],
  ),
  group('money', 'billing', [
    'insufficient (?:quota|balance|funds|credits?)',
    'exceed(?:s|ed)? .{0,30}quota',
    'exceeded (?:your|the) monthly',
    'quota (?:has been |is |was )?(?:exceeded|exhausted|used up)',
    'out of (?:quota|credits?)',
    '(?:more|all available|no|not enough) credits?',
    'credits? (?:are |is |have been |has been )?(?:depleted|exhausted|used up)',
    'credits? balance',
    'balance is (?:insufficient|too low|not enough)',
    'payment required',
    'plan and billing',
    'billing (?:hard limit|error|issue|or payment|not active|must be enabled)',
    'spend(?:ing)? (?:limit|cap)',
    'arrearage',
    'arrears',
    'overdue',
    'account is in good standing',
    'key limit exceeded',
    'api usage limits',
    'trial key\\b.{0,60}\\bmonth',
  ]),
  group('provider short of capacity', 'overloaded', [
    'overloaded',
    '(?:service|temporarily|currently) unavailable',
    'capacity exceeded',
    '(?:at|over|out of|no|not enough|insufficient) capacity',
    'high demand',
    'server is (?:too )?busy',
  ]),
  group('rate limit', 'rate_limit', [
    'rate ?limit(?:s|ed|ing)?',
    'too many requests',
    'requests? limit',
    '(?:requests|tokens|calls) (?:per|\\/) ?(?:second|minute|min|hour|day)',
    'resource (?:has been )?exhausted',
    'throttl(?:ed|ing)',
    'slow down',
    'usage limit',
    'concurren(?:t requests|cy limit)',
    '(?:daily|hourly|weekly) (?:[a-z]+ )?limit',
    'wait before trying',
  ]),
  group('money, vaguely', 'billing', ['billing', 'payment', 'quota']),
  group('account or key shut', 'auth_permanent', [
    '(?:account|organi[sz]ation|project|workspace|key) (?:has been |have been |is |was )?(?:temporarily )?(?:deactivated|disabled|suspended|restricted|banned|terminated|blocked|deleted)',
    'deactivated',
    'reported as leaked',
    'key (?:has been |was |is )?(?:revoked|leaked|compromised)',
  ]),
  group('login over', 'session_expired', [
    'session (?:has |is )?(?:expired|invalid)',
    '(?:token|login|credentials?) (?:has |have |is |was )?(?:been )?(?:expired|revoked)',
    'expired token',
    'invalid (?:refresh )?token(?! (?:count|limit))',
    'refresh token (?:is |was |has been )?(?:invalid|reused|invalidated|not found|already used)',
    'invalid grant',
    '(?:log|sign) ?in again',
  ]),
  group('bad key', 'auth', [
    '(?:invalid|incorrect|wrong|bad|unknown|missing|no) (?:x )?api ?(?:key|token)',
    'api ?key (?:is |was )?(?:not valid|invalid|incorrect|expired|not found|missing|required)',
    "(?:didn't|did not) provide an api ?key",
    'invalid (?:authentication|authorization|credentials?|bearer|access token|subscription key)',
    '(?:bad|no auth) credentials',
    'unauthorized',
    'unauthenticated',
    'authentication (?:failed|failure|error|required)',
    'not authenticated',
  ]),
  group('not allowed', 'auth_permanent', [
    'permission (?:denied|error)',
    'access (?:is )?denied',
    'forbidden',
    'not (?:allowed|permitted|authorized) to',
    "(?:does not|do not|doesn't|don't) have (?:the )?(?:[a-z]+ )?(?:permissions?|access)",
    'lacks? (?:access|permissions?)',
    'insufficient permissions?',
    '(?:country|region|location|territory)\\b.{0,30}\\bnot supported',
  ]),
  group('no answer in time', 'timeout', [
    'time ?outs?',
    'timed ?out',
    'deadline exceeded',
    'context cancell?ed',
    'e(?:timedout|connreset|connrefused|connaborted|pipe|notfound|hostunreach|netunreach|netdown|ai again)',
    'und err (?:socket|closed|aborted)',
    'socket hang up',
    'other side closed',
    'broken pipe',
    'fetch failed',
    'network error',
    'connection (?:reset|refused|closed|aborted|error|lost|terminated)',
    'unexpected (?:eof|end of file)',
  ]),
  group('bad request', 'format', [
    'invalid (?:request|argument|parameter|params|json|value|input|type|schema)s?',
    'bad request',
    'malformed',
    '(?:unknown|unsupported|unrecognized|unexpected) (?:parameter|field|name|argument|value)',
    'missing (?:required )?(?:field|parameter|argument|param)',
    '(?:field|parameter) (?:is )?required',
    'validation (?:error|failed)',
    'unprocessable',
    'content (?:policy|filter|management policy)',
    'input was flagged',
  ]),
  group('server broken', 'server_error', ['internal (?:server )?error', 'server error', 'bad gateway']),
]

// "HTTP/1.1 429", "status: 429", "status code 429", `"code":429`, "error 429", or the number in front.
const STATUS_IN_TEXT =
  /(?:^|\b(?:status(?: code)?|http(?:\/\d(?: \d)?)?|error(?: code)?|code)[ :=("']{1,3})([1-5]\d\d)\b/

function group(name: string, reason: FailureReason, ...alternatives: readonly string[][]): WordingRule {
  let made: readonly RegExp[] | undefined
  return {
    group: name,
    reason,
    // Made when something fails first: a program that only asks for a credential never pays for them.
    get patterns() {
      made ??= alternatives.map((phrases) => new RegExp(`(?<!\\w)(?:${phrases.join('|')})(?!\\w)`))
      return made
    },
  }
}

/**
 * A text in the form the wordings are written for: lower case, words apart (`rate_limit`, `RateLimit` and
 * `rate-limit` are the same), without URLs, whose paths speak of billing and limits whatever the matter.
 */
export function wordsOf(text: string): string {
  return text
    .slice(0, LOOKED_AT)
    .replace(/https?:\/\/[^\s"'<>)]+/gi, ' ')
    .replace(/[a-z](?=[A-Z])|[A-Z](?=[A-Z][a-z])/g, '$& ')
    .toLowerCase()
    .replaceAll('’', "'")
    .replace(/(?<=[a-z0-9])\.(?=[a-z0-9])|[\s_-]+/g, ' ')
    .trim()
}

/** The reason that the wording gives, or `undefined` when it says nothing known. Takes {@link wordsOf}. */
export function reasonOfWords(words: string): FailureReason | undefined {
  if (words === '') return undefined
  return WORDING.find(({ patterns }) => patterns.every((pattern) => pattern.test(words)))?.reason
}

/** The HTTP status that a text mentions as such. Takes {@link wordsOf}. */
export function statusInWords(words: string): number | undefined {
  const status = STATUS_IN_TEXT.exec(words)?.[1]
  return status === undefined ? undefined : Number(status)
}

/**
 * What an HTTP status alone means. 404 and 409 say nothing about the credential: a wrong path, a conflict
 * that the caller may retry; so they are `unknown`.
 */
export function reasonOfStatus(status: number): FailureReason {
  switch (status) {
    case 400:
    case 405:
    case 406:
    case 411:
    case 414:
    case 415:
    case 422:
    case 431:
      return 'format'
    case 401:
      return 'auth'
    case 402:
      return 'billing'
    case 403:
      return 'auth_permanent'
    // 522 and 524 are Cloudflare's: the origin did not answer in time.
    case 408:
    case 504:
    case 522:
    case 524:
      return 'timeout'
    case 413:
      return 'context_overflow'
    case 429:
      return 'rate_limit'
    case 503:
    case 529:
      return 'overloaded'
    default:
      return status >= 500 && status <= 599 ? 'server_error' : 'unknown'
  }
}
