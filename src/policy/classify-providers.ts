import type { FailureRule } from './classify-rules.js'

/**
 * What is true of one provider alone, by its name; `anthropic` and `gemini` also serve the custom providers
 * of their families. These rules go before the generic ones. Codes and messages are matched as `wordsOf`
 * gives them: lower case, words apart.
 */
export const PROVIDER_RULES: ReadonlyMap<string, readonly FailureRule[]> = new Map([
  ['anthropic', [{ reason: 'model_not_found', code: /^not found error$/, words: /^model: ./ }]],
  [
    'gemini',
    [
      {
        reason: 'billing',
        code: /^resource exhausted$/,
        words: /\b(?:prepa(?:y|id|yment)|credits|spending)\b/,
      },
      // Gemini words every exhausted quota as a question of plan and billing.
      { reason: 'rate_limit', code: /^resource exhausted$/ },
    ],
  ],
  [
    'qwen',
    [
      { reason: 'billing', code: /\bfree tier only$/ },
      { reason: 'context_overflow', code: /^invalid parameter$/, words: /\brange of input length\b/ },
      // DashScope uses OpenAI's billing code, and the word quota, for a throttle per minute.
      {
        reason: 'rate_limit',
        code: /^(?:insufficient quota|throttling\b.*|limit requests|limit burst rate)$/,
      },
    ],
  ],
  ['mistral', [{ reason: 'overloaded', code: /^3505$/ }]],
  [
    'minimax',
    [
      { reason: 'rate_limit', code: /^(?:1002|1039|1041|2045)$/ },
      { reason: 'rate_limit', scope: 'credential', code: /^2056$/ },
      { reason: 'billing', code: /^1008$/ },
      { reason: 'auth', code: /^(?:1004|2049)$/ },
      { reason: 'timeout', code: /^1001$/ },
      { reason: 'server_error', code: /^(?:1000|1013|1024|1033)$/ },
      { reason: 'format', code: /^(?:1026|1027|1042)$/ },
      // "invalid params": its wording says which, so the general wording is asked first.
      { reason: 'model_not_found', code: /^2013$/, words: /\bmodel\b/ },
      { reason: 'context_overflow', code: /^2013$/, words: /\bcontext\b|\btokens?\b/ },
      { reason: 'format', code: /^2013$/ },
    ],
  ],
  [
    'openrouter',
    [
      // Holds on credits for requests under way, released as they end.
      { reason: 'rate_limit', code: /^openrouter in flight budget$/ },
      { reason: 'format', words: /\b(?:requires moderation|was flagged)\b/ },
    ],
  ],
])
