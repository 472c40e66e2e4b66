import { expect, it } from 'vitest'
import { refreshDueAt } from './refresh-due.js'

const expiry = new Date('2026-11-23T12:00:00Z')

it.each([
  [3_600_000, 0, '11:55:00.000'],
  [86_400_000, 0, '11:55:00.000'],
  [600_000, 0, '11:59:00.000'],
  [undefined, 0, '11:55:00.000'],
  [0, 0, '11:55:00.000'],
  [Number.NaN, 0, '11:55:00.000'],
  [3_600_000, 0.5, '11:54:30.000'],
  [600_000, 0.999_999_9, '11:58:48.000'],
])('a token of %s ms with jitter %s is due at %s', (lifetime, jitter, expected) => {
  expect(refreshDueAt(expiry, lifetime, jitter).toISOString()).toBe(`2026-11-23T${expected}Z`)
})
