import { type RuleFamily, speaks } from './classify-rules.js'

const ANTHROPIC_ERRORS = 'docs.claude.com/en/api/errors'
const GEMINI_QUOTA = 'ai.google.dev/gemini-api/docs/rate-limits'

/** Those who make models. */
export const LABS: readonly RuleFamily[] = [
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
        reason: 'context_overflow',
        words: /\bextra usage is required for long context\b/,
        source: 'anthropics/claude-code#39180: shorter requests of the same account go through',
      },
      {
        reason: 'overloaded',
        words: /\btemporarily limiting requests\b/,
        source: 'anthropics/claude-code#71670: not the limit of the account, as it says',
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
    ],
  },
  {
    name: 'gemini',
    providers: ['gemini', 'vertex'],
    recognises: speaks(/^resource exhausted$/),
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
    name: 'groq',
    providers: ['groq'],
    recognises: speaks(/^model permission blocked\b/),
    rules: [
      {
        reason: 'model_not_found',
        code: /^model permission blocked\b/,
        source: 'console.groq.com/docs/model-permissions: one model of an organisation or project',
      },
    ],
  },
]
