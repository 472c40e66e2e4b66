import type { Problem } from './classify-problem.js'
import type { FailureRule } from './classify-rules.js'

/** A way of telling failures. Relays and custom providers pass on those of others, so most are known by the body too. */
export interface RuleFamily {
  readonly name: string
  /** Providers that speak so, whatever a body looks like. */
  readonly providers: readonly string[]
  /** Whether a body is of this kind, whoever sent it. */
  readonly recognises?: ((problem: Problem) => boolean) | undefined
  /** These go before the rules for everyone. */
  readonly rules: readonly FailureRule[]
}

const ANTHROPIC_ERRORS = 'docs.claude.com/en/api/errors'
const OPENAI_ERRORS = 'platform.openai.com/docs/guides/error-codes'
const GEMINI_QUOTA = 'ai.google.dev/gemini-api/docs/rate-limits'
const DASHSCOPE_ERRORS = 'help.aliyun.com/zh/model-studio/error-code'
const ZAI_ERRORS = 'docs.z.ai/api-reference/api-code'
const MINIMAX_ERRORS = 'platform.minimax.io/docs/api-reference/errorcode'
const OPENROUTER_ERRORS = 'openrouter.ai/docs/api-reference/errors'

const has =
  (code: RegExp) =>
  (problem: Problem): boolean =>
    problem.codes.some((one) => code.test(one))

/** Codes and messages are matched as `wordsOf` gives them: lower case, words apart, no addresses. */
export const FAMILIES: readonly RuleFamily[] = [
  {
    name: 'anthropic',
    providers: ['anthropic'],
    recognises: (problem) => problem.isAnthropic,
    rules: [
      {
        reason: 'model_not_found',
        code: /^not found error$/,
        words: /^model: ./,
        source: ANTHROPIC_ERRORS,
      },
      {
        reason: 'billing',
        words: /\b(?:out of|draw from your) extra usage\b/,
        source:
          'anthropics/claude-code, openclaw/openclaw#115642: what a subscription is used for beyond its plan',
      },
      {
        reason: 'auth_permanent',
        words: /\bonly authorized for use with claude code\b/,
        source: 'anthropics/claude-code#24690',
      },
      {
        reason: 'auth_permanent',
        words: /\bo ?auth authentication is currently not (?:allowed|supported)\b/,
        source: 'a policy of the organisation: no renewal mends it',
      },
    ],
  },
  {
    name: 'openai',
    providers: ['openai'],
    rules: [
      {
        reason: 'billing',
        code: /^usage not included$/,
        source: 'openai/codex: the plan has no Codex in it',
      },
      {
        reason: 'model_not_found',
        words: /\bmodel is not supported when using codex\b/,
        source: 'zed-industries/codex-acp#223: this account cannot, another may',
      },
      {
        reason: 'context_overflow',
        code: /^(?:rate limit exceeded|tokens)$/,
        words: /\brequest too large\b/,
        source: OPENAI_ERRORS,
      },
    ],
  },
  {
    name: 'gemini',
    providers: ['gemini', 'vertex'],
    recognises: has(/^resource exhausted$/),
    rules: [
      {
        reason: 'overloaded',
        code: /^model capacity exhausted$/,
        source: 'google-gemini/gemini-cli: the same for every account',
      },
      { reason: 'overloaded', words: /\bno capacity available\b/, source: 'google-gemini/gemini-cli' },
      {
        reason: 'model_not_found',
        words: /\bquota exceeded for metric\b.{0,200}\blimit: 0\b/,
        source: `${GEMINI_QUOTA}: the plan has none of this model`,
      },
      {
        reason: 'billing',
        code: /^resource exhausted$/,
        words: /\b(?:prepa(?:y|id|yment)|credits|spending)\b/,
        source: GEMINI_QUOTA,
      },
      // Gemini words every exhausted quota as a question of plan and billing.
      { reason: 'rate_limit', code: /^resource exhausted$/, source: GEMINI_QUOTA },
    ],
  },
  {
    name: 'dashscope',
    providers: ['qwen', 'dashscope', 'bailian'],
    recognises: (problem) =>
      /\b(?:help\.aliyun\.com|alibabacloud\.com|dashscope)\b/.test(problem.raw) ||
      has(
        /^(?:throttling (?:rate quota|allocation quota|burst rate)|data inspection failed|model serving error|access denied unpurchased|arrearage)$/,
      )(problem),
    rules: [
      { reason: 'model_not_found', code: /^access denied unpurchased$/, source: DASHSCOPE_ERRORS },
      { reason: 'overloaded', code: /^model serving error$/, source: DASHSCOPE_ERRORS },
      { reason: 'billing', code: /\bfree tier only$/, source: DASHSCOPE_ERRORS },
      {
        reason: 'context_overflow',
        code: /^invalid parameter$/,
        words: /\brange of input length\b/,
        source: DASHSCOPE_ERRORS,
      },
      // OpenAI's billing code, and the word quota, for a throttle per minute.
      {
        reason: 'rate_limit',
        code: /^(?:insufficient quota|throttling\b.*|limit requests|limit burst rate)$/,
        source: DASHSCOPE_ERRORS,
      },
    ],
  },
  {
    name: 'mistral',
    providers: ['mistral'],
    rules: [{ reason: 'overloaded', code: /^3505$/, source: 'docs.mistral.ai' }],
  },
  {
    name: 'zai',
    providers: ['zai', 'z-ai', 'zhipu', 'zhipuai', 'bigmodel', 'glm'],
    recognises: (problem) => problem.bracketed !== undefined && /^1[0-3]\d\d$/.test(problem.bracketed),
    rules: [
      { reason: 'auth', code: /^(?:1000|1001|1002|1004)$/, source: ZAI_ERRORS },
      { reason: 'session_expired', code: /^1003$/, source: ZAI_ERRORS },
      { reason: 'auth_permanent', code: /^(?:1110|1111|1112|1121|1220)$/, source: ZAI_ERRORS },
      { reason: 'billing', code: /^(?:1113|1309)$/, source: ZAI_ERRORS },
      { reason: 'server_error', code: /^(?:1120|1200|1230|1234)$/, source: ZAI_ERRORS },
      { reason: 'model_not_found', code: /^(?:1211|1311)$/, source: ZAI_ERRORS },
      { reason: 'context_overflow', code: /^1261$/, source: ZAI_ERRORS },
      { reason: 'format', code: /^(?:121[02345]|1300|1301)$/, source: ZAI_ERRORS },
      { reason: 'rate_limit', code: /^(?:1302|1303)$/, source: ZAI_ERRORS },
      { reason: 'rate_limit', scope: 'credential', code: /^(?:1304|1308|1310)$/, source: ZAI_ERRORS },
      { reason: 'overloaded', code: /^(?:1305|1312)$/, source: ZAI_ERRORS },
    ],
  },
  {
    name: 'minimax',
    providers: ['minimax'],
    recognises: (problem) => problem.isMinimax || /^(?:10|20)\d\d$/.test(problem.suffixed ?? ''),
    rules: [
      { reason: 'rate_limit', code: /^(?:1002|1039|1041|2045)$/, source: MINIMAX_ERRORS },
      { reason: 'rate_limit', scope: 'credential', code: /^2056$/, source: MINIMAX_ERRORS },
      { reason: 'billing', code: /^1008$/, source: MINIMAX_ERRORS },
      { reason: 'auth', code: /^(?:1004|2049)$/, source: MINIMAX_ERRORS },
      { reason: 'timeout', code: /^1001$/, source: MINIMAX_ERRORS },
      { reason: 'server_error', code: /^(?:1000|1013|1024|1033)$/, source: MINIMAX_ERRORS },
      { reason: 'format', code: /^(?:1026|1027|1042)$/, source: MINIMAX_ERRORS },
      {
        reason: 'model_not_found',
        code: /^2061$/,
        source: 'the plan has not this model: HTTP 500 with the code in the message',
      },
      // "invalid params": its wording says which, so the general wording is asked first.
      { reason: 'model_not_found', code: /^2013$/, words: /\bmodel\b/, source: MINIMAX_ERRORS },
      {
        reason: 'context_overflow',
        code: /^2013$/,
        words: /\bcontext\b|\btokens?\b/,
        source: MINIMAX_ERRORS,
      },
      { reason: 'format', code: /^2013$/, source: MINIMAX_ERRORS },
    ],
  },
  {
    name: 'openrouter',
    providers: ['openrouter'],
    rules: [
      // Holds on credits for requests under way, released as they end.
      { reason: 'rate_limit', code: /^openrouter in flight budget$/, source: OPENROUTER_ERRORS },
      { reason: 'format', words: /\b(?:requires moderation|was flagged)\b/, source: OPENROUTER_ERRORS },
    ],
  },
  {
    name: 'github',
    providers: ['github-copilot', 'github-models'],
    rules: [
      {
        reason: 'rate_limit',
        scope: 'credential',
        code: /^user (?:global|weekly|daily)? ?rate limited\b/,
        source: 'github.com/orgs/community: a limit of the user, whatever the model',
      },
      {
        reason: 'model_not_found',
        code: /^no access$/,
        words: /\bmodel\b/,
        source: 'docs.github.com/en/github-models',
      },
    ],
  },
  {
    name: 'opencode',
    providers: ['opencode'],
    rules: [
      {
        reason: 'rate_limit',
        scope: 'credential',
        code: /\busage limit error$/,
        source: 'opencode.ai/docs/zen: windows of the subscription',
      },
    ],
  },
]

/**
 * The families that a failure is judged by: the one that is declared for the provider, else the one that names it, else
 * that of the dialect it speaks; then those that the body speaks like.
 */
export function familiesOf(
  provider: string,
  { declared, dialect }: { readonly declared?: string | undefined; readonly dialect?: string | undefined },
  problem: Problem,
): readonly RuleFamily[] {
  const name = provider.toLowerCase()
  const own =
    FAMILIES.find((family) => family.name === declared) ??
    FAMILIES.find((family) => family.providers.includes(name)) ??
    FAMILIES.find((family) => family.name === dialect)
  const said = own === undefined ? [] : [own]
  const spoken = FAMILIES.filter((family) => !said.includes(family) && family.recognises?.(problem) === true)
  return [...said, ...spoken]
}
