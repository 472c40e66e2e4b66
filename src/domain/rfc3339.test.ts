import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isKeymuxError } from './errors.js'
import { formatTime, parseTime } from './rfc3339.js'

describe('parseTime', () => {
  it.each([
    ['2026-03-01T09:30:00Z', '2026-03-01T09:30:00.000Z'],
    ['2026-03-01T09:30:00.123456789Z', '2026-03-01T09:30:00.123Z'],
    ['2026-03-01T09:30:00.1Z', '2026-03-01T09:30:00.100Z'],
    ['2026-03-01T09:30:00.999999999Z', '2026-03-01T09:30:00.999Z'],
    ['2026-03-01t09:30:00z', '2026-03-01T09:30:00.000Z'],
    ['2026-03-01T09:30:00+05:30', '2026-03-01T04:00:00.000Z'],
    ['2026-03-01T00:00:00.5-23:59', '2026-03-01T23:59:00.500Z'],
    ['2026-03-01T09:30:00-00:00', '2026-03-01T09:30:00.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
    ['0099-12-31T23:59:59Z', '0099-12-31T23:59:59.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('reads %s', (text, expected) => {
    expect(parseTime(text)?.toISOString()).toBe(expected)
  })

  it.each([
    '',
    'now',
    '2026-03-01',
    '2026-03-01T09:30Z',
    '2026-03-01T09:30:00',
    '2026-03-01 09:30:00Z',
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-03-00T00:00:00Z',
    '2026-03-01T24:00:00Z',
    '2026-03-01T09:60:00Z',
    '2026-03-01T09:30:60Z',
    '2026-03-01T09:30:00.Z',
    '2026-03-01T09:30:00+0530',
    '2026-03-01T09:30:00+24:00',
    '2026-03-01T09:30:00+05:60',
    '+02026-03-01T09:30:00Z',
    ' 2026-03-01T09:30:00Z',
    '2026-03-01T09:30:00Z\n',
    '٢٠٢٦-03-01T09:30:00Z',
    `2026-03-01T09:30:00.${'9'.repeat(1_000_000)}`,
  ])('refuses %.40s', (text) => {
    expect(parseTime(text)).toBeUndefined()
  })
})

describe('formatTime', () => {
  it.each([
    ['2026-03-01T09:30:00.000Z', '2026-03-01T09:30:00Z'],
    ['2026-03-01T09:30:00.100Z', '2026-03-01T09:30:00.1Z'],
    ['2026-03-01T10:00:00.120Z', '2026-03-01T10:00:00.12Z'],
    ['2026-03-01T09:30:00.001Z', '2026-03-01T09:30:00.001Z'],
    ['+275760-09-13T00:00:00.000Z', '9999-12-31T23:59:59.999Z'],
    ['-000001-01-01T00:00:00.000Z', '0000-01-01T00:00:00Z'],
  ])('writes %s as %s', (iso, expected) => {
    expect(formatTime(new Date(iso))).toBe(expected)
  })

  it('refuses an invalid date', () => {
    expect(() => formatTime(new Date(Number.NaN))).toThrowError(
      expect.toSatisfy((error) => isKeymuxError(error, 'invalid_value')),
    )
  })

  it('gives back what it wrote, to the millisecond', () => {
    const min = new Date('0000-01-01T00:00:00Z')
    const max = new Date('9999-12-31T23:59:59.999Z')
    fc.assert(
      fc.property(fc.date({ min, max, noInvalidDate: true }), (time) => {
        expect(parseTime(formatTime(time))?.getTime()).toBe(time.getTime())
      }),
    )
  })
})
