import { KeymuxError } from '../../domain/errors.js'
import { quote } from '../../domain/ids.js'
import { parseTime } from '../../domain/rfc3339.js'

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}
const LONGEST_MS = 100 * 366 * 86_400_000

/**
 * A length of time in milliseconds: `90s`, `15m`, `8h`, `1h30m`, `7d`; a bare number counts seconds.
 *
 * @throws KeymuxError `invalid_value`
 */
export function parseDuration(what: string, text: string): number {
  const ms = durationMs(text)
  if (ms !== undefined) return ms
  throw new KeymuxError('invalid_value', `${what} wants a length of time, not ${quote(text)}`, {
    hint: 'write it like 90s, 15m, 8h, 1h30m or 7d',
  })
}

/**
 * An instant: RFC 3339 (`2026-01-31T12:00:00Z`), a day (`2026-01-31`, its beginning in UTC), or a length of
 * time counted from `now` in the given direction (`30d`).
 *
 * @throws KeymuxError `invalid_value`
 */
export function parseInstant(what: string, text: string, now: Date, direction: 'ahead' | 'back'): Date {
  const instant = parseTime(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text)
  if (instant !== undefined) return instant
  const ms = /^\d+$/.test(text) ? undefined : durationMs(text)
  if (ms !== undefined) return new Date(now.getTime() + (direction === 'ahead' ? ms : -ms))
  throw new KeymuxError('invalid_value', `${what} wants a time, not ${quote(text)}`, {
    hint: 'write it like 2026-01-31T12:00:00Z, 2026-01-31 or 30d',
  })
}

function durationMs(text: string): number | undefined {
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  if (!/^(\d{1,9}(?:ms|[smhdw]))+$/.test(text)) return undefined
  let total = 0
  for (const [, amount, unit = ''] of text.matchAll(/(\d+)(ms|[smhdw])/g)) {
    total += Number(amount) * (UNIT_MS[unit] ?? Number.NaN)
  }
  return total <= LONGEST_MS ? total : undefined
}
