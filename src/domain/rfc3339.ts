import { KeymuxError } from './errors.js'

// Go writes up to nine digits of a second; lower-case t and z are allowed by RFC 3339 section 5.6.
const TIME = /^(\d{4}-\d\d-\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d+))?([Zz]|[+-][\d:]+)$/
const OFFSET = /^([+-])([01]\d|2[0-3]):([0-5]\d)$/
const EARLIEST = Date.parse('0000-01-01T00:00:00.000Z')
const LATEST = Date.parse('9999-12-31T23:59:59.999Z')

/** Go's zero `time.Time`: what a time that was never set looks like in a file of the original. */
export const GO_ZERO_TIME_MS: number = Date.parse('0001-01-01T00:00:00.000Z')

/** Reads an RFC 3339 time; digits below the millisecond are dropped. `undefined` when it is none. */
export function parseTime(text: string): Date | undefined {
  const [, day, hour, minute, second, fraction = '', zone = 'Z'] = TIME.exec(text) ?? []
  if (day === undefined) return undefined
  const milliseconds = fraction.slice(0, 3).padEnd(3, '0')
  const local = new Date(`${day}T${hour}:${minute}:${second}.${milliseconds}Z`)
  // A day such as 30 February is either no date or rolls over into the next month.
  if (local.getUTCDate() !== Number(day.slice(-2))) return undefined
  const offset = offsetMs(zone)
  return offset === undefined ? undefined : new Date(local.getTime() - offset)
}

/**
 * Writes an RFC 3339 time in UTC as Go does: no trailing zeros in the fraction. Instants that the format
 * cannot express are cut to the years 0000 to 9999.
 *
 * @throws KeymuxError `invalid_value` for an invalid `Date`
 */
export function formatTime(time: Date): string {
  const ms = time.getTime()
  if (Number.isNaN(ms)) throw new KeymuxError('invalid_value', 'an instant is not a valid time')
  const text = new Date(Math.min(Math.max(ms, EARLIEST), LATEST)).toISOString()
  return text.replace(/\.?0+Z$/, 'Z')
}

function offsetMs(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0
  const [, sign, hours, minutes] = OFFSET.exec(zone) ?? []
  if (sign === undefined) return undefined
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
}
