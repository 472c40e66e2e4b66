import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SteppedTimers } from '../../test/support/forwarding.js'
import { Holds, type Place } from './holds.js'

const LIMITS = { requests: 256, bytes: 1_000 }

function holds(limits = LIMITS): { readonly held: Holds; readonly timers: SteppedTimers } {
  const timers = new SteppedTimers()
  return { held: new Holds(() => limits, timers), timers }
}

function enter(held: Holds, key = 'k', bytes = 1, maxMs = 20_000): Place {
  const place = held.enter(key, bytes, maxMs)
  if (place === undefined) throw new Error('there is no room')
  return place
}

const never = new AbortController().signal

describe('room', () => {
  test('is limited in number and in bytes, and comes back', () => {
    const { held, timers } = holds({ requests: 2, bytes: 10 })
    const first = enter(held, 'k', 9)
    expect(held.enter('other', 2, 1)).toBeUndefined()
    const second = enter(held, 'other', 1)
    expect(held.enter('k', 0, 1)).toBeUndefined()
    first.leave()
    enter(held).leave()
    second.leave()
    expect([held.size, timers.pending]).toEqual([0, 0])
  })

  test('there is none after the end', async () => {
    const { held } = holds()
    const waiting = enter(held).turn(500, never)
    held.close()
    expect(await waiting).toBe(false)
    expect(held.enter('k', 1, 1)).toBeUndefined()
  })
})

describe('who watches', () => {
  function watched(held: Holds): { readonly place: Place | undefined; readonly seen: unknown[] } {
    const seen: unknown[] = []
    const place = held.enter('k', 1, 1_000, () => {
      seen.push('in')
      return (served) => seen.push(served)
    })
    return { place, seen }
  }

  test('is told once of each wait, and whether it was of use', async () => {
    const { held, timers } = holds({ requests: 2, bytes: 10 })
    const [first, second] = [watched(held), watched(held)]
    expect(watched(held)).toEqual({ place: undefined, seen: [] })
    const turns = [first.place?.turn(100, never), second.place?.turn(100, never)]
    await timers.advance(100)
    expect(await turns[0]).toBe(true)
    expect([first.seen, second.seen]).toEqual([['in'], ['in']])
    first.place?.served()
    first.place?.leave()
    expect(await turns[1]).toBe(true)
    second.place?.leave()
    expect([first.seen, second.seen]).toEqual([
      ['in', true],
      ['in', false],
    ])
  })

  test('an answer that came without a turn counts as well', () => {
    const { held } = holds()
    const { place, seen } = watched(held)
    place?.served()
    place?.leave()
    expect(seen).toEqual(['in', true])
  })
})

describe('turns', () => {
  test('one goes first, two for each that was served', async () => {
    const { held, timers } = holds()
    const went: number[] = []
    const places = Array.from({ length: 7 }, () => enter(held))
    const turns = places.map((place, index) => place.turn(500, never).then(() => went.push(index)))
    await timers.advance(499)
    expect(went).toEqual([])
    await timers.advance(1)
    expect(went).toEqual([0])
    places[0]?.served()
    await Promise.all(turns.slice(1, 3))
    expect(went).toEqual([0, 1, 2])
    places[1]?.served()
    places[2]?.served()
    await Promise.all(turns)
    expect(went).toEqual([0, 1, 2, 3, 4, 5, 6])
    for (const place of places) place.leave()
    expect([held.size, timers.pending]).toEqual([0, 0])
  })

  test('who finds nobody goes first again, alone', async () => {
    const { held, timers } = holds()
    const [a, b] = [enter(held), enter(held)]
    const first = a.turn(500, never)
    const second = b.turn(500, never)
    await timers.advance(500)
    await first
    const again = a.turn(300, never)
    await timers.advance(300)
    expect(await again).toBe(true)
    b.leave()
    expect(await Promise.race([second, 'waits'])).toBe('waits')
    a.leave()
  })

  test('long waits are looked at again in between; a later comer puts nobody off', async () => {
    const { held, timers } = holds()
    const place = enter(held)
    const turn = place.turn(15_000, never)
    await timers.advance(600)
    void enter(held).turn(15_000, never)
    await timers.advance(400)
    expect(await turn).toBe(true)
  })

  test('a turn that is given back goes on at once', async () => {
    const { held, timers } = holds()
    const [a, b] = [enter(held), enter(held)]
    const turns = [a.turn(100, never), b.turn(100, never)]
    await timers.advance(100)
    await turns[0]
    a.leave()
    expect(await turns[1]).toBe(true)
  })

  test('the time of each is limited', async () => {
    const { held, timers } = holds()
    const [a, b] = [enter(held, 'k', 1, 2_000), enter(held, 'k', 1, 700)]
    const turns = [a.turn(5_000, never), b.turn(5_000, never)]
    await timers.advance(700)
    expect(await turns[1]).toBe(false)
    await timers.advance(300)
    expect(await turns[0]).toBe(true)
    await timers.advance(1_000)
    expect(await a.turn(500, never)).toBe(false)
  })

  test('lanes do not wait for each other', async () => {
    const { held, timers } = holds()
    const turns = [enter(held, 'a').turn(100, never), enter(held, 'b').turn(100, never)]
    await timers.advance(100)
    expect(await Promise.all(turns)).toEqual([true, true])
  })
})

test('whatever becomes of whom, everybody comes to an end and nothing is left behind', async () => {
  const fate = fc.constantFrom('served', 'again', 'gives up', 'hangs up in line', 'hangs up at its turn')
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom('a', 'b'), fate, fc.integer({ min: 1, max: 3_000 })), {
        maxLength: 40,
      }),
      async (requests) => {
        const { held, timers } = holds()
        let going = 0
        const ends = requests.map(async ([key, what, ms]) => {
          const place = enter(held, key)
          const hangUp = new AbortController()
          const stays = what === 'hangs up in line' ? timers.after(ms, () => hangUp.abort()) : () => {}
          try {
            for (let round = 0; await place.turn(ms, hangUp.signal); round += 1) {
              going += 1
              await new Promise<void>((resolve) => timers.after(50, resolve))
              going -= 1
              if (what === 'hangs up at its turn') hangUp.abort()
              if (what === 'gives up') return
              if (what === 'served' || round > 1) return place.served()
            }
          } catch {
            // It hung up.
          } finally {
            stays()
            place.leave()
          }
        })
        let over = false
        const all = Promise.all(ends).then(() => {
          over = true
        })
        for (let step = 0; step < 2_000 && !over; step += 1) await timers.advance(100)
        await all
        expect([held.size, timers.pending, going]).toEqual([0, 0, 0])
      },
    ),
    { numRuns: 60 },
  )
})
