import { withoutUndefined } from '../domain/defined.js'
import type { QuotaStatus, QuotaWindow } from '../domain/quota.js'
import { LONGEST_WAIT_MS, LONGEST_WINDOW_MS, readWait } from './classify-wait.js'

/** The circumstances of an answer whose headers are read. */
export interface QuotaContext {
  /** When it came. */
  readonly now: Date
  /** The model that was asked. */
  readonly model?: string | undefined
  /** It is the answer that was asked for: what it says is used up is left alone until its reset. */
  readonly good: boolean
}

/** What headers say of one window, before it is judged. */
export interface QuotaReading {
  readonly dimension: string
  readonly model?: string | undefined
  readonly limit?: number | undefined
  readonly remaining?: number | undefined
  readonly utilization?: number | undefined
  readonly resetsAt?: Date | undefined
  readonly status?: QuotaStatus | undefined
  /** The window of a subscription: that may last for days. */
  readonly isLong?: boolean | undefined
  /** It has been used up, and requests are served all the same, for extra money. */
  readonly isOverrun?: boolean | undefined
}

/** No reset lies further ahead than this, in milliseconds: 400 days. */
const FURTHEST_RESET_MS = 400 * 86_400_000
const COUNT = /^\d{1,15}(?:\.\d{1,9})?(?=$|[ ,;])/
const FRACTION = /^\d{1,6}(?:\.\d{1,18})?$/
const LONGEST_MODEL = 256

/** The window of a reading; `undefined` where it says nothing that can be used. */
export function toWindow(reading: QuotaReading, { now, good }: QuotaContext): QuotaWindow | undefined {
  const { dimension, model, remaining, utilization, isOverrun } = reading
  // A limit of nothing at all is none, as good answers show.
  const limit = reading.limit === 0 ? undefined : reading.limit
  if (reading.limit === 0 && remaining === 0) return undefined
  if (remaining === undefined && utilization === undefined && reading.status !== 'rejected') return undefined
  if (reading.resetsAt !== undefined && reading.resetsAt <= now) return undefined
  const status = isOverrun === true ? 'overage' : reading.status
  return withoutUndefined({
    dimension,
    model,
    limit,
    remaining,
    utilization: utilization === undefined ? undefined : Math.min(utilization, 1),
    resetsAt: reading.resetsAt,
    seenAt: now,
    status,
    asideUntil: good && isOverrun !== true && isUsedUp(reading) ? asideUntil(reading, now) : undefined,
  })
}

function isUsedUp({ remaining, status, utilization = 0 }: QuotaReading): boolean {
  return remaining === 0 || status === 'rejected' || utilization >= 1
}

/** Until its reset, at most for 24 h, or for 8 days where it is the window of a subscription. */
function asideUntil({ resetsAt, isLong }: QuotaReading, now: Date): Date | undefined {
  if (resetsAt === undefined) return undefined
  const longest = isLong === true ? LONGEST_WINDOW_MS : LONGEST_WAIT_MS
  return new Date(Math.min(resetsAt.getTime(), now.getTime() + longest))
}

/** A count that is not negative; the first of a list, without its parameters. */
export function readCount(text: string | undefined): number | undefined {
  const digits = text === undefined ? undefined : COUNT.exec(text)?.[0]
  return digits === undefined ? undefined : Number(digits)
}

/** A share from 0 up, such as `0.83`. */
export function readShare(text: string | undefined): number | undefined {
  return text !== undefined && FRACTION.test(text) ? Number(text) : undefined
}

/** When a window resets: seconds or a duration from now, unix time, RFC 3339 or an HTTP date. */
export function readReset(text: string | undefined, now: Date): Date | undefined {
  const waitMs = readWait(text, now.getTime())
  if (waitMs === undefined || !Number.isFinite(waitMs)) return undefined
  return waitMs > FURTHEST_RESET_MS ? undefined : new Date(now.getTime() + Math.ceil(waitMs))
}

/** The model that a window is of which holds for one model alone; `undefined` for a name that is none. */
export function modelAsked({ model = '' }: QuotaContext): string | undefined {
  return model.length > LONGEST_MODEL || /[*?]/.test(model) ? undefined : model
}
