import { printable } from '../domain/printable.js'
import type { ProfileListItem, ProfileListResult } from '../domain/profile-list.js'

/** How a profile stands at a glance: usable, usable soon or with care, not usable, switched off. */
export type ProfileMark = '✓' | '⚠' | '✗' | '⊘'

/** The mark of a profile. */
export function profileMark(
  profile: Pick<ProfileListItem, 'enabled' | 'valid' | 'expired' | 'state' | 'renewal_reason'>,
): ProfileMark {
  if (!profile.enabled) return '⊘'
  // An expired access token that is renewed when it is used does not stand in anybody's way.
  if (profile.state === 'available') return lastRenewalFailed(profile) ? '⚠' : '✓'
  if (profile.state === 'cooling' || profile.state === 'disabled') return '⚠'
  if (profile.state === 'invalid') return '✗'
  if (profile.expired === true) return '⚠'
  return profile.valid ? '✓' : '✗'
}

/**
 * A list of profiles as plain text for people: grouped by provider, each with its mark (✓ usable, ⚠ expired
 * or set aside for a while, ✗ not usable, ⊘ switched off), mode, e-mail, priority and last error.
 * Characters that a terminal would obey are escaped.
 */
export function formatProfileList(result: ProfileListResult): string {
  if (result.profiles.length === 0) return 'There are no profiles.\n'
  const byProvider = new Map<string, ProfileListItem[]>()
  for (const profile of result.profiles) {
    byProvider.set(profile.provider, [...(byProvider.get(profile.provider) ?? []), profile])
  }
  const groups = [...byProvider].map(([provider, profiles]) =>
    [`${printable(provider)}:`, ...profiles.map(profileLines)].join('\n'),
  )
  const total = `${result.total} ${result.total === 1 ? 'profile' : 'profiles'}`
  return `${groups.join('\n\n')}\n\n${total}\n`
}

/** An expired login that is tried again with its next use, and could not be renewed the last time. */
function lastRenewalFailed({ expired, renewal_reason }: Parameters<typeof profileMark>[0]): boolean {
  return expired === true && renewal_reason !== undefined
}

function profileLines(profile: ProfileListItem): string {
  const facts = [
    profile.mode,
    profile.email,
    profile.priority === undefined || profile.priority === 0 ? undefined : `priority ${profile.priority}`,
    standing(profile),
  ].filter((fact) => fact !== undefined)
  const line = `  ${profileMark(profile)} ${printable(profile.id)}  ${printable(facts.join(', '))}`
  return profile.last_error === undefined || profile.last_error === ''
    ? line
    : `${line}\n      last error: ${printable(profile.last_error)}`
}

function standing(profile: ProfileListItem): string | undefined {
  if (!profile.enabled) return 'off'
  if (profile.state === 'cooling' || profile.state === 'disabled') {
    const reason = profile.unusable_reason === undefined ? '' : ` (${profile.unusable_reason})`
    return `${profile.state}${reason}${profile.unusable_until === undefined ? '' : ` until ${profile.unusable_until}`}`
  }
  if (profile.login_needed === true) return 'login needed'
  if (profile.expired === true && profile.state !== 'available') return 'expired'
  if (lastRenewalFailed(profile)) return `renewal failed (${profile.renewal_reason})`
  return profile.valid ? undefined : 'invalid'
}
