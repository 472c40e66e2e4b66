import { KeymuxError } from '../../../domain/errors.js'
import { parseProfileId, quote } from '../../../domain/ids.js'
import type { OutcomeReport } from '../../../domain/profiles.js'
import { formatTime } from '../../../domain/rfc3339.js'
import { type Certainty, FAILURE_REASONS, type FailureReason, type Told } from '../../../domain/usage.js'
import { explainMessage } from '../../../policy/classify-message.js'
import {
  type ClassifyInput,
  type ExplainedVerdict,
  explainResponse,
} from '../../../policy/classify-response.js'
import { type FailureSource, failureSource } from '../../../policy/own-rules.js'
import type { CliContext } from '../context.js'
import { readBody } from '../failure-body.js'
import type { CommandInput } from '../input.js'
import type { CommandGroup, CommandSpec } from '../spec.js'

const LONGEST_WAIT_S = 24 * 3600

const success: CommandSpec = {
  arguments: [{ name: 'ID', summary: 'a profile, PROVIDER:NAME' }],
  options: [{ flags: '--model <MODEL>', summary: 'the model that answered' }],
  examples: [
    { line: 'keymux report success openai:work', does: 'ends its run of failures and lifts a disable' },
  ],
  async run(context, input) {
    const { id } = parseProfileId(input.argument('ID'))
    const model = input.text('model')
    const { profiles } = await context.open()
    const { signal } = context
    await profiles.markSuccess(id, { signal, model })
    const { state } = await profiles.view(id, { signal })
    context.output.result({ profile_id: id, state }, () => `${id} works: ${state}.`)
    return undefined
  },
}

const failure: CommandSpec = {
  description:
    'Give what you have: the HTTP status, the message, the body of the answer. keymux finds out what they mean and sets the profile aside accordingly.',
  arguments: [{ name: 'ID', summary: 'a profile, PROVIDER:NAME' }],
  options: [
    { flags: '--status <N>', summary: 'the HTTP status of the answer' },
    { flags: '--message <TEXT>', summary: 'the error message' },
    {
      flags: '--body-file <PATH>',
      summary: 'a file with the body of the answer; - reads it from standard input',
      completes: 'file',
    },
    { flags: '--retry-after <SECONDS>', summary: 'the wait that the provider asked for' },
    { flags: '--reason <REASON>', summary: 'what it means, if you know', choices: [...FAILURE_REASONS] },
    { flags: '--model <MODEL>', summary: 'the model of the request' },
  ],
  examples: [
    {
      line: 'keymux report failure openai:work --status 429 --retry-after 20',
      does: 'rests it for 20 seconds',
    },
    {
      line: 'keymux report failure openai:work --message "invalid api key"',
      does: 'works out what it means',
    },
  ],
  async run(context, input) {
    const { id, provider } = parseProfileId(input.argument('ID'))
    const { profiles, providers, config } = await context.open()
    const source = failureSource(provider, providers.get(provider), config.failureRules)
    const about = { ...source, now: context.host.clock.now() }
    const told = await readOutcome(context, input, about)
    const report = await profiles.reportFailure(id, told.reason, {
      signal: context.signal,
      retryAfterMs: told.retryAfterMs,
      model: told.model,
      message: told.message,
      certainty: told.certainty,
      told: told.told,
    })
    print(context, report)
    return undefined
  },
}

/** `keymux report`: feeds an outcome back. */
export const report: CommandGroup = {
  subcommands: [
    { name: 'success', summary: 'a request with this profile went well', load: async () => success },
    { name: 'failure', summary: 'a request with this profile failed', load: async () => failure },
  ],
  examples: [
    { line: 'keymux report success openai:work', does: 'it works' },
    { line: 'keymux report failure openai:work --status 429', does: 'it is rate-limited' },
  ],
}

interface Outcome {
  readonly reason: FailureReason
  readonly retryAfterMs?: number | undefined
  readonly model?: string | undefined
  readonly message?: string | undefined
  /** Absent where the reason was given. */
  readonly certainty?: Certainty | undefined
  readonly told?: Told | undefined
}

async function readOutcome(
  context: CliContext,
  input: CommandInput,
  about: FailureSource & Pick<ClassifyInput, 'now'>,
): Promise<Outcome> {
  const statusCode = input.integer('status', { min: 100, max: 599 })
  const message = input.text('message')
  const bodyFile = input.text('body-file')
  const model = input.text('model')
  const body = bodyFile === undefined ? undefined : await readBody(context, bodyFile)
  const stated = retryAfter(input)
  const given = input.text('reason') as FailureReason | undefined
  if (given !== undefined) return { reason: given, retryAfterMs: stated, model, message }
  if (statusCode === undefined && message === undefined && body === undefined) {
    throw new KeymuxError('usage', 'what went wrong?', {
      hint: 'give --status, --message, --body-file or --reason',
    })
  }
  if (statusCode === undefined && body === undefined) {
    return reported(explainMessage(message ?? '', { ...about, model }), stated, model, message)
  }
  const status = statusCode ?? 200
  const verdict = explainResponse({ ...about, status, headers: {}, body: body ?? message ?? '', model })
  if (verdict === undefined) {
    throw new KeymuxError('usage', 'this is no failure: the status and the body speak of none', {
      hint: 'use keymux report success, or name the --reason',
    })
  }
  return reported(verdict, stated, model, message, statusCode)
}

function reported(
  verdict: ExplainedVerdict,
  stated: number | undefined,
  model: string | undefined,
  message: string | undefined,
  status?: number,
): Outcome {
  const { reason, scope, certainty, retryAfterMs, decision } = verdict
  const by = decision.by === 'words' || decision.by === 'status' ? decision.by : 'code'
  return {
    reason,
    certainty,
    told: status === undefined ? { by } : { by, status },
    retryAfterMs: stated ?? retryAfterMs,
    // What sets the whole credential aside must not be narrowed to one model.
    model: scope === 'credential' ? undefined : model,
    message: message ?? verdict.message,
  }
}

function retryAfter(input: CommandInput): number | undefined {
  const text = input.text('retry-after')
  if (text === undefined) return undefined
  const seconds = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN
  if (seconds > 0 && seconds <= LONGEST_WAIT_S) return seconds * 1_000
  throw new KeymuxError(
    'invalid_value',
    `--retry-after wants seconds up to ${LONGEST_WAIT_S}, not ${quote(text)}`,
  )
}

function print(
  { output }: CliContext,
  { profileId, reason, scope, certainty, state, unusableUntil }: OutcomeReport,
): void {
  const until = unusableUntil === undefined ? undefined : formatTime(unusableUntil)
  output.result(
    {
      profile_id: profileId,
      reason,
      scope,
      certainty,
      state,
      ...(until === undefined ? {} : { unusable_until: until }),
    },
    () => `${profileId}: ${reason}, ${state}${until === undefined ? '' : ` until ${until}`}.`,
  )
}
