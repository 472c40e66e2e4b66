import { type RuleFamily, speaks } from './classify-rules.js'

const DASHSCOPE_ERRORS = 'help.aliyun.com/zh/model-studio/error-code'
const ZAI_ERRORS = 'docs.z.ai/api-reference/api-code'
const MINIMAX_ERRORS = 'platform.minimax.io/docs/api-reference/errorcode'

/** Those who tell by numbers, or with OpenAI's codes for something else. */
export const CHINA: readonly RuleFamily[] = [
  {
    name: 'dashscope',
    providers: ['qwen', 'dashscope', 'bailian'],
    recognises: (problem) =>
      /\b(?:help\.aliyun\.com|alibabacloud\.com|dashscope)\b/.test(problem.raw) ||
      speaks(
        /^(?:throttling (?:rate quota|allocation quota|burst rate)|data inspection failed|model serving error|access denied unpurchased|arrearage)$/,
      )(problem),
    rules: [
      {
        reason: 'model_not_found',
        code: /^(?:access denied unpurchased|model access denied)$/,
        source: DASHSCOPE_ERRORS,
      },
      { reason: 'billing', code: /\bfree tier only$/, source: DASHSCOPE_ERRORS },
      { reason: 'overloaded', code: /^model serving error$/, source: DASHSCOPE_ERRORS },
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
      // The same where a relay has left the code out.
      { reason: 'rate_limit', words: /\bexceeded your current quota\b/, source: DASHSCOPE_ERRORS },
    ],
  },
  {
    name: 'zai',
    providers: ['zai', 'z-ai', 'zhipu', 'zhipuai', 'bigmodel', 'glm'],
    utcOffset: 8,
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
]
