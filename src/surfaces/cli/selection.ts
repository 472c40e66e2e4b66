import { PROFILE_PREFERENCES, type ProfilePreference } from '../../domain/ports.js'
import { AUTH_MODES, type AuthMode } from '../../domain/profile.js'
import type { ResolveOptions } from '../../domain/resolver.js'
import { RENEWAL_WAIT_MS } from '../../operations/live-test.js'
import type { CommandInput } from './input.js'
import type { OptionSpec } from './parameters.js'

/** Options that say which profile is wanted, for {@link readSelection}. */
export const SELECTION_OPTIONS: readonly OptionSpec[] = [
  { flags: '--mode <MODE>', summary: 'only profiles of this mode', choices: [...AUTH_MODES] },
  { flags: '--model <MODEL>', summary: 'only profiles that can serve this model now' },
  { flags: '--prefer <ORDER>', summary: 'the order of choice', choices: [...PROFILE_PREFERENCES] },
  { flags: '--strict', summary: 'the named profile or none' },
]

/** What {@link SELECTION_OPTIONS} say. */
export function readSelection(input: CommandInput, signal: AbortSignal): ResolveOptions {
  const mode = input.text('mode') as AuthMode | undefined
  const model = input.text('model')
  const preference = input.text('prefer') as ProfilePreference | undefined
  return {
    signal,
    renewalWaitMs: RENEWAL_WAIT_MS,
    mode,
    model,
    preference,
    ...(input.flag('strict') ? { strict: true } : {}),
  }
}
