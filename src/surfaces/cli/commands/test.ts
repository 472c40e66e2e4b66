import { isKeymuxError, type KeymuxError } from '../../../domain/errors.js'
import { parseProfileId } from '../../../domain/ids.js'
import type { Keymux } from '../../../domain/keymux.js'
import type { ProfileView } from '../../../domain/profiles.js'
import { askProvider, type LiveResult } from '../../../operations/live-test.js'
import { problemOf, type Remedies } from '../../../operations/validity.js'
import { credentialJson } from '../../../profiles/json-views.js'
import { damagedProfile } from '../../../profiles/profile-index.js'
import type { CliContext } from '../context.js'
import { isForever } from '../render/state.js'
import { formatUntil } from '../render/time.js'
import type { CommandSpec } from '../spec.js'

interface TestResult {
  readonly view: ProfileView
  /** What speaks against it before the provider is asked, or once it has been. */
  readonly problem: KeymuxError | undefined
  readonly live?: LiveResult
}

/** What the provider, or the lack of a token, says against a credential. */
const FAILURES: readonly LiveResult['outcome'][] = ['refused', 'unrenewable']

/** `keymux test`: does it work? */
export const test: CommandSpec = {
  description:
    'Without --live it looks at what is stored: whether there is a credential, whether it has expired, and whether its renewal failed. Exits 1 when one of them does not work.',
  arguments: [{ name: 'ID', summary: 'a profile, PROVIDER:NAME', variadic: true }],
  options: [{ flags: '--live', summary: 'ask the provider, with its cheapest request' }],
  examples: [
    { line: 'keymux test openai:work', does: 'looks at what is stored' },
    { line: 'keymux test openai:work openai:personal --live', does: 'asks OpenAI about both' },
  ],
  async run(context, input) {
    const handle = await context.open()
    const ids = [...new Set(input.variadic('ID').map((text) => parseProfileId(text).id))]
    const views = await Promise.all(ids.map((id) => handle.profiles.view(id, { signal: context.signal })))
    const results: TestResult[] = []
    for (const view of views) results.push(await testOne(handle, view, input.flag('live'), context))
    print(context, results)
    return results.every(works) ? undefined : 1
  },
}

async function testOne(
  handle: Keymux,
  view: ProfileView,
  live: boolean,
  context: CliContext,
): Promise<TestResult> {
  const { clock } = context.host
  const judged = (one: ProfileView): TestResult => ({
    view: one,
    problem: problemOf(one, clock.now(), remedies(one)),
  })
  const damaged = await damageOf(handle, view, context)
  if (damaged !== undefined) return { view, problem: damaged }
  if (!live || !view.valid) return judged(view)
  const answer = await askProvider(handle, view.id, { signal: context.signal, now: clock.now() })
  return { ...judged(await handle.profiles.view(view.id, { signal: context.signal })), live: answer }
}

/** What is stored may be damaged, which shows when it is opened. */
async function damageOf(
  { profiles }: Keymux,
  { id }: ProfileView,
  { signal }: CliContext,
): Promise<KeymuxError | undefined> {
  const profile = await profiles.get(id, { signal })
  try {
    void [profile?.apiKey?.key, profile?.token?.token, profile?.oauth?.accessToken]
    return undefined
  } catch (error) {
    if (isKeymuxError(error, 'vault_corrupt')) return damagedProfile(id, error)
    throw error
  }
}

function remedies({ id }: ProfileView): Remedies {
  return { enable: `run keymux enable ${id}`, replace: `run keymux add ${id} --replace` }
}

function works({ view, problem, live }: TestResult): boolean {
  return view.valid && problem === undefined && (live === undefined || !FAILURES.includes(live.outcome))
}

function print({ output, style, host }: CliContext, results: readonly TestResult[]): void {
  output.result({ results: results.map(toJson) }, () =>
    results
      .map((result) => {
        const mark = works(result) ? style.good('✓') : style.bad('✗')
        return `${mark} ${line(result, host.clock.now())}`
      })
      .join('\n'),
  )
}

function toJson(result: TestResult): Record<string, unknown> {
  const { view, problem, live } = result
  return {
    profile_id: view.id,
    valid: view.valid && problem === undefined,
    expired: view.expired,
    state: view.state,
    ...(view.email === undefined ? {} : { email: view.email }),
    ...credentialJson(view),
    ...(problem === undefined ? {} : { error: problem.message }),
    ...(problem?.hint === undefined ? {} : { hint: problem.hint }),
    ...(live === undefined
      ? {}
      : {
          live: {
            outcome: live.outcome,
            ...(live.status === undefined ? {} : { status: live.status }),
            ...(live.reason === undefined ? {} : { reason: live.reason }),
            ...(live.message === undefined ? {} : { message: live.message }),
          },
        }),
  }
}

function line({ view, problem, live }: TestResult, now: Date): string {
  const unasked = live === undefined || live.outcome === 'unrenewable'
  if (problem !== undefined && unasked) {
    return problem.hint === undefined ? problem.message : `${problem.message}: ${problem.hint}`
  }
  return `${view.id}: ${live === undefined ? `looks valid (${stored(view, now)})` : said(live)}`
}

function stored({ state, expiresAt, renewable }: ProfileView, now: Date): string {
  if (expiresAt === undefined || isForever(expiresAt)) return state
  if (renewable !== true) return expiresAt > now ? `${state}, expires ${formatUntil(expiresAt, now)}` : state
  const next = expiresAt > now ? formatUntil(expiresAt, now) : 'with its next use'
  return `${state}, its token is renewed ${next}`
}

function said(live: LiveResult): string {
  const reason = live.reason ?? 'unknown'
  switch (live.outcome) {
    case 'works':
      return 'the provider accepts it'
    case 'limited':
      if (live.status === undefined) return `the provider was not asked (${reason}): ${live.message ?? ''}`
      return `the provider knows it, and it is limited now (${reason})`
    case 'unreachable':
      return `the provider could not be asked (${live.message ?? 'unknown'})`
    case 'unsupported':
      return 'the provider has no cheap request to ask with'
    case 'unrenewable':
      return `${live.message ?? 'it could not be renewed'} (${reason})`
    case 'refused':
      return `the provider refuses it (${reason})${live.message === undefined ? '' : `: ${live.message}`}`
  }
}
