import { withoutUndefined } from '../domain/defined.js'
import { type AuthMode, OAUTH_EXPIRY_BUFFER_MS } from '../domain/profile.js'
import type { FailureReason, ProfileUsageStats } from '../domain/usage.js'
import {
  COOLDOWN,
  DISABLE,
  holdingWindow,
  isOpen,
  laterWindow,
  modelSlot,
  readWindow,
  type Window,
} from './windows.js'

/** What a profile's standing depends on. Windows are taken as they are: clamp them first. */
export interface StandingFacts {
  readonly provider: string
  /** False when its owner switched it off. */
  readonly enabled: boolean
  readonly mode: AuthMode
  /** False when there is nothing to send and nothing to renew with, or when a new login is needed. */
  readonly hasCredential: boolean
  /** Whether an OAuth login can be renewed. */
  readonly renewable: boolean
  /** When the token or access token expires, in epoch milliseconds. */
  readonly expiresAt?: number | undefined
  readonly stats?: ProfileUsageStats | undefined
  /** Windows shared by all profiles of the account. */
  readonly accountStats?: ProfileUsageStats | undefined
  /** The wait after a renewal that failed. It matters once the access token is worth nothing any more. */
  readonly renewal?: RenewalWait | undefined
}

/** A wait after a failed renewal. */
export interface RenewalWait {
  /** Until when the access token that is there may be handed out, in epoch milliseconds. */
  readonly servableUntil: number
  /** When the wait begins to be believed, in epoch milliseconds: one that is too long comes from a wrong clock. */
  readonly from: number
  readonly until: Date
  readonly reason: FailureReason
}

/**
 * What can be said of a profile: `off` was switched off by its owner, `invalid` has no credential or needs
 * a login, `expired` cannot be renewed, `disabled` and `cooling` wait for a time, be it for a window to end or for
 * an expired login to be renewed once more.
 */
export type StandingState = 'available' | 'cooling' | 'disabled' | 'off' | 'expired' | 'invalid'

/** A profile's standing at an instant. */
export interface Standing {
  readonly state: StandingState
  /** When a cooling or disabled profile becomes usable: the later end of all its windows. */
  readonly until?: Date
  /** The failure behind the state. */
  readonly reason?: FailureReason
  /** The token or access token has passed its expiry (an OAuth one 5 minutes before); it may be renewable. */
  readonly expired: boolean
  /** It is set aside on a presumption alone: it serves where nobody else can. */
  readonly presumed?: boolean
  /** The next instant at which the standing may differ by the passing of time alone. */
  readonly nextChangeAt?: Date
}

/** The standing of a profile at `now`. `off` goes before `invalid`, `expired`, `disabled` and `cooling`. */
export function standing(facts: StandingFacts, now: Date): Standing {
  const expiresAt = expiryOf(facts)
  const expired = expiresAt !== undefined && expiresAt <= now.getTime()
  const ahead = expired ? undefined : expiresAt
  if (!facts.enabled) return describe('off', expired, [ahead])
  if (!facts.hasCredential) return describe('invalid', expired, [ahead])
  if (expired && !(facts.mode === 'oauth' && facts.renewable)) return describe('expired', true, [])

  const renewal = renewalWindow(facts.renewal, now)
  const disable = windowsOf(facts, 'disable', now)
  const cooldown = [...windowsOf(facts, 'cooldown', now), ...renewal.windows]
  const ends = [...disable, ...cooldown].map((window) => window.until.getTime())
  const changes = [ahead, renewal.begins, ...ends]
  const disabled = disable.reduce<Window | undefined>(laterWindow, undefined)
  const cooling = cooldown.reduce<Window | undefined>(laterWindow, undefined)
  const until = laterWindow(disabled, cooling)?.until
  if (disabled !== undefined) {
    const made = describe('disabled', expired, changes, until, disabled.reason)
    const isPresumed = cooling === undefined && disable.every(({ presumed }) => presumed === true)
    return isPresumed ? { ...made, presumed: true } : made
  }
  if (cooling !== undefined)
    return describe('cooling', expired, changes, until, cooling.reason ?? 'rate_limit')
  return describe('available', expired, changes)
}

/** The window in which `model` is set aside on a profile or its account: the later of both. */
export function modelWindow(
  stats: ProfileUsageStats | undefined,
  accountStats: ProfileUsageStats | undefined,
  model: string,
  now: Date,
): { readonly until: Date; readonly reason: FailureReason; readonly presumed?: boolean } | undefined {
  const slot = modelSlot(model)
  const [own, shared] = [stats, accountStats].map((one) => {
    const window = one && readWindow(one, slot)
    return isOpen(window, now) ? window : undefined
  })
  const window = laterWindow(own, shared)
  if (window === undefined) return undefined
  const { until, reason = 'rate_limit', presumed } = window
  return presumed === true ? { until, reason, presumed } : { until, reason }
}

/** The window of a failed renewal while it holds, or the instant at which it begins to. */
function renewalWindow(
  wait: RenewalWait | undefined,
  now: Date,
): { readonly windows: Window[]; readonly begins?: number } {
  if (wait === undefined || wait.until <= now) return { windows: [] }
  const begins = Math.max(wait.servableUntil, wait.from)
  if (begins <= now.getTime()) return { windows: [{ until: wait.until, reason: wait.reason }] }
  return begins < wait.until.getTime() ? { windows: [], begins } : { windows: [] }
}

function windowsOf(facts: StandingFacts, kind: 'cooldown' | 'disable', now: Date): Window[] {
  const slot = kind === 'disable' ? DISABLE : COOLDOWN
  return [facts.stats, facts.accountStats]
    .map((stats) => holdingWindow(stats, slot, facts.provider, now))
    .filter((window) => window !== undefined)
}

/** The instant from which the credential counts as expired, in epoch milliseconds. */
function expiryOf({ mode, expiresAt }: StandingFacts): number | undefined {
  if (expiresAt === undefined || mode === 'api_key') return undefined
  return mode === 'oauth' ? expiresAt - OAUTH_EXPIRY_BUFFER_MS : expiresAt
}

function describe(
  state: StandingState,
  expired: boolean,
  changes: readonly (number | undefined)[],
  until?: Date | undefined,
  reason?: FailureReason | undefined,
): Standing {
  const next = Math.min(...changes.filter((at) => at !== undefined))
  const nextChangeAt = Number.isFinite(next) ? new Date(next) : undefined
  return withoutUndefined({ state, until, reason, expired, nextChangeAt })
}
