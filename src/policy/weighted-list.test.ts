import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { turnAfterUse, turnBeforeUse, type Weighted, WeightedList } from './weighted-list.js'

interface Item extends Weighted {
  turn: number
  readonly isLast: boolean
}

const item: fc.Arbitrary<Omit<Item, 'id'>> = fc.record({
  priority: fc.integer({ min: 0, max: 2 }),
  weight: fc.integer({ min: 1, max: 4 }),
  turn: fc.integer({ min: 0, max: 5 }).map((turn) => turn * 500_000),
  isLast: fc.boolean(),
})

function inOrder(items: readonly Item[]): Item[] {
  return [...items].sort(
    (a, b) =>
      Number(a.isLast) - Number(b.isLast) ||
      b.priority - a.priority ||
      a.turn - b.turn ||
      (a.id < b.id ? -1 : 1),
  )
}

describe('WeightedList', () => {
  it('is in the order of the reserve, of priority and of turns, whatever comes and goes', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 40 }), (made, picks) => {
        const items = made.map((one, index): Item => ({ ...one, id: `id${index}` }))
        const list = new WeightedList<Item>(({ isLast }) => isLast)
        for (const one of items) list.add(one)
        let current = 0
        for (const pick of picks) {
          const one = items[pick % Math.max(1, items.length)]
          if (one === undefined) break
          expect(list.delete(one)).toBe(true)
          expect(list.delete(one)).toBe(false)
          current = Math.max(current, one.turn)
          one.turn = turnAfterUse(one, current)
          list.add(one)
          expect([...list]).toEqual(inOrder(items))
          expect(list.first()).toBe(inOrder(items)[0])
        }
      }),
    )
  })

  it('shares uses by weight, whatever the weights', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }), (weights) => {
        const list = new WeightedList<Item>(() => false)
        const uses = new Map<string, number>()
        weights.forEach((weight, index) => {
          list.add({ id: `id${index}`, priority: 0, weight, turn: 0, isLast: false })
        })
        const total = weights.reduce((sum, weight) => sum + weight, 0)
        for (let use = 0; use < total * 10; use += 1) {
          const one = list.first()
          if (one === undefined) return
          list.delete(one)
          one.turn = turnAfterUse(one, 0)
          list.add(one)
          uses.set(one.id, (uses.get(one.id) ?? 0) + 1)
        }
        weights.forEach((weight, index) => {
          expect(Math.abs((uses.get(`id${index}`) ?? 0) - weight * 10)).toBeLessThanOrEqual(1)
        })
      }),
    )
  })

  it('is nothing where nothing is in it', () => {
    const list = new WeightedList<Item>(() => false)
    expect([list.first(), ...list]).toEqual([undefined])
    expect(turnBeforeUse({ id: 'a', priority: 0, weight: 4, turn: 0 })).toBe(0)
  })
})
