import { describe, expect, it } from 'vitest'
import { KeymuxError } from '../../domain/errors.js'
import { LONGEST_WAIT, whileBusy } from './wait.js'

const locked = (): never => {
  throw Object.assign(new Error('database is locked'), { code: 'ERR_SQLITE_ERROR' })
}
const busy = (): KeymuxError => new KeymuxError('storage_busy', 'locked')

describe('waiting while others are in the way', () => {
  it('gives up after its limit when nobody gets on', async () => {
    await expect(whileBusy(locked, { timeoutMs: 20, busy, progress: () => 1 })).rejects.toMatchObject({
      code: 'storage_busy',
    })
  })

  it('goes on beyond its limit while others get on', async () => {
    let commits = 0
    const begun = performance.now()
    const attempt = (): string => (performance.now() - begun > 100 ? 'mine' : locked())
    expect(await whileBusy(attempt, { timeoutMs: 10, busy, progress: () => commits++ })).toBe('mine')
  })

  it('gives up in the end however many get on', async () => {
    let commits = 0
    const begun = performance.now()
    await expect(whileBusy(locked, { timeoutMs: 5, busy, progress: () => commits++ })).rejects.toMatchObject({
      code: 'storage_busy',
    })
    expect(performance.now() - begun).toBeGreaterThanOrEqual(5 * LONGEST_WAIT)
  })

  it('asks for progress only once somebody is in the way', async () => {
    let asked = 0
    expect(await whileBusy(() => 1, { timeoutMs: 5, busy, progress: () => asked++ })).toBe(1)
    expect(asked).toBe(0)
  })
})
