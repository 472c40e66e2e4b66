import { withoutUndefined } from '../domain/defined.js'
import type {
  FailureReason,
  ModelCooldown,
  ProfileCooldownConfig,
  ProfileUsageStats,
} from '../domain/usage.js'
import {
  calculateRateLimitCooldown,
  longestDisableMs,
  MAX_STATED_WAIT_MS,
  MODEL_NOT_FOUND_MS,
  OVERLOADED_MAX_MS,
  SHORT_PAUSE_MS,
} from './cooldown.js'

/** A period in which something is set aside. */
export interface Window {
  readonly until: Date
  /** Absent in files of the original, which only has rate-limit cooldowns. */
  readonly reason?: FailureReason
  /** True when the provider itself named the time. */
  readonly stated?: boolean
  /** True of a disable, or of a model's window, that wording or a status alone led to. */
  readonly presumed?: boolean
}

/** Where a window is kept: each slot holds at most one. */
export type WindowSlot =
  | { readonly kind: 'cooldown' }
  | { readonly kind: 'disable' }
  | { readonly kind: 'model'; readonly model: string }

/** The pause of the whole profile. */
export const COOLDOWN: WindowSlot = { kind: 'cooldown' }
/** The long disable. */
export const DISABLE: WindowSlot = { kind: 'disable' }

const LONGEST_MODEL_NAME = 256
/** So many models of a profile are remembered at most. */
export const MOST_MODELS = 256
const LAST_INSTANT_MS = 8.64e15

/** The slot of a model. */
export function modelSlot(model: string): WindowSlot {
  return { kind: 'model', model: modelKey(model) }
}

/** What a model is remembered by. Longer names than any provider has share their beginning; no model is an empty one. */
export function modelKey(model: string | undefined): string {
  return model?.slice(0, LONGEST_MODEL_NAME) ?? ''
}

/** The instant `ms` milliseconds after `now`, or the last one a `Date` can hold. */
export function instantAfter(now: Date, ms: number): Date {
  return new Date(Math.min(now.getTime() + ms, LAST_INSTANT_MS))
}

/** Whether a window is still open. At its end it is not. */
export function isOpen<W extends Window>(window: W | undefined, now: Date): window is W {
  return window !== undefined && window.until.getTime() > now.getTime()
}

/** Whether a reason says something of the credential itself, which the next one need not share. */
export function isOfCredential(reason: FailureReason): boolean {
  return reason === 'auth' || reason === 'auth_permanent' || reason === 'session_expired'
}

/**
 * Whether a window of this reason means nothing for this provider. OpenRouter stands before many providers:
 * that one of them refuses the credential says nothing about the others.
 */
export function isBypassed(provider: string, reason: FailureReason | undefined): boolean {
  return reason !== undefined && isOfCredential(reason) && bypassesAuthWindows(provider)
}

/** Whether windows about the credential's login mean nothing for this provider. */
export function bypassesAuthWindows(provider: string): boolean {
  return provider.toLowerCase() === 'openrouter'
}

/** The window in a slot if it is open at `now` and means something for this provider. */
export function holdingWindow(
  stats: ProfileUsageStats | undefined,
  slot: WindowSlot,
  provider: string,
  now: Date,
): Window | undefined {
  const window = stats && readWindow(stats, slot)
  return isOpen(window, now) && !isBypassed(provider, window.reason) ? window : undefined
}

/** The later of two windows; the first of equals. */
export function laterWindow(a: Window | undefined, b: Window | undefined): Window | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return b.until.getTime() > a.until.getTime() ? b : a
}

/** The window in a slot, open or not. */
export function readWindow(stats: ProfileUsageStats, slot: WindowSlot): Window | undefined {
  switch (slot.kind) {
    case 'cooldown':
      return windowOf(stats.cooldownUntil, stats.cooldownReason, stats.cooldownStated)
    case 'disable':
      return windowOf(stats.disabledUntil, stats.disabledReason, stats.disabledStated, stats.disabledPresumed)
    case 'model':
      return stats.modelCooldowns && Object.hasOwn(stats.modelCooldowns, slot.model)
        ? stats.modelCooldowns[slot.model]
        : undefined
  }
}

/** A copy of the statistics with another window in a slot, or with none. */
export function withWindow(
  stats: ProfileUsageStats,
  slot: WindowSlot,
  window: Window | undefined,
): ProfileUsageStats {
  const { until, reason } = window ?? {}
  const stated = window?.stated || undefined
  switch (slot.kind) {
    case 'cooldown':
      return withoutUndefined({
        ...stats,
        cooldownUntil: until,
        cooldownReason: reason,
        cooldownStated: stated,
      })
    case 'disable':
      return withoutUndefined({
        ...stats,
        disabledUntil: until,
        disabledReason: reason,
        disabledStated: stated,
        disabledPresumed: window?.presumed || undefined,
      })
    case 'model':
      return withModel(stats, slot.model, window)
  }
}

/** What the longest windows depend on. */
export interface WindowLimits {
  readonly provider: string
  readonly config?: ProfileCooldownConfig | undefined
}

/**
 * Cuts every window that lies further ahead than a window of its kind can: what is left of a clock that
 * was wrong. Store the result, else the cut end moves along with `now`. The same object when nothing was cut.
 */
export function clampWindows(stats: ProfileUsageStats, now: Date, limits: WindowLimits): ProfileUsageStats {
  return clampBy(stats, now, {
    rateLimitMs: calculateRateLimitCooldown(limits.config, limits.provider),
    disableMs: longestDisableMs(limits.config, limits.provider),
  })
}

/**
 * Like {@link clampWindows} where the settings are not known: windows whose length depends on them may be
 * as long as they were when they were opened, or 24 h.
 */
export function clampWithoutConfig(stats: ProfileUsageStats, now: Date): ProfileUsageStats {
  const recorded = (stats.disabledUntil?.getTime() ?? 0) - (stats.lastFailureAt?.getTime() ?? Infinity)
  return clampBy(stats, now, {
    rateLimitMs: MAX_STATED_WAIT_MS,
    disableMs: Math.max(MAX_STATED_WAIT_MS, recorded),
  })
}

/** A copy without windows that have ended; the same object when none has. Totals and runs stay. */
export function clearExpiredWindows(stats: ProfileUsageStats, now: Date): ProfileUsageStats {
  return mapWindows(stats, (window) => (isOpen(window, now) ? window : undefined))
}

interface ConfiguredLimits {
  readonly rateLimitMs: number
  readonly disableMs: number
}

function clampBy(stats: ProfileUsageStats, now: Date, limits: ConfiguredLimits): ProfileUsageStats {
  return mapWindows(stats, (window, kind) => {
    const latest = instantAfter(now, longestMs(window, kind, limits))
    return window.until > latest ? { ...window, until: latest } : window
  })
}

function longestMs(window: Window, kind: WindowSlot['kind'], limits: ConfiguredLimits): number {
  if (window.stated) return MAX_STATED_WAIT_MS
  if (kind === 'disable') return limits.disableMs
  switch (window.reason) {
    case 'rate_limit':
      return limits.rateLimitMs
    case 'session_expired':
    case 'timeout':
    case 'server_error':
      return SHORT_PAUSE_MS
    case 'overloaded':
      return OVERLOADED_MAX_MS
    case 'model_not_found':
      return MODEL_NOT_FOUND_MS
    default:
      return MAX_STATED_WAIT_MS
  }
}

/** Passes every window through `change`; the same object when that changes none. */
function mapWindows(
  stats: ProfileUsageStats,
  change: <W extends Window>(window: W, kind: WindowSlot['kind']) => W | undefined,
): ProfileUsageStats {
  let result = stats
  for (const slot of [COOLDOWN, DISABLE]) {
    const window = readWindow(stats, slot)
    const changed = window && change(window, slot.kind)
    if (changed !== window) result = withWindow(result, slot, changed)
  }
  const models = Object.entries(stats.modelCooldowns ?? {})
  const kept = models.flatMap(([model, window]): ModelEntry[] => {
    const changed = change(window, 'model')
    return changed === undefined ? [] : [[model, changed]]
  })
  const same =
    kept.length === models.length && kept.every(([, window], index) => window === models[index]?.[1])
  return same ? result : withModels(result, kept)
}

function windowOf(
  until: Date | undefined,
  reason: FailureReason | undefined,
  stated: boolean | undefined,
  presumed?: boolean | undefined,
): Window | undefined {
  return until && withoutUndefined({ until, reason, stated, presumed })
}

type ModelEntry = readonly [model: string, window: ModelCooldown]

function withModels(stats: ProfileUsageStats, entries: readonly ModelEntry[]): ProfileUsageStats {
  const { modelCooldowns: _old, ...rest } = stats
  return entries.length === 0 ? rest : { ...rest, modelCooldowns: Object.fromEntries(entries) }
}

function withModel(stats: ProfileUsageStats, model: string, window: Window | undefined): ProfileUsageStats {
  const others = Object.entries(stats.modelCooldowns ?? {}).filter(([name]) => name !== model)
  if (window === undefined) return withModels(stats, others)
  // Model names come from requests: whoever makes them up must not make the record grow for ever.
  if (others.length >= MOST_MODELS) {
    others.sort(([, a], [, b]) => b.until.getTime() - a.until.getTime()).splice(MOST_MODELS - 1)
  }
  const { until, reason = 'rate_limit', stated, presumed } = window
  return withModels(stats, [
    ...others,
    [
      model,
      withoutUndefined({ until, reason, stated: stated || undefined, presumed: presumed || undefined }),
    ],
  ])
}
