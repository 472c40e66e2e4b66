import { loadConfig } from '../../../config/load.js'
import { withoutUndefined } from '../../../domain/defined.js'
import { KeymuxError } from '../../../domain/errors.js'
import { parseProviderName, quote } from '../../../domain/ids.js'
import { printable } from '../../../domain/printable.js'
import type { ProviderMetadata } from '../../../domain/provider.js'
import { familyFor } from '../../../policy/classify-families.js'
import { explainMessage } from '../../../policy/classify-message.js'
import { type Decision, type ExplainedVerdict, explainResponse } from '../../../policy/classify-response.js'
import { isOpenRefusal } from '../../../policy/compare.js'
import { failureSource, isOwners } from '../../../policy/own-rules.js'
import { speaksOfPolicy } from '../../../policy/policy-words.js'
import type { CliContext } from '../context.js'
import { readBody } from '../failure-body.js'
import { effectOf } from '../failure-effect.js'
import type { CommandInput } from '../input.js'
import type { CommandSpec } from '../spec.js'
import { openUnasked } from '../vault-facts.js'
import { pad } from '../width.js'

/** `keymux explain-failure`: which rule decides on an answer, and what would follow. */
export const explainFailure: CommandSpec = {
  description:
    'Give what you have: status, headers, body, or a message alone. Nothing is asked and nothing is recorded. Rules of your own (failure_rules, in the config or with a provider) are looked at first. Exits 0 whatever it finds, 2 when something is missing or the config is wrong, and 4 when there is no such file.',
  options: [
    { flags: '--provider <PROVIDER>', summary: 'whose answer it is', completes: 'provider' },
    { flags: '--status <N>', summary: 'its HTTP status' },
    {
      flags: '--body-file <PATH>',
      summary: 'a file with its body; - reads it from standard input',
      completes: 'file',
    },
    { flags: '--message <TEXT>', summary: 'its message, where there is no body' },
    { flags: '-H, --header <NAME=VALUE>', summary: 'one of its headers', repeatable: true },
    { flags: '--model <MODEL>', summary: 'the model of the request' },
  ],
  examples: [
    {
      line: 'keymux explain-failure --provider openai --status 429 --body-file answer.json',
      does: 'what keymux takes it for, and why',
    },
    {
      line: 'keymux explain-failure --provider openai --message "Rate limit reached, try again in 20s"',
      does: 'the same for what a log says',
    },
  ],
  async run(context, input) {
    const provider = parseProviderName(required(input, 'provider'))
    const { output } = context
    const { verdict, isCompared } = await explain(context, input, provider)
    if (verdict === undefined) {
      output.result({ provider, failure: false }, () => 'This is no failure.')
      return undefined
    }
    const { reason, scope, certainty, retryAfterMs, message, decision } = verdict
    const effect = isCompared ? COMPARED : effectOf(verdict)
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

interface Explained {
  readonly verdict: ExplainedVerdict | undefined
  /** One other account is asked. */
  readonly isCompared: boolean
}

async function explain(context: CliContext, input: CommandInput, provider: string): Promise<Explained> {
  const status = input.integer('status', { min: 100, max: 599 })
  const headers = headersOf(input.texts('header'))
  const bodyFile = input.text('body-file')
  const message = input.text('message')
  if (status === undefined && bodyFile === undefined && message === undefined) {
    throw new KeymuxError('usage', 'what went wrong?', { hint: 'give --status, --body-file or --message' })
  }
  if (bodyFile !== undefined && message !== undefined) {
    throw new KeymuxError('usage', '--body-file and --message say the same', {
      hint: 'leave one of them out',
    })
  }
  const { settings, host } = context
  const config = await loadConfig(settings.config, { required: settings.configSource !== 'default' })
  const known = await providerOf(context, provider)
  if (known === undefined && familyFor(provider) === undefined) {
    context.output.note(`There is no provider ${quote(provider)}: its answers are read as OpenAI's are.`)
  }
  const about = {
    ...failureSource(provider, known, config.failureRules),
    model: input.text('model'),
    now: host.clock.now(),
  }
  if (status === undefined && message !== undefined)
    return { verdict: explainMessage(message, about), isCompared: false }
  const body = bodyFile === undefined ? (message ?? '') : await readBody(context, bodyFile)
  // A body alone may tell of a failure whatever its status was, as that of a stream does.
  const verdict = explainResponse({ ...about, status: status ?? 200, headers, body }, status === undefined)
  const isOpen = verdict !== undefined && status !== undefined && isOpenRefusal(verdict, status)
  return { verdict, isCompared: isOpen && !speaksOfPolicy(body.toString()) }
}

function required(input: CommandInput, name: string): string {
  const value = input.text(name)
  if (value !== undefined) return value
  throw new KeymuxError('usage', `--${name} is missing`, { hint: 'see keymux explain-failure --help' })
}

/** Built in, in the config, or in the vault where that opens without a question. */
async function providerOf(context: CliContext, provider: string): Promise<ProviderMetadata | undefined> {
  const { settings, host } = context
  const providers = await host.services.providers(settings.config, settings.configSource !== 'default')
  return providers.get(provider) ?? (await openUnasked(context))?.providers.get(provider)
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
    [
      'wait',
      retryAfterMs === undefined ? undefined : `${Math.ceil(retryAfterMs / 1_000)} s${whose(verdict)}`,
    ],
    ['message', printable(message)],
    ['decided by', printable(decidedBy(decision))],
    ['source', decision.source],
    ['rule', decision.where],
    ['effect', effect],
  ]
  return lines
    .flatMap(([name, value]) => (value === undefined ? [] : [`${pad(name, 12)}${value}`]))
    .join('\n')
}

function whose(verdict: ExplainedVerdict): string {
  return isOwners(verdict) ? '' : ', as it says'
}

function decidedBy({ by, what, family, where }: Decision): string {
  switch (by) {
    case 'rule':
      return `${where === undefined ? 'a rule' : 'your rule'}${family === undefined ? '' : ` of ${family}`}: ${what}`
    case 'code':
      return `its code: ${what}`
    case 'words':
      return `its words: ${what}`
    case 'status':
      return `its status: ${what}`
    case 'page':
    case 'nothing':
      return what
  }
}
