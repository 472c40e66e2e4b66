import type { ProfileCooldownConfig, ProviderCooldownOverride } from '../domain/usage.js'
import { doubled } from './backoff.js'

const SECOND_MS = 1000
const HOUR_MS = 3_600_000

const DEFAULT_RATE_LIMIT_SECONDS = 30
const DEFAULT_BILLING_BACKOFF_HOURS = 5
const DEFAULT_BILLING_MAX_HOURS = 24
const DEFAULT_FAILURE_WINDOW_HOURS = 24

/** The longest wait that is believed when a provider states it: 24 h, in milliseconds. */
export const MAX_STATED_WAIT_MS: number = 24 * HOUR_MS
/** The same for the window of a subscription, as an answer states it: 8 days, in milliseconds. */
export const MAX_WINDOW_WAIT_MS: number = 8 * 24 * HOUR_MS
/** Pause after an expired session and after a run of time-outs or server errors: 30 s, in milliseconds. */
export const SHORT_PAUSE_MS: number = 30 * SECOND_MS
/** First pause of an overloaded provider: 5 s, in milliseconds. */
export const OVERLOADED_BASE_MS: number = 5 * SECOND_MS
/** Longest pause of an overloaded provider: 60 s, in milliseconds. */
export const OVERLOADED_MAX_MS: number = 60 * SECOND_MS
/** How long a model that a profile does not have is left alone: 12 h, in milliseconds. */
export const MODEL_NOT_FOUND_MS: number = 12 * HOUR_MS

/** How long a profile is first set aside on a presumption: 60 s, in milliseconds. */
export const PRESUMED_BASE_MS: number = 60 * SECOND_MS
/** The longest that it is where its credential is presumed to be refused: 10 min, in milliseconds. */
export const PRESUMED_REFUSED_MAX_MS: number = 600 * SECOND_MS
/** How long a model is that a profile is presumed not to have: 10 min, in milliseconds. */
export const PRESUMED_MODEL_MS: number = 600 * SECOND_MS

/** How long a profile first goes behind others after an answer that broke off: 30 s, in milliseconds. */
export const BEHIND_BASE_MS: number = 30 * SECOND_MS
/** The longest that it goes behind them: 5 min, in milliseconds. */
export const BEHIND_MAX_MS: number = 300 * SECOND_MS

/** How long a rate limit without a stated time lasts, in milliseconds. Default 30 s. */
export function calculateRateLimitCooldown(
  config?: ProfileCooldownConfig | undefined,
  provider?: string | undefined,
): number {
  const seconds =
    positive(overrideOf(config, provider)?.rateLimitSeconds) ??
    positive(config?.rateLimitSeconds) ??
    DEFAULT_RATE_LIMIT_SECONDS
  return seconds * SECOND_MS
}

/**
 * How long the `errorCount`th billing (or permanent auth) failure in a row disables a profile, in
 * milliseconds: base·2^(n−1), n at least 1, capped. Defaults 5 h and 24 h.
 */
export function calculateBillingDisable(
  errorCount: number,
  config?: ProfileCooldownConfig | undefined,
  provider?: string | undefined,
): number {
  return doubled(billingBaseMs(config, provider), errorCount, billingCapMs(config))
}

/** The longest disable that the settings can lead to, in milliseconds. */
export function longestDisableMs(config: ProfileCooldownConfig | undefined, provider: string): number {
  return Math.max(billingCapMs(config), billingBaseMs(config, provider))
}

/** How long failures are remembered, in milliseconds. Default 24 h. */
export function failureWindowMs(config: ProfileCooldownConfig | undefined): number {
  return (positive(config?.failureWindowHours) ?? DEFAULT_FAILURE_WINDOW_HOURS) * HOUR_MS
}

/** A stated wait as far as it is believed: at most 24 h by default; `undefined` when it is no positive number. */
export function statedWaitMs(
  retryAfterMs: number | undefined,
  longestMs: number = MAX_STATED_WAIT_MS,
): number | undefined {
  const wait = positive(retryAfterMs)
  return wait === undefined ? undefined : Math.min(wait, longestMs)
}

function billingBaseMs(config: ProfileCooldownConfig | undefined, provider: string | undefined): number {
  const hours =
    positive(overrideOf(config, provider)?.billingBackoffHours) ??
    positive(config?.billingBackoffHours) ??
    DEFAULT_BILLING_BACKOFF_HOURS
  return hours * HOUR_MS
}

function billingCapMs(config: ProfileCooldownConfig | undefined): number {
  return (positive(config?.billingMaxHours) ?? DEFAULT_BILLING_MAX_HOURS) * HOUR_MS
}

function overrideOf(
  config: ProfileCooldownConfig | undefined,
  provider: string | undefined,
): ProviderCooldownOverride | undefined {
  const name = provider?.toLowerCase()
  const overrides = config?.byProvider
  // A provider may be called `constructor`: only own entries count.
  return name !== undefined && overrides && Object.hasOwn(overrides, name) ? overrides[name] : undefined
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) && value > 0 ? value : undefined
}
