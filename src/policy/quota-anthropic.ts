import type { QuotaStatus } from '../domain/quota.js'
import {
  modelAsked,
  type QuotaContext,
  type QuotaReading,
  readCount,
  readReset,
  readShare,
} from './quota-reading.js'

const PREFIX = 'anthropic-ratelimit-'
const UNIFIED = `${PREFIX}unified`
const COUNTED = /^anthropic-ratelimit-([a-z0-9][a-z0-9._-]{0,39}?)-(?:limit|remaining|reset)$/
/** `5h`, `7d`, or of a class of models `7d_opus`. */
const WINDOW =
  /^anthropic-ratelimit-unified-(\d{1,3}[hdm](?:_[a-z0-9_]{1,32})?)-(?:utilization|status|reset)$/
const STATUS: Readonly<Record<string, QuotaStatus>> = {
  allowed: 'allowed',
  allowed_warning: 'warning',
  rejected: 'rejected',
}
const CLAIMS: Readonly<Record<string, string>> = {
  five_hour: '5h',
  seven_day: '7d',
}
const CLASS_CLAIM = /^seven_day_([a-z0-9_]{1,32})$/

/**
 * `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-*` of the model that was asked
 * (docs.claude.com/en/api/rate-limits), and the windows of a subscription, `anthropic-ratelimit-unified-*`, which hold
 * for the account or a class of models.
 */
export function anthropicReadings(
  headers: ReadonlyMap<string, string>,
  context: QuotaContext,
): QuotaReading[] {
  const model = modelAsked(context)
  const dimensions = new Set<string>()
  const windows = new Set<string>()
  for (const name of headers.keys()) {
    const window = WINDOW.exec(name)?.[1]
    if (window !== undefined) windows.add(window)
    else if (!name.startsWith(UNIFIED)) {
      const dimension = COUNTED.exec(name)?.[1]
      if (dimension !== undefined) dimensions.add(dimension)
    }
  }
  const counted =
    model === undefined ? [] : [...dimensions].map((one) => ofModel(headers, one, model, context))
  return [...unifiedReadings(headers, windows, context), ...counted]
}

function ofModel(
  headers: ReadonlyMap<string, string>,
  dimension: string,
  model: string,
  { now }: QuotaContext,
): QuotaReading {
  const of = (field: string): string | undefined => headers.get(`${PREFIX}${dimension}-${field}`)
  return {
    dimension,
    model,
    limit: readCount(of('limit')),
    remaining: readCount(of('remaining')),
    resetsAt: readReset(of('reset'), now),
  }
}

function unifiedReadings(
  headers: ReadonlyMap<string, string>,
  windows: ReadonlySet<string>,
  context: QuotaContext,
): QuotaReading[] {
  const isOverrun = isOverage(headers)
  const readings = [...windows].map((window): QuotaReading => {
    const of = (field: string): string | undefined => headers.get(`${UNIFIED}-${window}-${field}`)
    const status = statusOf(of('status'))
    const utilization = readShare(of('utilization'))
    const isUsedUp = status === 'rejected' || (status === undefined && (utilization ?? 0) >= 1)
    return {
      dimension: window,
      model: classOf(window),
      // A window that is used to the last is none that turns anybody down, unless it says so.
      utilization: isUsedUp || utilization === undefined ? utilization : Math.min(utilization, 0.999),
      resetsAt: readReset(of('reset'), context.now),
      status,
      isLong: true,
      isOverrun: isOverrun && isUsedUp,
    }
  })
  if (readings.length > 0) return readings
  const claimed = claimedReading(headers, context)
  return claimed === undefined ? [] : [{ ...claimed, isOverrun }]
}

/** The window that turns requests down, where its own headers are not there. */
function claimedReading(
  headers: ReadonlyMap<string, string>,
  { now }: QuotaContext,
): QuotaReading | undefined {
  if (statusOf(headers.get(`${UNIFIED}-status`)) !== 'rejected') return undefined
  const claim = headers.get(`${UNIFIED}-representative-claim`)?.toLowerCase() ?? ''
  const ofClass = CLASS_CLAIM.exec(claim)?.[1]
  const dimension = ofClass === undefined ? (CLAIMS[claim] ?? 'unified') : `7d_${ofClass}`
  return {
    dimension,
    model: classOf(dimension),
    resetsAt: readReset(headers.get(`${UNIFIED}-reset`), now),
    status: 'rejected',
    isLong: true,
  }
}

/** The models of a window that holds for a class of them. */
function classOf(window: string): string | undefined {
  const underscore = window.indexOf('_')
  return underscore < 0 ? undefined : `claude-*${window.slice(underscore + 1)}*`
}

/** Whether the account pays for what goes beyond its plan. */
function isOverage(headers: ReadonlyMap<string, string>): boolean {
  if (headers.get(`${UNIFIED}-overage-in-use`)?.toLowerCase() === 'true') return true
  const status = statusOf(headers.get(`${UNIFIED}-overage-status`))
  return status === 'allowed' || status === 'warning'
}

function statusOf(text: string | undefined): QuotaStatus | undefined {
  const word = text?.toLowerCase() ?? ''
  return Object.hasOwn(STATUS, word) ? STATUS[word] : undefined
}
