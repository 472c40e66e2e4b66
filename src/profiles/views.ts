import { withoutUndefined } from '../domain/defined.js'
import { shownReference } from '../domain/profile.js'
import type { BehindView, ModelCooldownView, ProfileView, ViewFilter } from '../domain/profiles.js'
import type { ProviderLookup } from '../domain/providers.js'
import type { QuotaWindow } from '../domain/quota.js'
import { behindAt } from '../policy/behind.js'
import { currentQuota } from '../policy/quota-windows.js'
import { refusingAt } from '../policy/refused.js'
import type { Entry } from './entry.js'
import { certaintyOf, evidenceView } from './evidence-view.js'
import type { ProfileMeta } from './record.js'
import { renewalAdvice } from './renewal-advice.js'

/** What may be shown of an entry at `now`. Opens no secret. */
export function viewOf(entry: Entry, now: Date, providers: ProviderLookup): ProfileView {
  const { meta } = entry.record
  const { stats } = entry.state
  const { state, until, reason, expired } = entry.standing
  return withoutUndefined({
    id: entry.id,
    provider: entry.provider,
    name: entry.name,
    mode: meta.mode,
    enabled: meta.enabled,
    valid: entry.valid,
    expired,
    email: meta.email,
    priority: meta.priority,
    account: meta.account,
    models: meta.models,
    baseUrl: meta.baseUrl,
    pool: meta.pool,
    concurrency: meta.concurrency,
    weight: meta.weight,
    headers: meta.headers,
    proxy: meta.proxy && shownReference(meta.proxy),
    reference: meta.reference,
    createdAt: new Date(meta.createdAt),
    updatedAt: new Date(meta.updatedAt),
    lastUsedAt: entry.lastUsedMs === 0 ? undefined : new Date(entry.lastUsedMs),
    lastError: entry.state.lastError,
    lastErrorAt: entry.state.lastErrorAt,
    expiresAt: expiryOf(meta),
    renewable: meta.mode === 'oauth' ? isRenewable(entry) : undefined,
    generation: meta.mode === 'oauth' ? meta.generation : undefined,
    renewal: entry.backoff && { retryAt: entry.backoff.until, reason: entry.backoff.reason },
    renewalHint: renewalAdvice(entry, providers),
    loginNeeded:
      meta.mode === 'oauth' && (meta.loginNeeded === true || !(meta.hasSecret || meta.hasRefresh))
        ? true
        : undefined,
    scopes: meta.scopes,
    state,
    unusableUntil: until,
    unusableReason: reason,
    ...evidenceView(entry, now),
    modelCooldowns: modelCooldowns(entry, now),
    behind: behind(entry, now),
    quota: quotaOf(entry, now),
    errorCount: stats.errorCount,
    failureCounts: { ...stats.failureCounts },
    lastGood: entry.lastGood,
  })
}

/** Of a login without tokens nothing can expire. */
function expiryOf({ mode, hasSecret, expiresAt }: ProfileMeta): Date | undefined {
  return expiresAt === undefined || (mode === 'oauth' && !hasSecret) ? undefined : new Date(expiresAt)
}

function isRenewable({ record: { meta }, obstacle }: Entry): boolean {
  return meta.hasRefresh && meta.loginNeeded !== true && obstacle === undefined
}

/** Whether an entry passes the filter. */
export function passesFilter(entry: Entry, filter: ViewFilter): boolean {
  return (
    (filter.provider === undefined || filter.provider.toLowerCase() === entry.provider) &&
    (filter.mode === undefined || filter.mode === entry.mode) &&
    (filter.enabled === undefined || filter.enabled === entry.record.meta.enabled)
  )
}

function quotaOf(entry: Entry, now: Date): QuotaWindow[] | undefined {
  const { quotaState } = entry
  if (quotaState === undefined || quotaState.epoch < entry.quotaEpoch) return undefined
  const windows = currentQuota(quotaState, now)
  return windows.length === 0 ? undefined : windows
}

function behind({ state: { stats } }: Entry, now: Date): BehindView[] | undefined {
  const models = new Map(behindAt(stats, now))
  for (const [model, until] of refusingAt(stats, now)) {
    if (until > (models.get(model) ?? now)) models.set(model, until)
  }
  return models.size === 0 ? undefined : [...models].map(([model, until]) => ({ model, until }))
}

/** The models set aside on the entry or its account at `now`, soonest first. */
function modelCooldowns(entry: Entry, now: Date): ModelCooldownView[] {
  const own = entry.state.stats.modelCooldowns
  const shared = entry.accountStats?.modelCooldowns
  const limited = entry.quota?.models ?? []
  if (own === undefined && shared === undefined && limited.length === 0) return []
  const models = new Set([...Object.keys(own ?? {}), ...Object.keys(shared ?? {}), ...limited])
  const views: ModelCooldownView[] = []
  for (const model of models) {
    const window = entry.modelWindow(model, now)
    if (window === undefined) continue
    views.push({ model, until: window.until, reason: window.reason, certainty: certaintyOf(window) })
  }
  return views.sort((a, b) => a.until.getTime() - b.until.getTime() || (a.model < b.model ? -1 : 1))
}
