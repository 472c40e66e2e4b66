import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SortedList } from './sorted-list.js'

interface Item {
  readonly rank: number
}

const byRank = (a: Item, b: Item): number => a.rank - b.rank

/** The same behaviour by sorting anew: new items go after their equals, `delete` goes by identity. */
class PlainList {
  items: Item[] = []

  add(item: Item): void {
    this.items = [...this.items, item].sort(byRank)
  }

  delete(item: Item): boolean {
    const place = this.items.indexOf(item)
    if (place >= 0) this.items.splice(place, 1)
    return place >= 0
  }
}

describe('SortedList', () => {
  it('is empty at first', () => {
    const list = new SortedList(byRank)
    expect([list.size, list.first(), [...list]]).toEqual([0, undefined, []])
    expect(list.delete({ rank: 1 })).toBe(false)
  })

  it('removes the very item, not one that compares equal', () => {
    const list = new SortedList(byRank)
    const twins = [{ rank: 1 }, { rank: 1 }, { rank: 1 }]
    for (const twin of twins) list.add(twin)
    expect(list.delete({ rank: 1 })).toBe(false)
    expect(list.delete(twins[1] as Item)).toBe(true)
    expect(list.delete(twins[1] as Item)).toBe(false)
    expect([...list]).toEqual([twins[0], twins[2]])
    expect([...list][1]).toBe(twins[2])
  })

  it('finds an item among thousands that compare equal', () => {
    const list = new SortedList(byRank)
    const items = Array.from({ length: 3000 }, (_, index) => ({ rank: index < 2900 ? 1 : 2 }))
    for (const item of items) list.add(item)
    for (const item of [...items].reverse()) expect(list.delete(item)).toBe(true)
    expect([list.size, list.first()]).toEqual([0, undefined])
  })

  it('behaves as a plain sorted array', () => {
    const action = fc.oneof(
      { weight: 3, arbitrary: fc.record({ add: fc.integer({ min: 0, max: 20 }) }) },
      { weight: 2, arbitrary: fc.record({ remove: fc.nat() }) },
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const list = new SortedList(byRank)
        const plain = new PlainList()
        for (const step of actions) {
          if ('add' in step) {
            const item = { rank: step.add }
            list.add(item)
            plain.add(item)
          } else {
            const item = plain.items[step.remove % Math.max(plain.items.length, 1)] ?? { rank: 0 }
            expect(list.delete(item)).toBe(plain.delete(item))
          }
          expect(list.first()).toBe(plain.items[0])
          expect(list.size).toBe(plain.items.length)
        }
        expect([...list].every((item, place) => item === plain.items[place])).toBe(true)
      }),
    )
  })

  it('keeps order through splits and joins of chunks', () => {
    let seed = 1
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed / 2_147_483_647
    }
    const list = new SortedList(byRank)
    const kept = new Set<Item>()
    for (let round = 0; round < 6; round += 1) {
      for (let count = 0; count < 4000; count += 1) {
        const item = { rank: Math.floor(random() * 1000) }
        kept.add(item)
        list.add(item)
      }
      for (const item of [...kept]) {
        if (random() > 0.8) continue
        kept.delete(item)
        expect(list.delete(item)).toBe(true)
      }
      expect(list.size).toBe(kept.size)
      const ranks = [...list].map(({ rank }) => rank)
      expect(ranks).toEqual([...kept].map(({ rank }) => rank).sort((a, b) => a - b))
    }
  })
})
