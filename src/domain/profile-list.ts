/** What is known of an OAuth login. */
export interface LoginJson {
  /** Only where it is true. */
  readonly login_needed?: boolean
  readonly expires_at?: string
  readonly renewable?: boolean
  /** Counts the credentials that an OAuth profile has had. */
  readonly generation?: number
  /** When a failed renewal is tried again, and why it failed. */
  readonly renewal_retry_at?: string
  readonly renewal_reason?: string
  /** What its owner can do about a login that is not renewed. */
  readonly renewal_hint?: string
}

/** What is left of one limit, as an answer said. */
export interface QuotaJson {
  readonly dimension: string
  /** The model or class of models that it holds for; absent where it holds for the whole account. */
  readonly model?: string
  readonly limit?: number
  readonly remaining?: number
  readonly used_percent?: number
  readonly resets_at?: string
  readonly seen_at: string
  /** `allowed`, `warning`, `rejected` or `overage`, where the provider says so. */
  readonly status?: string
}

/** A profile in a list, in the names of JSON. The fields down to `last_error` are the original's. */
export interface ProfileListItem extends LoginJson {
  readonly id: string
  readonly provider: string
  readonly name: string
  readonly mode: string
  readonly enabled: boolean
  readonly valid: boolean
  /** Only where it is true. */
  readonly expired?: boolean
  readonly email?: string
  readonly priority?: number
  /** RFC 3339, as every time here. */
  readonly last_used_at?: string
  readonly last_error?: string
  /** `available`, `cooling`, `disabled`, `off`, `expired` or `invalid`. */
  readonly state?: string
  readonly unusable_until?: string
  readonly unusable_reason?: string
  readonly account?: string
  readonly models?: readonly string[]
  readonly base_url?: string
  readonly pool?: string
  readonly concurrency?: number
  readonly weight?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly proxy?: string
  readonly reference?: string
  readonly scopes?: readonly string[]
  readonly last_error_at?: string
  readonly quota?: readonly QuotaJson[]
  readonly created_at?: string
  readonly updated_at?: string
}

/** A list of profiles. */
export interface ProfileListResult {
  readonly profiles: readonly ProfileListItem[]
  readonly total: number
}
