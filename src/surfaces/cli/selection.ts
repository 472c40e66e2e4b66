import { parseProfileId } from '../../domain/ids.js'
import { PROFILE_PREFERENCES, type ProfilePreference } from '../../domain/ports.js'
import { AUTH_MODES, type AuthMode } from '../../domain/profile.js'
import type { ResolveOptions } from '../../domain/resolver.js'
import { RENEWAL_WAIT_MS } from '../../operations/live-test.js'
import { parseList } from '../../operations/members.js'
import type { CommandInput } from './input.js'
import type { OptionSpec } from './parameters.js'

/** Options that say which profile is wanted, for {@link readSelection}. */
export const SELECTION_OPTIONS: readonly OptionSpec[] = [
  { flags: '--mode <MODE>', summary: 'only profiles of this mode', choices: [...AUTH_MODES] },
  { flags: '--model <MODEL>', summary: 'only profiles that can serve this model now' },
  { flags: '--prefer <ORDER>', summary: 'the order of choice', choices: [...PROFILE_PREFERENCES] },
  { flags: '--strict', summary: 'the named profile or none' },
  { flags: '--only <ID,…>', summary: 'no other profiles than these' },
]

/** What {@link SELECTION_OPTIONS} say. */
export function readSelection(input: CommandInput, signal: AbortSignal): ResolveOptions {
  const mode = input.text('mode') as AuthMode | undefined
  const model = input.text('model')
  const preference = input.text('prefer') as ProfilePreference | undefined
  const only = input.text('only')
  return {
    signal,
    renewalWaitMs: RENEWAL_WAIT_MS,
    mode,
    model,
    preference,
    only:
      only === undefined ? undefined : new Set(parseList('--only', only).map((id) => parseProfileId(id).id)),
    ...(input.flag('strict') ? { strict: true } : {}),
  }
}
