import { type QuotaContext, type QuotaReading, readCount, readReset, readShare } from './quota-reading.js'

/** `x-codex-primary-used-percent`, or of one model's own limit `x-codex-NAME-primary-used-percent`. */
const WINDOW = /^(x-codex-(?:([a-z0-9_]{1,40})-)?(primary|secondary))-used-percent$/
const MINUTES_PER_HOUR = 60
const MINUTES_PER_DAY = 1_440

/**
 * The windows of a ChatGPT subscription, `x-codex-{primary,secondary}-{used-percent,window-minutes,reset-at,
 * reset-after-seconds}` (github.com/openai/codex): of the account, or of the model that a further limit names.
 */
export function codexReadings(headers: ReadonlyMap<string, string>, context: QuotaContext): QuotaReading[] {
  const isOverrun =
    isTrue(headers.get('x-codex-credits-has-credits')) || isTrue(headers.get('x-codex-credits-unlimited'))
  return [...headers].flatMap(([name, value]): QuotaReading[] => {
    const [, prefix, family, which = ''] = WINDOW.exec(name) ?? []
    if (prefix === undefined) return []
    const model = family === undefined ? undefined : headers.get(`x-codex-${family}-limit-name`)
    // Whose limit it is that has no name is not known.
    if (family !== undefined && (model === undefined || model === '' || /[*?]/.test(model))) return []
    const percent = readShare(value)
    if (percent === undefined || percent > 1_000) return []
    const minutes = readCount(headers.get(`${prefix}-window-minutes`))
    const resetsAt =
      readReset(headers.get(`${prefix}-reset-at`), context.now) ??
      readReset(headers.get(`${prefix}-reset-after-seconds`), context.now)
    // A plan that lacks a window says nothing but zeros.
    if (percent === 0 && (minutes ?? 0) === 0 && resetsAt === undefined) return []
    const utilization = percent / 100
    return [
      {
        dimension: nameOf(which, minutes),
        model,
        utilization,
        resetsAt,
        isLong: true,
        isOverrun: isOverrun && utilization >= 1,
      },
    ]
  })
}

/** Windows are called by their length, as people speak of them: `5h`, `7d`. */
function nameOf(which: string, minutes: number | undefined): string {
  if (minutes === undefined || minutes === 0) return which
  if (minutes % MINUTES_PER_DAY === 0) return `${minutes / MINUTES_PER_DAY}d`
  return minutes % MINUTES_PER_HOUR === 0 ? `${minutes / MINUTES_PER_HOUR}h` : `${minutes}m`
}

function isTrue(text: string | undefined): boolean {
  return text?.toLowerCase() === 'true' || text === '1'
}
