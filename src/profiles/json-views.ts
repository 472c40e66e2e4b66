import type { LoginJson, ProfileListItem, ProfileListResult, QuotaJson } from '../domain/profile-list.js'
import type { ProfileView } from '../domain/profiles.js'
import type { QuotaWindow } from '../domain/quota.js'
import { formatTime } from '../domain/rfc3339.js'
import { headroomOf } from '../policy/quota-windows.js'

/** A model set aside on a profile. */
export interface ModelCooldownJson {
  readonly model: string
  readonly until: string
  readonly reason: string
  readonly certainty: string
}

/** What is known of a profile's use. */
export interface ProfileStatusJson extends LoginJson {
  readonly id: string
  readonly state: string
  /** Only where it is true. */
  readonly expired?: boolean
  readonly unusable_until?: string
  readonly reason?: string
  /** `stated`, `presumed` or `confirmed`. */
  readonly certainty?: string
  /** What a presumption was told by: `wording`, `status`, or `code` where that does not settle it. */
  readonly told_by?: string
  readonly told_status?: number
  readonly checked_by?: string
  readonly checked_at?: string
  readonly next_check_at?: string
  readonly pool?: string
  readonly model_cooldowns: readonly ModelCooldownJson[]
  readonly behind?: readonly { readonly model: string; readonly until: string }[]
  /** What is left of its limits, the tightest first. */
  readonly quota: readonly QuotaJson[]
  readonly error_count: number
  readonly failure_counts: Readonly<Record<string, number>>
  readonly last_used_at?: string
  readonly last_good: boolean
}

/** Profiles by provider, in the order given. */
export interface StatusResult {
  readonly providers: readonly {
    readonly provider: string
    readonly profiles: readonly ProfileStatusJson[]
  }[]
}

/** A profile as `list --json` has it. It holds no secret. */
export function toProfileJson(view: ProfileView): ProfileListItem {
  return {
    id: view.id,
    provider: view.provider,
    name: view.name,
    mode: view.mode,
    enabled: view.enabled,
    valid: view.valid,
    ...(view.expired ? { expired: true } : {}),
    ...optional('email', view.email),
    priority: view.priority,
    ...time('last_used_at', view.lastUsedAt),
    ...optional('last_error', view.lastError),
    state: view.state,
    ...time('unusable_until', view.unusableUntil),
    ...optional('unusable_reason', view.unusableReason),
    ...credentialJson(view),
    ...optional('account', view.account),
    ...optional('models', view.models),
    ...optional('base_url', view.baseUrl),
    ...optional('pool', view.pool),
    ...optional('concurrency', view.concurrency),
    ...optional('weight', view.weight),
    ...optional('headers', view.headers),
    ...optional('proxy', view.proxy),
    ...optional('reference', view.reference),
    ...optional('scopes', view.scopes),
    ...time('last_error_at', view.lastErrorAt),
    ...optional('quota', view.quota?.map(toQuotaJson)),
    created_at: formatTime(view.createdAt),
    updated_at: formatTime(view.updatedAt),
  }
}

/** `list --json`. */
export function toListJson(views: readonly ProfileView[]): ProfileListResult {
  return { profiles: views.map(toProfileJson), total: views.length }
}

/** One profile of `status --json`. */
export function toProfileStatusJson(view: ProfileView): ProfileStatusJson {
  return {
    id: view.id,
    state: view.state,
    ...(view.expired ? { expired: true } : {}),
    ...time('unusable_until', view.unusableUntil),
    ...optional('reason', view.unusableReason),
    ...evidenceJson(view),
    model_cooldowns: view.modelCooldowns.map(({ model, until, reason, certainty }) => ({
      model,
      until: formatTime(until),
      reason,
      certainty,
    })),
    ...(view.behind === undefined
      ? {}
      : { behind: view.behind.map(({ model, until }) => ({ model, until: formatTime(until) })) }),
    quota: (view.quota ?? []).map(toQuotaJson),
    error_count: view.errorCount,
    failure_counts: { ...view.failureCounts },
    ...optional('pool', view.pool),
    ...time('last_used_at', view.lastUsedAt),
    last_good: view.lastGood,
    ...credentialJson(view),
  }
}

/** One limit, as an answer said what is left of it. */
export function toQuotaJson(window: QuotaWindow): QuotaJson {
  const left = headroomOf(window)
  return {
    dimension: window.dimension,
    ...optional('model', window.model),
    ...optional('limit', window.limit),
    ...optional('remaining', window.remaining),
    ...optional('used_percent', left === undefined ? undefined : Math.round((1 - left) * 1_000) / 10),
    ...time('resets_at', window.resetsAt),
    seen_at: formatTime(window.seenAt),
    ...optional('status', window.status),
  }
}

/** `status --json`. */
export function toStatusJson(views: readonly ProfileView[]): StatusResult {
  const byProvider = new Map<string, ProfileStatusJson[]>()
  for (const view of views) {
    const profiles = byProvider.get(view.provider) ?? []
    profiles.push(toProfileStatusJson(view))
    byProvider.set(view.provider, profiles)
  }
  return { providers: [...byProvider].map(([provider, profiles]) => ({ provider, profiles })) }
}

/** `show --json`: everything that is known of one profile but its secrets. */
export function toShowJson(
  view: ProfileView,
): ProfileListItem & Omit<ProfileStatusJson, 'id' | 'state' | 'reason'> {
  const { reason: _same, ...status } = toProfileStatusJson(view)
  return { ...toProfileJson(view), ...status }
}

const TOLD_BY = { words: 'wording', status: 'status', code: 'code' } as const

function evidenceJson({
  certainty,
  told,
  checkedBy,
  checkedAt,
  nextCheckAt,
}: ProfileView): Pick<
  ProfileStatusJson,
  'certainty' | 'told_by' | 'told_status' | 'checked_by' | 'checked_at' | 'next_check_at'
> {
  return {
    ...optional('certainty', certainty),
    ...optional('told_by', told && TOLD_BY[told.by]),
    ...optional('told_status', told?.status),
    ...optional('checked_by', checkedBy),
    ...time('checked_at', checkedAt),
    ...time('next_check_at', nextCheckAt),
  }
}

/** How long the credential is good, and what becomes of it then. */
export function credentialJson(view: ProfileView): LoginJson {
  return {
    ...(view.loginNeeded === true ? { login_needed: true } : {}),
    ...time('expires_at', view.expiresAt),
    ...optional('renewable', view.renewable),
    ...optional('generation', view.generation),
    ...time('renewal_retry_at', view.renewal?.retryAt),
    ...optional('renewal_reason', view.renewal?.reason),
    ...optional('renewal_hint', view.renewalHint),
  }
}

function optional<K extends string, T>(key: K, value: T | undefined): { [key in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { [key in K]?: T }
}

function time<K extends string>(key: K, value: Date | undefined): { [key in K]?: string } {
  return optional(key, value === undefined ? undefined : formatTime(value))
}
