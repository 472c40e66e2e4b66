import fc from 'fast-check'
import { expect, it } from 'vitest'
import { usageFromJson, usageToJson } from '../domain/profile-codec.js'
import { FAILURE_REASONS, type FailureReason, newUsageStats } from '../domain/usage.js'
import { applyFailure, applyReset, applySuccess } from './failure.js'
import { clampWindows, clearExpiredWindows } from './windows.js'

// The arithmetic of cooldowns against a model that keeps the whole history and works everything out anew
// from it, with the figures of the specification written out.

const HOUR = 3_600_000
const DAY = 24 * HOUR
const MODELS = ['m', 'n']

interface Report {
  readonly kind: 'failure'
  readonly at: number
  readonly reason: FailureReason
  readonly model?: string
  readonly stated?: number
}

type Event =
  | Report
  | { readonly kind: 'success'; readonly at: number; readonly model?: string }
  | { readonly kind: 'reset'; readonly at: number }

interface Span {
  readonly end: number
  readonly stated: boolean
  readonly reason: FailureReason
}

const PROVIDERS = {
  openai: { rateLimit: 30_000, billing: 5 * HOUR, patient: [] as string[] },
  groq: { rateLimit: 10_000, billing: HOUR, patient: [] as string[] },
  openrouter: { rateLimit: 30_000, billing: 5 * HOUR, patient: ['auth_permanent', 'session_expired'] },
}
const CONFIG = { byProvider: { groq: { rateLimitSeconds: 10, billingBackoffHours: 1 } } }
type Provider = keyof typeof PROVIDERS

const RUN: Partial<Record<FailureReason, string>> = {
  timeout: 'transient',
  server_error: 'transient',
  overloaded: 'overloaded',
  billing: 'billing',
  auth: 'auth',
  auth_permanent: 'permanent',
}

/** Where the event acts: `all` (the pause of the profile), `off` (the disable), `model:…`, or nowhere. */
function place({ reason, model }: Report): string | undefined {
  if (['billing', 'auth', 'auth_permanent'].includes(reason)) return 'off'
  if (['session_expired', 'timeout', 'server_error'].includes(reason)) return 'all'
  if (reason === 'rate_limit' || reason === 'overloaded') return model ? `model:${model}` : 'all'
  return reason === 'model_not_found' && model ? `model:${model}` : undefined
}

function expected(history: readonly Event[], provider: Provider) {
  const figures = PROVIDERS[provider]
  const spans = new Map<string, Span>()
  // Times at which each run was lengthened, since the last success or reset.
  let runs: [string, number][] = []
  let counts: Partial<Record<FailureReason, number>> = {}
  let last = Number.NaN

  const lengthen = (name: string, now: number): number => {
    runs.push([name, now])
    const times = runs.filter(([other]) => other === name).map(([, time]) => time)
    let start = times.length - 1
    while (start > 0 && (times[start] ?? 0) - (times[start - 1] ?? 0) <= DAY) start -= 1
    return times.length - start
  }
  const disable = (n: number): number => Math.min(figures.billing * 2 ** (n - 1), DAY)
  const length = (reason: FailureReason, n: number, now: number): number | undefined => {
    if (reason === 'rate_limit') return figures.rateLimit
    if (reason === 'session_expired') return 30_000
    if (reason === 'model_not_found') return 12 * HOUR
    if (reason === 'overloaded') return Math.min(5000 * 2 ** (n - 1), 60_000)
    if (reason === 'auth') return n >= 3 ? disable(lengthen('permanent', now)) : undefined
    if (reason === 'billing' || reason === 'auth_permanent') return disable(n)
    return n >= 3 ? 30_000 : undefined
  }

  for (const event of history) {
    const now = event.at
    if (event.kind !== 'failure') {
      runs = []
      spans.delete('off')
      if (event.kind === 'reset') spans.clear()
      else if (event.model) {
        const key = `model:${event.model}`
        if (spans.get(key)?.reason !== 'rate_limit') spans.delete(key)
      }
      continue
    }
    if (now - last > DAY) counts = {}
    counts[event.reason] = (counts[event.reason] ?? 0) + 1
    last = now

    const where = place(event)
    if (where === undefined) continue
    const reason = event.reason === 'auth' ? 'auth_permanent' : event.reason
    const statedEnd =
      event.stated === undefined || event.reason === 'auth' ? undefined : now + Math.min(event.stated, DAY)
    const old = spans.get(where)
    const ignorable = (name: FailureReason): boolean => figures.patient.includes(name)
    if (old !== undefined && old.end > now && !(ignorable(old.reason) && !ignorable(reason))) {
      if (statedEnd === undefined || (ignorable(reason) && !ignorable(old.reason))) continue
      if (!old.stated || statedEnd > old.end) spans.set(where, { end: statedEnd, stated: true, reason })
      continue
    }
    const run = RUN[event.reason]
    const own = length(event.reason, run === undefined ? 0 : lengthen(run, now), now)
    if (own !== undefined)
      spans.set(where, { end: statedEnd ?? now + own, stated: statedEnd !== undefined, reason })
  }
  return { spans, counts, total: Object.values(counts).reduce((sum, count) => sum + count, 0) }
}

const gap = fc.oneof(
  fc.constantFrom(
    0,
    1,
    4999,
    5000,
    10_000,
    30_000,
    60_000,
    HOUR,
    5 * HOUR,
    10 * HOUR,
    12 * HOUR,
    DAY,
    DAY + 1,
  ),
  fc.integer({ min: 0, max: 2 * DAY }),
)
const model = fc.constantFrom(undefined, ...MODELS)
const stated = fc.option(fc.constantFrom(1, 1000, 20_000, 40_000, HOUR, 30 * HOUR), {
  nil: undefined,
  freq: 2,
})
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('failure'),
      gap,
      reason: fc.constantFrom(...FAILURE_REASONS),
      model,
      stated,
    }),
  },
  // A streak of one reason: what escalation is about.
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('failure'),
      gap,
      reason: fc.constantFrom('billing', 'auth', 'timeout', 'overloaded'),
      model: fc.constant(undefined),
      stated: fc.constant(undefined),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('success'), gap, model }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset'), gap }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('clear', 'clamp', 'store'), gap }) },
)

it('windows, totals and escalation follow the specification over any history', () => {
  const provider = fc.constantFrom(...(Object.keys(PROVIDERS) as Provider[]))
  fc.assert(
    fc.property(provider, fc.array(step, { maxLength: 40 }), (name, steps) => {
      const history: Event[] = []
      let at = Date.parse('2026-11-23T12:00:00Z')
      let stats = newUsageStats()
      for (const item of steps) {
        at += item.gap
        const now = new Date(at)
        const context = { now, provider: name, config: CONFIG }
        if (item.kind === 'failure' && 'reason' in item) {
          const { reason, model: wanted, stated: wait } = item as Omit<Report, 'at'>
          const details = { ...(wanted ? { model: wanted } : {}), ...(wait ? { stated: wait } : {}) }
          history.push({ kind: 'failure', at, reason, ...details })
          stats = applyFailure(stats, reason, { ...context, model: wanted, retryAfterMs: wait }).stats
        } else if (item.kind === 'success') {
          const wanted = 'model' in item ? item.model : undefined
          history.push({ kind: 'success', at, ...(wanted ? { model: wanted } : {}) })
          stats = applySuccess(stats, { now, model: wanted })
        } else if (item.kind === 'reset') {
          history.push({ kind: 'reset', at })
          stats = applyReset(stats)
        } else if (item.kind === 'clear') stats = clearExpiredWindows(stats, now)
        else if (item.kind === 'clamp') expect(clampWindows(stats, now, context)).toBe(stats)
        else stats = usageFromJson(JSON.parse(JSON.stringify(usageToJson(stats))))

        const { spans, counts, total } = expected(history, name)
        const open = (key: string): number | undefined => {
          const end = spans.get(key)?.end
          return end !== undefined && end > at ? end : undefined
        }
        const real = (until: Date | undefined): number | undefined =>
          until !== undefined && until.getTime() > at ? until.getTime() : undefined
        expect(real(stats.cooldownUntil)).toBe(open('all'))
        expect(real(stats.disabledUntil)).toBe(open('off'))
        for (const wanted of MODELS) {
          expect(real(stats.modelCooldowns?.[wanted]?.until)).toBe(open(`model:${wanted}`))
        }
        expect(stats.failureCounts).toEqual(counts)
        expect(stats.errorCount).toBe(total)
      }
    }),
    { numRuns: 1500 },
  )
})
