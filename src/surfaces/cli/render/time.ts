const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/**
 * When something ends, as seen at `now`: a countdown within the hour (`in 4m 12s`), else the local time
 * (`at 14:05`, or with the date when it is another day).
 */
export function formatUntil(until: Date, now: Date): string {
  const left = until.getTime() - now.getTime()
  if (left <= 0) return 'now'
  if (left > HOUR) return `at ${localTime(until, now)}`
  const seconds = Math.ceil(left / SECOND)
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60]
  if (minutes === 60) return 'in 1h'
  if (minutes === 0) return `in ${rest}s`
  return rest === 0 ? `in ${minutes}m` : `in ${minutes}m ${rest}s`
}

/** How long ago something was: `just now`, `4m ago`, `3h ago`, `2d ago`, or the day. */
export function formatAgo(then: Date, now: Date): string {
  const passed = now.getTime() - then.getTime()
  if (passed < MINUTE) return 'just now'
  if (passed < HOUR) return `${Math.floor(passed / MINUTE)}m ago`
  if (passed < DAY) return `${Math.floor(passed / HOUR)}h ago`
  if (passed < 30 * DAY) return `${Math.floor(passed / DAY)}d ago`
  return localDay(then)
}

/** Local date and time: `2026-01-31 14:05`. */
export function formatLocal(time: Date): string {
  return `${localDay(time)} ${localClock(time)}`
}

/** Local time of day, with the date when it is another day. */
export function localTime(time: Date, now: Date): string {
  return localDay(time) === localDay(now) ? localClock(time) : formatLocal(time)
}

function localDay(time: Date): string {
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`
}

function localClock(time: Date): string {
  return `${two(time.getHours())}:${two(time.getMinutes())}`
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}
