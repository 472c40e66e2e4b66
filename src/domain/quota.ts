/**
 * What a provider says of a window: `allowed`, `warning` (little is left), `rejected` (nothing is), or `overage`
 * (nothing is, and requests are served for extra money).
 */
export type QuotaStatus = 'allowed' | 'warning' | 'rejected' | 'overage'

/** What is left of one limit of an account, as an answer said. What it did not say is absent, never zero. */
export interface QuotaWindow {
  /** What is counted, or for how long: `requests`, `tokens`, `input-tokens`, `5h`, `7d`, `7d_opus`. */
  readonly dimension: string
  /**
   * The model that it holds for, or a glob of a class of models (`claude-*opus*`); empty for requests that name no
   * model. Absent: it holds for the whole account.
   */
  readonly model?: string
  readonly limit?: number
  readonly remaining?: number
  /** The share that is used, from 0 to 1. */
  readonly utilization?: number
  /** When it is full again, or begins anew. */
  readonly resetsAt?: Date
  /** When the answer came. */
  readonly seenAt: Date
  readonly status?: QuotaStatus
  /** Until when nobody is to be asked for it: a good answer said that nothing is left. */
  readonly asideUntil?: Date
}

/** What is remembered of the quota of one profile, or of one account. */
export interface QuotaState {
  /** Counts resets and new credentials: what was read in an earlier epoch means nothing. */
  readonly epoch: number
  /** At most {@link MOST_QUOTA_WINDOWS}, one for each dimension and model. */
  readonly windows: readonly QuotaWindow[]
}

/** So many windows of a profile are remembered, those that were seen last. */
export const MOST_QUOTA_WINDOWS = 32
