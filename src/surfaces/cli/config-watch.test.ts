import { describe, expect, it } from 'vitest'
import { hasChanged } from './config-watch.js'

const NONE = { mtimeMs: 0, size: 0, ino: 0 }
const FILE = { mtimeMs: 1_000, size: 20, ino: 7 }

describe('a config file that is watched', () => {
  it.each([
    ['is written', { ...FILE, mtimeMs: 2_000 }],
    ['is written within the same millisecond', { ...FILE, size: 21 }],
    ['is replaced by one of the same age', { ...FILE, ino: 8 }],
    ['is removed', NONE],
  ])('has changed when it %s', (_what, now) => {
    expect(hasChanged(now, FILE)).toBe(true)
  })

  it('has changed when it appears, and not while it is not there', () => {
    expect(hasChanged(FILE, NONE)).toBe(true)
    expect(hasChanged(NONE, NONE)).toBe(false)
  })
})
