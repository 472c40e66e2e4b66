import { loadConfig } from '../../../config/load.js'
import { withoutUndefined } from '../../../domain/defined.js'
import { KeymuxError } from '../../../domain/errors.js'
import { parseProviderName, quote } from '../../../domain/ids.js'
import { printable } from '../../../domain/printable.js'
import type { ProviderFamily } from '../../../domain/provider.js'
import { type Decision, type ExplainedVerdict, explainResponse } from '../../../policy/classify-response.js'
import { isOpenRefusal } from '../../../policy/compare.js'
import { speaksOfPolicy } from '../../../policy/policy-words.js'
import { readSecretFile } from '../../../system/safe-file.js'
import type { CliContext } from '../context.js'
import type { CommandInput } from '../input.js'
import type { CommandSpec } from '../spec.js'
import { openUnasked } from '../vault-facts.js'
import { pad } from '../width.js'

/** `keymux explain-failure`: which rule decides on an answer, and what would follow. */
export const explainFailure: CommandSpec = {
  description:
    'Nothing is asked and nothing is recorded. Rules of your own (failure_rules in the config) are looked at first.',
  options: [
    { flags: '--provider <PROVIDER>', summary: 'whose answer it is', completes: 'provider' },
    { flags: '--status <N>', summary: 'its HTTP status; 400 by default' },
    { flags: '--body-file <PATH>', summary: 'a file with its body', completes: 'file' },
    { flags: '--message <TEXT>', summary: 'its message, where there is no body' },
    { flags: '--header <NAME=VALUE>', summary: 'one of its headers', repeatable: true },
    { flags: '--model <MODEL>', summary: 'the model of the request' },
  ],
  examples: [
    {
      line: 'keymux explain-failure --provider openai --status 429 --body-file answer.json',
      does: 'what keymux takes it for, and why',
    },
  ],
  async run(context, input) {
    const provider = parseProviderName(required(input, 'provider'))
    const status = input.integer('status', { min: 100, max: 599 }) ?? 400
    const bodyFile = input.text('body-file')
    const body = bodyFile === undefined ? input.text('message') : await readSecretFile(bodyFile)
    const { settings, host, output } = context
    const config = await loadConfig(settings.config, { required: settings.configSource !== 'default' })
    const verdict = explainResponse({
      provider,
      status,
      headers: headersOf(input.texts('header')),
      body: body ?? '',
      model: input.text('model'),
      now: host.clock.now(),
      family: declaredFamily(config.providers[provider]?.settings) ?? (await familyOf(context, provider)),
      rules: config.failureRules,
    })
    if (verdict === undefined) {
      output.result({ provider, failure: false }, () => `A ${status} like this is no failure.`)
      return undefined
    }
    const { reason, scope, certainty, retryAfterMs, message, decision } = verdict
    const isOpen = isOpenRefusal(verdict, status) && !speaksOfPolicy(body?.toString() ?? '')
    const effect = isOpen ? COMPARED : effectOf(verdict)
    const fields = {
      provider,
      failure: true,
      reason,
      scope,
      certainty,
      retry_after_ms: retryAfterMs,
      message,
      decided_by: withoutUndefined({ ...decision }),
      effect,
    }
    output.result(withoutUndefined(fields), () => render(verdict, effect))
    return undefined
  },
}

function required(input: CommandInput, name: string): string {
  const value = input.text(name)
  if (value !== undefined) return value
  throw new KeymuxError('usage', `--${name} is missing`, { hint: 'see keymux explain-failure --help' })
}

function declaredFamily(settings: Readonly<Record<string, unknown>> | undefined): ProviderFamily | undefined {
  const family = settings?.family
  return family === 'openai' || family === 'anthropic' || family === 'gemini' ? family : undefined
}

/** As of a custom provider in the vault, where that opens without a question. */
async function familyOf(context: CliContext, provider: string): Promise<ProviderFamily | undefined> {
  const opened = await openUnasked(context)
  return opened?.providers.get(provider)?.family
}

function headersOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair): [string, string] => {
      const at = pair.search(/[=:]/)
      if (at > 0) return [pair.slice(0, at).trim().toLowerCase(), pair.slice(at + 1).trim()]
      throw new KeymuxError('usage', `${quote(pair)} is no header`, { hint: 'write NAME=VALUE' })
    }),
  )
}

const COMPARED = 'one other account is asked; where that says the same, the caller gets it'

function render(verdict: ExplainedVerdict, effect: string): string {
  const { reason, scope, certainty, retryAfterMs, message, decision } = verdict
  const lines: [string, string | undefined][] = [
    ['reason', `${reason} (${certainty})`],
    ['scope', scope],
    ['wait', retryAfterMs === undefined ? undefined : `${Math.ceil(retryAfterMs / 1_000)} s, as it says`],
    ['message', printable(message)],
    ['decided by', printable(decidedBy(decision))],
    ['source', decision.source],
    ['effect', effect],
  ]
  return lines
    .flatMap(([name, value]) => (value === undefined ? [] : [`${pad(name, 12)}${value}`]))
    .join('\n')
}

function decidedBy({ by, what, family }: Decision): string {
  switch (by) {
    case 'rule':
      return `a rule${family === undefined ? '' : ` of ${family}`}: ${what}`
    case 'code':
      return `its code: ${what}`
    case 'words':
      return `its words: ${what}`
    case 'status':
      return `its status: ${what}`
    case 'page':
      return what
  }
}

/** What would follow, as a sentence. */
function effectOf({ reason, scope, certainty, retryAfterMs }: ExplainedVerdict): string {
  const whom = scope === 'model' ? 'this model of the account' : 'the account'
  const isPresumed = certainty === 'presumed'
  switch (reason) {
    case 'format':
    case 'context_overflow':
      return 'the caller gets it; no account is set aside'
    case 'unknown':
      return scope === 'request'
        ? 'the caller gets it; it is counted'
        : 'another account is asked; it is counted'
    case 'rate_limit':
      return `${whom} is set aside ${retryAfterMs === undefined ? 'for 30 s, or as configured' : 'until then'}; another one is asked`
    case 'overloaded':
      return 'asked once more, then others; set aside for 5 s, doubling to 60 s'
    case 'server_error':
    case 'timeout':
      return 'asked once more, then others; the third in a row sets the account aside for 30 s'
    case 'session_expired':
      return 'a login is renewed; otherwise the account is set aside for 30 s and another one is asked'
    case 'model_not_found':
      return `this model of the account is set aside for ${isPresumed ? '10 min' : '12 h'}; another account is asked`
    case 'billing':
      return isPresumed
        ? 'set aside for 60 s, doubling to 5 h, while another account can serve'
        : 'disabled for 5 h, doubling to 24 h; another account is asked'
    case 'auth':
      return isPresumed
        ? 'a login is renewed; a key is set aside for 60 s, doubling to 10 min, while another account can serve'
        : 'a login is renewed; a key is set aside for 60 s, the third time in a row for 5 h'
    case 'auth_permanent':
      return isPresumed
        ? 'set aside for 60 s, doubling to 10 min, while another account can serve'
        : 'disabled for 5 h, doubling to 24 h; another account is asked'
  }
}
