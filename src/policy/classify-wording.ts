import type { FailureReason } from '../domain/usage.js'

/** Longest part of a message or body that is looked at, in characters (bytes, for bodies given as bytes). */
export const LOOKED_AT = 65_536

/** One group of wordings. Every pattern has to be found in the text as {@link wordsOf} gives it. */
interface WordingRule {
  readonly group: string
  readonly reason: FailureReason
  readonly patterns: readonly RegExp[]
}

/** Groups of words that many a text has in passing: they mean nothing where a server fails. */
const IN_PASSING: ReadonlySet<string> = new Set(['money, vaguely'])
/** Groups that say more than any status that comes with them. */
const DECISIVE: ReadonlySet<string> = new Set(['content refused', 'feature missing', 'network refused'])

const MODEL_GONE =
  '(?:is )?deactivated|not found|(?:(?:does|do) )?not exist|decommissioned|has been (?:deprecated|removed|retired)|no longer (?:supported|available)'

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
    'number of tokens .{0,40}(?:cannot|must not) exceed',
    'tokens.{0,24} must be (?:<=|less than|at most)',
    'model token limit',
    'range of input length',
    '(?:request|request entity|payload|content) too large',
    'reduce the length',
    '(?:超出|超过).{0,12}(?:上下文|最大长度|长度限制|token)',
    '上下文(?:长度|窗口)?.{0,8}(?:超|过长)',
    '(?:输入|请求|提示词?)(?:内容)?(?:过长|太长)',
  ]),
  group('content refused', 'format', [
    'violat(?:es?|ed|ing|ion)\\b.{0,40}\\b(?:usage|content|safety) (?:guidelines|polic(?:y|ies))',
    'safety check',
    'content (?:policy|filter|management policy|exists risk)',
    'prompt injection',
    'request (?:was )?blocked: (?:prompt|content|input)',
    '(?:potentially )?(?:unsafe|sensitive|inappropriate|harmful) content',
    '(?:input|prompt|output|content|text) (?:was |is |has been |may )?(?:flagged|moderated|contain)',
    '(?:input|output) data may contain',
    'data inspection',
    '(?:输入|输出|内容|提示词?).{0,16}(?:敏感|违规|不安全|违法|不当)',
    '(?:敏感|违规|不安全|不当)(?:的)?(?:内容|信息|词)',
    '内容(?:安全)?(?:审核|审查)',
  ]),
  group('feature missing', 'format', [
    'no endpoints found that support',
    '(?:tool use|tools|tool calling|function calling|image input|images?|audio|json mode|response format|streaming) (?:is |are )?not supported',
    '(?:does not|do not|doesn.t) support (?:tools?|tool use|tool calling|function calling|images?|image input|audio|vision|streaming|json mode|system messages?)',
  ]),
  group('network refused', 'server_error', ['check your network settings']),
  group('model missing', 'model_not_found', [
    `models?\\b[^.;!?]{0,160}?\\b(?:${MODEL_GONE})`,
    `deployment\\b[^.;!?]{0,80}?\\b(?:${MODEL_GONE})`,
    '(?:no such|unknown) model',
    'invalid model(?! (?:parameter|output|response|request))',
    'no endpoints found',
    'access to (?:this |the |that )?model',
    'model access (?:is )?denied',
    'not allowed to access model',
    'has not activated the model',
    'function .{0,60}not found for account',
    'not found the model',
    'model name is invalid',
    'model\\b.{0,60}\\b(?:is|are) restricted',
    'model requires a (?:subscription|plan|paid|upgrade)',
    '(?:plan|subscription|package|tier)\\b.{0,24}\\b(?:does not|do not|doesn.t|not) (?:yet )?(?:include|support) (?:access to )?(?:the |this )?(?:model|[a-z]{1,24} \\d|glm|gpt|claude|gemini|qwen|kimi|minimax)',
    '(?:does not|do not|doesn.t) (?:yet )?include access to',
    '无可用渠道',
    '模型.{0,12}(?:不存在|未找到|已下线|不可用|未开通)',
    '(?:不支持|没有|无权(?:限)?(?:访问|使用)?).{0,8}模型',
    'not found error\\b.{0,24}\\bmodel: [^ ]{1,200}',
  ]),
  group(
    'quota of a period',
    'rate_limit',
    ['quota'],
    ['(?:per|a) (?:second|minute|min|hour|day)', '[rt]p[smhd]'],
  ),
  group('money', 'billing', [
    'insufficient (?:[a-z]{1,16} ){0,4}(?:quota|balance|funds|credits?)',
    'budget (?:limit )?(?:has been |is |was )?exceeded',
    'exceeded (?:your |the |its )?(?:[a-z]{1,24} )?budget',
    'please recharge',
    '(?:余额|额度|账户余额|资源包).{0,6}(?:不足|用尽|耗尽)',
    '欠费',
    '请.{0,4}充值',
    '(?:套餐|订阅).{0,8}(?:已)?(?:过期|到期)',
    'exceed(?:s|ed)? .{0,30}quota',
    'exceeded (?:your|the) monthly',
    'quota (?:has been |is |was )?(?:exceeded|exhausted|used up)',
    'out of (?:quota|credits?)',
    '(?:more|all available|no|not enough) (?:credits?|balance)',
    'plan limit (?:has been )?reached',
    '(?:doesn.t|does not) have any (?:credits|licenses)',
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
    'capacity (?:temporarily )?exceeded',
    '(?:at|over|out of|no|not enough|insufficient) (?:maximum )?capacity',
    '(?:high|heavy) (?:demand|load|traffic)',
    '(?:server|service|system|model) is (?:too |currently )?busy',
    'system capacity',
    '(?:服务|系统|模型|服务器).{0,6}(?:过载|繁忙|负载过高)',
    '(?:访问量|请求量)过大',
  ]),
  group('rate limit', 'rate_limit', [
    'rate ?limit(?:s|ed|ing)?',
    'too many requests',
    'requests? limit',
    '(?:requests|tokens|calls) (?:per|\\/) ?(?:second|minute|min|hour|day)',
    'resource (?:has been )?exhausted',
    'throttl(?:ed|ing)',
    'slow down',
    'high frequency .{0,24}requests',
    'usage limit',
    'concurren(?:t requests|cy limit)',
    '(?:daily|hourly|weekly) (?:[a-z]{1,24} )?limit',
    'wait before trying',
    'cooling down',
    '(?:频率|速率|并发|次数|请求数).{0,6}(?:超限|超出|超过|过高|限制|上限)',
    '请求(?:过于|太)频繁',
    '(?:使用|用量|调用|请求).{0,8}上限',
    '限流',
  ]),
  group('money, vaguely', 'billing', ['billing', 'payment', 'quota']),
  group('account or key shut', 'auth_permanent', [
    '(?:account|organi[sz]ation|project|workspace|key) (?:has been |have been |is |was )?(?:temporarily )?(?:deactivated|disabled|suspended|restricted|banned|terminated|blocked|deleted)',
    'deactivated',
    'reported as leaked',
    'key (?:has been |was |is )?(?:revoked|leaked|compromised)',
    '(?:账号|账户|帐号|密钥).{0,6}(?:封禁|禁用|冻结|锁定|停用|注销)',
  ]),
  group('login over', 'session_expired', [
    'session (?:has |is )?(?:expired|invalid)',
    '(?:token|login|credentials?) (?:has |have |is |was )?(?:been )?(?:expired|revoked)',
    'expired token',
    'security token .{0,24}expired',
    'invalid (?:refresh )?token(?! (?:count|limit))',
    'refresh token (?:is |was |has been )?(?:invalid|reused|invalidated|not found|already used)',
    'invalid grant',
    '(?:log|sign) ?in again',
    're ?authenticate',
    '(?:登录|令牌|会话).{0,6}(?:过期|失效)',
  ]),
  group('bad key', 'auth', [
    '(?:invalid|incorrect|wrong|bad|unknown|missing|no) (?:x )?api ?(?:key|token)',
    'api ?key (?:is |was )?(?:not valid|invalid|incorrect|expired|not found|missing|required)',
    "(?:didn't|did not) provide an api ?key",
    '(?:invalid|missing) subscription key',
    'security token .{0,24}invalid',
    'invalid (?:authentication|authorization|credentials?|bearer|access token|subscription key)',
    '(?:bad|no auth) credentials',
    'unauthorized',
    'unauthenticated',
    'authentication (?:failed|failure|error|required)',
    'not authenticated',
    'could not authenticate',
    '(?:认证|鉴权|身份验证|验证)(?:失败|错误|未通过)',
    '(?:无效|错误)的?(?: ?api ?key|密钥|令牌|凭证)',
    '(?: ?api ?key|密钥|令牌) ?(?:无效|错误|不正确|不存在)',
  ]),
  group('not allowed', 'auth_permanent', [
    'permission (?:denied|error)',
    'access (?:is )?denied',
    'forbidden',
    'not (?:allowed|permitted|authorized) to',
    "(?:does not|do not|doesn't|don't) have (?:the )?(?:[a-z]{1,24} )?(?:permissions?|access)",
    'lacks? (?:access|permissions?)',
    'insufficient permissions?',
    '(?:country|region|location|territory)\\b.{0,30}\\bnot supported',
    '(?:无|没有|缺少)(?:访问|调用)?权限',
  ]),
  group('no answer in time', 'timeout', [
    'time ?outs?',
    'timed ?out',
    'deadline exceeded',
    'context cancell?ed',
    'e(?:timedout|sockettimedout|connreset|connrefused|connaborted|pipe|notfound|hostunreach|netunreach|netdown|ai again)',
    'und err (?:socket|closed|aborted)',
    'socket hang up',
    'other side closed',
    'broken pipe',
    'fetch failed',
    'network error',
    'connection (?:reset|refused|closed|aborted|error|lost|terminated)',
    'unexpected (?:eof|end of file)',
    '超时',
    '网络(?:异常|错误|故障)',
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
    'string should match pattern',
    '(?:参数|请求).{0,6}(?:错误|无效|不合法|格式)',
  ]),
  group('server broken', 'server_error', [
    'internal (?:server )?error',
    'server error',
    'failed to load model',
    'bad gateway',
    '(?:服务|系统|内部|服务器).{0,6}(?:异常|错误|不可用|故障)',
  ]),
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

/** Every pattern of the wordings, for tests. */
export function wordingPatterns(): RegExp[] {
  return WORDING.flatMap(({ patterns }) => patterns)
}

/** What wording says. */
export interface Said {
  readonly reason: FailureReason
  /** Whether it goes before whatever the status says. */
  readonly decides: boolean
  /** The words. */
  readonly words: string
}

/**
 * What the wording says; `undefined` where that is nothing known. Takes {@link wordsOf}.
 *
 * @param strictly words that many a text has in passing mean nothing
 */
export function saidByWords(words: string, strictly = false): Said | undefined {
  if (words === '') return undefined
  const found = WORDING.find(
    ({ group: name, patterns }) =>
      !(strictly && IN_PASSING.has(name)) && patterns.every((pattern) => pattern.test(words)),
  )
  if (found === undefined) return undefined
  const phrases = found.patterns.map((pattern) => pattern.exec(words)?.[0] ?? '')
  return { reason: found.reason, decides: DECISIVE.has(found.group), words: phrases.join(' … ') }
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
