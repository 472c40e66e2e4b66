import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseInteger } from './input.js'
import { parseDuration, parseInstant } from './values.js'

const NOW = new Date('2026-01-31T12:00:00Z')

describe('whole numbers', () => {
  it.each([
    ['0', 0],
    ['-5', -5],
    ['+7', 7],
    ['007', 7],
  ])('%s', (text, value) => {
    expect(parseInteger('--n', text)).toBe(value)
  })

  it.each(['', ' 1', '1.0', '1e3', '0x10', '١', '99999999999999999', 'NaN', '--1', '1\u0000'])(
    'refuses %j',
    (text) => {
      expect(() => parseInteger('--n', text)).toThrowError(/--n wants a whole number/)
    },
  )

  it('keeps to its limits', () => {
    expect(() => parseInteger('--port', '65536', { min: 0, max: 65_535 })).toThrowError('between 0 and 65535')
    expect(() => parseInteger('--n', '-1', { min: 0 })).toThrowError('of at least 0')
    expect(parseInteger('--port', '65535', { min: 0, max: 65_535 })).toBe(65_535)
  })
})

describe('lengths of time', () => {
  it.each([
    ['90', 90_000],
    ['90s', 90_000],
    ['250ms', 250],
    ['15m', 900_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['0', 0],
  ])('%s', (text, ms) => {
    expect(parseDuration('--for', text)).toBe(ms)
  })

  it.each(['', '-5', '5x', 'h', '1.5h', '1h 30m', '999999999w', '5H', 'forever'])('refuses %j', (text) => {
    expect(() => parseDuration('--for', text)).toThrowError(/--for wants a length of time/)
  })
})

describe('instants', () => {
  it.each([
    ['2026-03-01T10:00:00Z', '2026-03-01T10:00:00.000Z'],
    ['2026-03-01T10:00:00+02:00', '2026-03-01T08:00:00.000Z'],
    ['2026-03-01', '2026-03-01T00:00:00.000Z'],
    ['30d', '2026-03-02T12:00:00.000Z'],
  ])('%s', (text, iso) => {
    expect(parseInstant('--expires-at', text, NOW, 'ahead').toISOString()).toBe(iso)
  })

  it('counts back where that is meant', () => {
    expect(parseInstant('--since', '24h', NOW, 'back').toISOString()).toBe('2026-01-30T12:00:00.000Z')
  })

  it.each(['', 'tomorrow', '2026-02-30', '2026-03-01T10:00:00', '1767225600', '2026-13-01', '10:00'])(
    'refuses %j',
    (text) => {
      expect(() => parseInstant('--expires-at', text, NOW, 'ahead')).toThrowError(/--expires-at wants a time/)
    },
  )

  it('gives a date or a typed error, whatever comes', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(parseInstant('--t', text, NOW, 'ahead').getTime()).not.toBeNaN()
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_value' })
        }
      }),
    )
  })
})
