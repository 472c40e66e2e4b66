import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { testKeyring } from '../../test/support/keyring.js'
import { isKeymuxError } from '../domain/errors.js'
import { type ChainLine, chainEntry, entryMac, openEntry, verifyChain } from './audit.js'
import type { Keyring } from './keyring.js'

const keyring = testKeyring()
const corrupt = expect.objectContaining({ code: 'vault_corrupt' })

function chain(
  texts: readonly string[],
  ring: Keyring = keyring,
  before: readonly ChainLine[] = [],
): ChainLine[] {
  const lines = [...before]
  for (const text of texts) {
    const last = lines.at(-1)
    const sequence = (last?.sequence ?? 0) + 1
    const previous = last === undefined ? undefined : entryMac(last.body)
    lines.push({ sequence, body: chainEntry(ring, previous, sequence, Buffer.from(text)) })
  }
  return lines
}

function at(lines: readonly ChainLine[], sequence: number): ChainLine {
  const line = lines[sequence - 1]
  if (line === undefined) throw new Error(`no line ${sequence}`)
  return line
}

/** Bodies in a new order, stored under 1, 2, 3, … again, as an editor of the table would leave them. */
function renumbered(bodies: readonly Uint8Array[]): ChainLine[] {
  return bodies.map((body, index) => ({ sequence: index + 1, body }))
}

const lines = chain(['one', 'two', 'three', 'four', 'five', 'six'])
const bodies = lines.map((line) => line.body)
const headOf = (line: ChainLine): { sequence: number; mac: Buffer } => ({
  sequence: line.sequence,
  mac: entryMac(line.body),
})

describe('terms', () => {
  const rotated = testKeyring(2, 1, [1, 2])

  test('a chain goes on through a rotation, and its old lines stay readable', () => {
    const longer = chain(['seven'], rotated, lines)
    expect(verifyChain(rotated, longer)).toEqual({ head: headOf(at(longer, 7)) })
    expect(openEntry(rotated, 1, at(longer, 1).body).toString()).toBe('one')
    expect(Buffer.from(at(longer, 7).body).readUInt32BE(1)).toBe(2)
  })

  test('who left with the keys of a former term writes nothing after the rotation', () => {
    const forged = chain(['forged'], keyring, chain(['seven'], rotated, lines))
    expect(verifyChain(rotated, forged).problem).toEqual({ sequence: 8, kind: 'change' })
  })

  test('a line of a term that the vault has not had is a change', () => {
    const foreign = chain(['seven'], testKeyring(2, 1, [1, 3]), lines)
    expect(verifyChain(rotated, foreign).problem).toEqual({ sequence: 7, kind: 'change' })
    expect(() => openEntry(rotated, 7, at(foreign, 7).body)).toThrow(corrupt)
  })
})

describe('a sound chain', () => {
  test('verifies, and each line opens', () => {
    expect(verifyChain(keyring, lines)).toEqual({ head: headOf(at(lines, 6)) })
    expect(lines.map(({ sequence, body }) => openEntry(keyring, sequence, body).toString())).toEqual([
      'one',
      'two',
      'three',
      'four',
      'five',
      'six',
    ])
  })

  test('holds any texts', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 400 }), { maxLength: 6 }), (texts) => {
        const made = chain(texts)
        expect(verifyChain(keyring, made).problem).toBeUndefined()
        expect(made.map((line) => openEntry(keyring, line.sequence, line.body).toString())).toEqual(
          texts.map((text) => Buffer.from(text).toString()),
        )
      }),
      { numRuns: 40 },
    )
  })

  test('an empty one has no head', () => {
    expect(verifyChain(keyring, [])).toEqual({})
  })

  test('verifies page by page', () => {
    const first = verifyChain(keyring, lines.slice(0, 2))
    const after = first.head
    expect(after).toEqual(headOf(at(lines, 2)))
    if (after === undefined) return
    expect(verifyChain(keyring, lines.slice(2), { after })).toEqual({ head: headOf(at(lines, 6)) })
  })

  test('shows none of its text, and only the bucket of its length', () => {
    for (const line of lines) expect(Buffer.from(line.body).includes('three')).toBe(false)
    expect(new Set(bodies.map((body) => body.byteLength)).size).toBe(1)
  })
})

describe('a cut', () => {
  test.each([1, 2, 3, 4, 5])('line %i removed, numbers left as they were', (gone) => {
    const cut = lines.filter((line) => line.sequence !== gone)
    expect(verifyChain(keyring, cut).problem).toEqual({ sequence: gone, kind: 'cut' })
  })

  test.each([1, 2, 3, 4, 5])('line %i removed, the rest renumbered', (gone) => {
    const cut = renumbered(bodies.filter((_, index) => index !== gone - 1))
    expect(verifyChain(keyring, cut).problem).toEqual({ sequence: gone, kind: 'cut' })
  })

  test('several lines from the middle, and all but the last', () => {
    expect(verifyChain(keyring, [...lines.slice(0, 2), ...lines.slice(5)]).problem).toEqual({
      sequence: 3,
      kind: 'cut',
    })
    expect(verifyChain(keyring, lines.slice(5)).problem).toEqual({ sequence: 1, kind: 'cut' })
  })

  test('at the end it takes an anchor to see it', () => {
    const anchors = [headOf(at(lines, 6))]
    expect(verifyChain(keyring, lines.slice(0, 4)).problem).toBeUndefined()
    expect(verifyChain(keyring, lines.slice(0, 4), { anchors })).toEqual({
      head: headOf(at(lines, 4)),
      problem: { sequence: 5, kind: 'cut' },
    })
    expect(verifyChain(keyring, [], { anchors }).problem).toEqual({ sequence: 1, kind: 'cut' })
    expect(
      verifyChain(keyring, lines, { anchors: [headOf(at(lines, 3)), ...anchors] }).problem,
    ).toBeUndefined()
  })
})

describe('a swap', () => {
  test('two lines exchanged, wherever they stand', () => {
    for (let one = 0; one < 6; one++) {
      for (let other = one + 1; other < 6; other++) {
        const swapped = [...bodies]
        const [a, b] = [bodies[one], bodies[other]]
        if (a === undefined || b === undefined) continue
        swapped[one] = b
        swapped[other] = a
        expect(verifyChain(keyring, renumbered(swapped)).problem).toEqual({ sequence: one + 1, kind: 'swap' })
      }
    }
  })

  test('a line that was moved', () => {
    const moved = renumbered([...bodies.slice(1), ...bodies.slice(0, 1)])
    expect(verifyChain(keyring, moved).problem).toEqual({ sequence: 1, kind: 'swap' })
  })
})

describe('a change', () => {
  const replaced = (sequence: number, body: Uint8Array): ChainLine[] =>
    lines.map((line) => (line.sequence === sequence ? { sequence, body } : line))

  test('every bit of a line in the middle', () => {
    const { body } = at(lines, 3)
    for (let bit = 0; bit < body.byteLength * 8; bit++) {
      const changed = Buffer.from(body)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(verifyChain(keyring, replaced(3, changed)).problem).toEqual({ sequence: 3, kind: 'change' })
    }
  })

  test('truncated, extended, emptied', () => {
    const { body } = at(lines, 3)
    for (const changed of [body.subarray(0, 40), Buffer.concat([body, Buffer.alloc(1)]), Buffer.alloc(0)]) {
      expect(verifyChain(keyring, replaced(3, changed)).problem).toEqual({ sequence: 3, kind: 'change' })
    }
  })

  test('a line from another vault, or of a history that was undone', () => {
    const foreign = chain(['x', 'y', 'z'], testKeyring(2, 7))
    expect(verifyChain(keyring, replaced(3, at(foreign, 3).body)).problem).toEqual({
      sequence: 3,
      kind: 'change',
    })
    const undone = chain(['another three'], keyring, chain(['another two'], keyring, lines.slice(0, 1)))
    expect(verifyChain(keyring, replaced(3, at(undone, 3).body)).problem).toEqual({
      sequence: 3,
      kind: 'change',
    })
  })

  test('a whole history that was rewritten with the right keys, against an anchor', () => {
    const rewritten = chain(['uno', 'due', 'tre', 'quattro', 'cinque', 'sei', 'sette'])
    expect(verifyChain(keyring, rewritten).problem).toBeUndefined()
    const anchors = [headOf(at(lines, 4))]
    expect(verifyChain(keyring, rewritten, { anchors }).problem).toEqual({ sequence: 4, kind: 'change' })
  })

  test('a right line under a wrong number', () => {
    const odd = lines.map((line) => (line.sequence === 4 ? { ...line, sequence: 40 } : line))
    expect(verifyChain(keyring, odd).problem).toEqual({ sequence: 4, kind: 'change' })
  })

  test('the first of several is reported', () => {
    const broken = replaced(5, Buffer.alloc(200)).filter((line) => line.sequence !== 2)
    expect(verifyChain(keyring, broken)).toEqual({
      head: headOf(at(lines, 1)),
      problem: { sequence: 2, kind: 'cut' },
    })
  })
})

describe('openEntry', () => {
  test('opens a line under its own number only', () => {
    const { body } = at(lines, 2)
    expect(() => openEntry(keyring, 3, body)).toThrow(corrupt)
    const relabelled = Buffer.from(body)
    relabelled.writeUInt8(3, 8)
    expect(() => openEntry(keyring, 3, relabelled)).toThrow(corrupt)
  })

  test('random bytes give vault_corrupt and nothing else, and never a sound chain', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (body) => {
        for (const attempt of [() => openEntry(keyring, 1, body), () => entryMac(body.subarray(0, 90))]) {
          try {
            attempt()
            expect.unreachable('random bytes opened')
          } catch (error) {
            expect(isKeymuxError(error, 'vault_corrupt')).toBe(true)
          }
        }
        expect(verifyChain(keyring, [{ sequence: 1, body }]).problem?.sequence).toBe(1)
      }),
    )
  })

  test('nothing works without keys', () => {
    const ring = testKeyring()
    ring.wipe()
    const locked = expect.objectContaining({ code: 'vault_locked' })
    expect(() => chainEntry(ring, undefined, 1, Buffer.alloc(1))).toThrow(locked)
    expect(() => openEntry(ring, 1, at(lines, 1).body)).toThrow(locked)
    expect(() => verifyChain(ring, lines)).toThrow(locked)
  })
})
