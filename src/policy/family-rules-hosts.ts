import { type RuleFamily, speaks } from './classify-rules.js'

const OPENROUTER_ERRORS = 'openrouter.ai/docs/api-reference/errors'

/** Those who serve models of others, and relays. */
export const HOSTS: readonly RuleFamily[] = [
  {
    name: 'openrouter',
    providers: ['openrouter'],
    rules: [
      // Holds on credits for requests under way, released as they end.
      { reason: 'rate_limit', code: /^openrouter in flight budget$/, source: OPENROUTER_ERRORS },
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
    providers: ['opencode', 'opencode-go'],
    rules: [
      {
        reason: 'model_not_found',
        words: /^model: ./,
        source: 'anomalyco/opencode#40343: refused for this model alone, which is all that its body says',
      },
      {
        reason: 'rate_limit',
        scope: 'credential',
        code: /\busage limit error$/,
        source: 'opencode.ai/docs/zen: windows of the subscription',
      },
    ],
  },
  {
    name: 'cloudflare',
    providers: ['cloudflare', 'workers-ai'],
    rules: [
      {
        reason: 'rate_limit',
        scope: 'credential',
        code: /^4006$/,
        until: 'midnight UTC',
        source:
          'developers.cloudflare.com/workers-ai/platform/errors: the allocation of a day, for every model',
      },
    ],
  },
  {
    name: 'azure',
    providers: ['azure', 'azure-openai'],
    recognises: (problem) => /\bcall volume quota\b/i.test(problem.raw),
    rules: [
      {
        reason: 'rate_limit',
        words: /\bcall volume quota\b/,
        source: 'learn.microsoft.com/azure/api-management/quota-policy: it is replenished by itself',
      },
      {
        reason: 'auth_permanent',
        code: /^authentication type disabled$/,
        source: 'learn.microsoft.com/azure/ai-services/disable-local-auth',
      },
    ],
  },
  {
    name: 'relay',
    providers: ['newapi', 'new-api', 'oneapi', 'one-api', 'litellm'],
    recognises: (problem) =>
      speaks(/^(?:new|one) api error$|^upstream error$|^bad response status code$/)(problem) ||
      /^litellm\.|负载已饱和|^Provider returned error$/.test(problem.raw),
    rules: [
      // Whatever code it wears: the accounts behind the relay are busy, ours there is sound.
      {
        reason: 'overloaded',
        words: /负载已饱和/,
        source: 'songquanpeng/one-api#330, QuantumNous/new-api#991',
      },
      {
        reason: 'billing',
        code: /^pre consume token quota failed$/,
        source: 'QuantumNous/new-api: what is left does not cover the request',
      },
    ],
  },
]
