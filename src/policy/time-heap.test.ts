import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TimeHeap } from './time-heap.js'

describe('TimeHeap', () => {
  it('gives items when they are due, soonest first', () => {
    const heap = new TimeHeap<string>()
    heap.set('c', 30)
    heap.set('a', 10)
    heap.set('b', 20)
    expect(heap.popDue(9)).toBeUndefined()
    expect(heap.peek()).toEqual({ at: 10, item: 'a' })
    expect([heap.popDue(20), heap.popDue(20), heap.popDue(20)]).toEqual(['a', 'b', undefined])
    expect(heap.size).toBe(1)
  })

  it('moves an item that is scheduled already', () => {
    const heap = new TimeHeap<string>()
    heap.set('a', 10)
    heap.set('b', 20)
    heap.set('a', 30)
    expect([heap.size, heap.peek()?.item]).toEqual([2, 'b'])
    heap.set('a', 5)
    expect([heap.size, heap.peek()?.item]).toEqual([2, 'a'])
  })

  it('forgets what is removed', () => {
    const heap = new TimeHeap<string>()
    heap.set('a', 10)
    expect([heap.delete('a'), heap.delete('a'), heap.size, heap.peek()]).toEqual([true, false, 0, undefined])
  })

  it('behaves as a map searched for its least time', () => {
    const item = fc.integer({ min: 0, max: 12 })
    const action = fc.oneof(
      fc.record({ set: item, at: fc.integer({ min: 0, max: 30 }) }),
      fc.record({ remove: item }),
      fc.record({ now: fc.integer({ min: 0, max: 30 }) }),
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const heap = new TimeHeap<number>()
        const map = new Map<number, number>()
        for (const step of actions) {
          if ('set' in step) {
            heap.set(step.set, step.at)
            map.set(step.set, step.at)
          } else if ('remove' in step) {
            expect(heap.delete(step.remove)).toBe(map.delete(step.remove))
          } else {
            const least = Math.min(...map.values())
            const popped = heap.popDue(step.now)
            if (popped === undefined) expect(least).toBeGreaterThan(step.now)
            else expect(map.get(popped)).toBe(least)
            if (popped !== undefined) map.delete(popped)
          }
          expect(heap.size).toBe(map.size)
          expect(heap.peek()?.at).toBe(map.size === 0 ? undefined : Math.min(...map.values()))
        }
      }),
      { numRuns: 500 },
    )
  })
})
