import { describe, expect, it } from 'vitest'
import { createFakeClock } from './fake-clock.js'

describe('createFakeClock', () => {
  it('stands still at its start, and gives a date of its own each time', () => {
    const clock = createFakeClock()
    expect(clock.now().toISOString()).toBe('2026-01-01T00:00:00.000Z')
    clock.now().setFullYear(1999)
    expect(clock.now().toISOString()).toBe('2026-01-01T00:00:00.000Z')
  })

  it.each([[new Date('2030-05-06T07:08:09Z')], ['2030-05-06T07:08:09Z'], [1_904_281_689_000]])(
    'starts at %s',
    (start) => {
      expect(createFakeClock(start).now().toISOString()).toBe('2030-05-06T07:08:09.000Z')
    },
  )

  it('moves forwards and backwards', () => {
    const clock = createFakeClock(1_000)
    clock.advance(500)
    expect(clock.now().getTime()).toBe(1_500)
    clock.advance(-1_000)
    expect(clock.now().getTime()).toBe(500)
    clock.set(new Date(9_000))
    expect(clock.now().getTime()).toBe(9_000)
  })

  it('refuses what is no instant, and stays where it was', () => {
    expect(() => createFakeClock('tomorrow')).toThrow(RangeError)
    const clock = createFakeClock(1_000)
    expect(() => clock.set(new Date(Number.NaN))).toThrow(RangeError)
    expect(() => clock.advance(Number.NaN)).toThrow(RangeError)
    expect(clock.now().getTime()).toBe(1_000)
  })

  it('wakes sleepers when their time has come, the soonest first', async () => {
    const clock = createFakeClock()
    const woken: string[] = []
    const sleepers = [
      clock.sleep(30).then(() => woken.push('30')),
      clock.sleep(10).then(() => woken.push('10')),
      clock.sleep(20).then(() => woken.push('20')),
      clock.sleep(31).then(() => woken.push('31')),
    ]
    clock.advance(9)
    await Promise.resolve()
    expect(woken).toEqual([])
    clock.advance(21)
    await Promise.all(sleepers.slice(0, 3))
    expect(woken).toEqual(['10', '20', '30'])
    clock.advance(-100)
    clock.advance(101)
    await Promise.all(sleepers)
    expect(woken).toEqual(['10', '20', '30', '31'])
  })

  it('does not sleep for no time at all', async () => {
    await createFakeClock().sleep(0)
    await createFakeClock().sleep(-5)
  })

  it('ends a sleep when the signal fires, with its reason', async () => {
    const clock = createFakeClock()
    const stop = new AbortController()
    const sleeping = clock.sleep(10, stop.signal)
    const reason = new Error('enough')
    stop.abort(reason)
    await expect(sleeping).rejects.toBe(reason)
    await expect(clock.sleep(0, stop.signal)).rejects.toBe(reason)
    clock.advance(10)
  })
})
