import { keymuxFolder } from '../../../config/paths.js'
import { ERROR_CODES, isKeymuxError, KeymuxError } from '../../../domain/errors.js'
import type { Explanation } from '../../../domain/explanation.js'
import { newProfileId } from '../../../domain/ids.js'
import type { Keymux } from '../../../domain/keymux.js'
import type { Resolution } from '../../../domain/ports.js'
import type { ResolveOptions } from '../../../domain/resolver.js'
import { formatTime } from '../../../domain/rfc3339.js'
import { type Member, parseMembers, requireMembers, resolveChain } from '../../../operations/members.js'
import type { CliContext } from '../context.js'
import { HelperMemory } from '../helper-memory.js'
import { tellPassedOver } from '../passed-over.js'
import { explanationJson, renderExplanation } from '../render/explanation.js'
import { readSelection, SELECTION_OPTIONS } from '../selection.js'
import type { CommandSpec } from '../spec.js'

/** `keymux resolve`: a credential that works now. */
export const resolve: CommandSpec = {
  description:
    'Prints the credential alone, so that it can serve as a key helper. Several providers, separated by commas, are tried in turn. When nothing can be handed out it says when something will (exit 5).',
  arguments: [{ name: 'PROVIDER[:NAME][,…]', summary: 'what is wanted', completes: 'provider' }],
  options: [
    ...SELECTION_OPTIONS,
    { flags: '--explain', summary: 'say who would be chosen in which order and why, without a credential' },
    {
      flags: '--helper',
      summary:
        'for programs that take their key from a command: a program that asks again within 5 s gets the next one',
    },
  ],
  examples: [
    { line: 'keymux resolve openai', does: 'the key of the best account that works now' },
    { line: 'keymux resolve anthropic --helper', does: 'as the apiKeyHelper of Claude Code' },
    { line: 'keymux resolve openai --explain', does: 'every account of OpenAI, its place, and why' },
    { line: 'keymux resolve openai:work,groq --json', does: 'the work account, else another, else Groq' },
  ],
  async run(context, input) {
    const members = parseMembers('PROVIDER', input.argument('PROVIDER[:NAME][,…]'))
    const options = readSelection(input, context.signal)
    if (options.strict === true && members.some((member) => member.name === undefined)) {
      throw new KeymuxError('usage', '--strict needs the name of a profile', { hint: 'write PROVIDER:NAME' })
    }
    const handle = await context.open()
    if (input.flag('explain')) {
      if (!input.flag('helper')) return explain(context, handle, members, options)
      throw new KeymuxError('usage', '--explain and --helper do not go together')
    }
    const result = input.flag('helper')
      ? await resolveAgain(context, handle, members, options)
      : await resolveMembers(handle, members, options)
    const [first] = members
    if (first?.name !== undefined) {
      await tellPassedOver(context, handle, newProfileId(first.provider, first.name), result.profile.id)
    }
    if (context.output.json) context.output.document(toJson(result))
    else context.output.raw(result.credential)
    return undefined
  },
}

/** Says who would be chosen; the exit status is that of a resolution. */
async function explain(
  { output, style, host }: CliContext,
  handle: Pick<Keymux, 'resolver' | 'profiles' | 'providers'>,
  members: readonly Member[],
  options: ResolveOptions,
): Promise<number | undefined> {
  await requireMembers(handle, members, options.only)
  const found: Explanation[] = []
  for (const { provider, name } of members) found.push(await handle.resolver.explain(provider, name, options))
  const chosen = found.flatMap(({ candidates }) => candidates.filter(({ place }) => place === 1))[0]
  const document = {
    ...(chosen === undefined ? {} : { profile_id: chosen.profileId }),
    providers: found.map(explanationJson),
  }
  const view = { style, width: output.width, now: host.clock.now() }
  output.result(document, () => found.map((one) => renderExplanation(one, view)).join('\n\n'))
  return chosen === undefined ? ERROR_CODES.no_usable_profile : undefined
}

/** The first member's credential that can be had. */
export async function resolveMembers(
  handle: Pick<Keymux, 'resolver' | 'profiles' | 'providers'>,
  members: readonly Member[],
  options: ResolveOptions,
): Promise<Resolution> {
  await requireMembers(handle, members, options.only)
  return resolveChain(handle.resolver, members, options)
}

/** Leaves out what the same program got a moment ago, as long as there is anything else. */
async function resolveAgain(
  { host }: CliContext,
  handle: Pick<Keymux, 'resolver' | 'profiles' | 'providers' | 'vault' | 'health'>,
  members: readonly Member[],
  options: ResolveOptions,
): Promise<Resolution> {
  const { vaultId } = await handle.vault.status()
  const wanted = members.map(({ text }) => text).join(',')
  // The runtime folder that a variable names is not there after `su`, or in a container.
  const folders = [keymuxFolder('runtime', host), keymuxFolder('state', host)]
  const asking = { caller: host.caller(), vault: vaultId, wanted }
  const memory = new HelperMemory(folders, asking, Number(host.clock.now()))
  const tried = memory.tried()
  const cameBackFrom = [...tried].at(-1)
  // A key helper must not fail for the want of that.
  if (cameBackFrom !== undefined) await handle.health.suspect(cameBackFrom).catch(() => undefined)
  try {
    const result = await resolveMembers(handle, members, { ...options, exclude: tried })
    memory.remember([...tried, result.profile.id])
    return result
  } catch (error) {
    if (cameBackFrom === undefined || !isKeymuxError(error, 'no_usable_profile')) throw error
    // All were tried: from the beginning, and not with the one that it comes back from.
    const exclude = tried.size > 1 ? new Set([cameBackFrom]) : undefined
    const result = await resolveMembers(handle, members, { ...options, exclude })
    memory.remember([result.profile.id])
    return result
  }
}

function toJson(result: Resolution): Record<string, unknown> {
  return {
    provider: result.provider,
    profile_id: result.profile.id,
    mode: result.profile.mode,
    credential: result.credential,
    ...(result.email === undefined ? {} : { email: result.email }),
    ...(result.expiresAt === undefined ? {} : { expires_at: formatTime(result.expiresAt) }),
    attempted_profiles: result.attemptedProfiles,
  }
}
