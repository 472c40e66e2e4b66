import { parseProfileId } from '../../../domain/ids.js'
import { formatTime } from '../../../domain/rfc3339.js'
import type { ProfileView } from '../../../profiles/types.js'
import type { CliContext } from '../context.js'
import { askProvider, type LiveResult } from '../live-check.js'
import type { CliHandle } from '../services.js'
import type { CommandSpec } from '../spec.js'

interface TestResult {
  readonly view: ProfileView
  readonly live?: LiveResult
}

/** `keymux test`: does it work? */
export const test: CommandSpec = {
  description:
    'Without --live it looks at what is stored: whether there is a credential and whether it has expired. Exits 1 when one of them does not work.',
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
  handle: CliHandle,
  view: ProfileView,
  live: boolean,
  context: CliContext,
): Promise<TestResult> {
  if (!live || !view.valid) return { view }
  const answer = await askProvider(handle, view.id, { signal: context.signal, now: context.host.clock.now() })
  return { view: await handle.profiles.view(view.id, { signal: context.signal }), live: answer }
}

function works({ view, live }: TestResult): boolean {
  return view.valid && (live === undefined || live.outcome !== 'refused')
}

function print({ output, style }: CliContext, results: readonly TestResult[]): void {
  output.result({ results: results.map(toJson) }, () =>
    results
      .map(
        (result) =>
          `${works(result) ? style.good('✓') : style.bad('✗')} ${result.view.id}: ${sentence(result)}`,
      )
      .join('\n'),
  )
}

function toJson(result: TestResult): Record<string, unknown> {
  const { view, live } = result
  return {
    profile_id: view.id,
    valid: view.valid,
    expired: view.expired,
    state: view.state,
    ...(view.email === undefined ? {} : { email: view.email }),
    ...(view.expiresAt === undefined ? {} : { expires_at: formatTime(view.expiresAt) }),
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

function sentence({ view, live }: TestResult): string {
  if (live === undefined) return view.valid ? `looks valid (${view.state})` : `cannot be used (${view.state})`
  switch (live.outcome) {
    case 'works':
      return 'the provider accepts it'
    case 'limited':
      return `the provider knows it, and it is limited now (${live.reason ?? 'unknown'})`
    case 'unreachable':
      return `the provider could not be asked (${live.message ?? 'unknown'})`
    case 'unsupported':
      return 'the provider has no cheap request to ask with'
    case 'refused':
      return `the provider refuses it (${live.reason ?? 'unknown'})${live.message === undefined ? '' : `: ${live.message}`}`
  }
}
