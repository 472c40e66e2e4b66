import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { testKeyring } from '../../test/support/keyring.js'
import { isKeymuxError } from '../domain/errors.js'
import {
  addMark,
  digestHeader,
  emptyAccumulator,
  fingerprint,
  type Manifest,
  matchesManifest,
  openManifest,
  sealManifest,
  subtractMark,
} from './manifest.js'
import { openRow, sealRow } from './seal.js'

const keyring = testKeyring()
const corrupt = expect.objectContaining({ code: 'vault_corrupt' })
const mark = fc.uint8Array({ minLength: 16, maxLength: 16 })
const head = fc.record({
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  mac: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes)),
})
const manifests: fc.Arbitrary<Manifest> = fc.record(
  {
    accumulator: mark.map((bytes) => Buffer.from(bytes)),
    count: fc.maxSafeNat(),
    sequence: fc.maxSafeNat(),
    headerDigest: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes)),
    audit: head,
  },
  { requiredKeys: ['accumulator', 'count', 'sequence', 'headerDigest'] },
)
const sample: Manifest = {
  accumulator: Buffer.alloc(16, 5),
  count: 3,
  sequence: 9,
  headerDigest: digestHeader(Buffer.from('header')),
  audit: { sequence: 4, mac: Buffer.alloc(32, 6) },
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}

describe('the accumulator', () => {
  test('adds and subtracts modulo 2^128', () => {
    fc.assert(
      fc.property(mark, mark, (one, other) => {
        const modulus = 1n << 128n
        expect(toBigInt(addMark(one, other))).toBe((toBigInt(one) + toBigInt(other)) % modulus)
        expect(toBigInt(subtractMark(one, other))).toBe((toBigInt(one) - toBigInt(other) + modulus) % modulus)
      }),
    )
  })

  test('wraps around at both ends', () => {
    const ones = new Uint8Array(16).fill(0xff)
    const one = Uint8Array.from([...Array.from({ length: 15 }, () => 0), 1])
    expect(addMark(ones, one)).toEqual(emptyAccumulator())
    expect(subtractMark(emptyAccumulator(), one)).toEqual(ones)
  })

  test('does not depend on order, forgets what is taken out, and changes no argument', () => {
    fc.assert(
      fc.property(fc.array(mark, { maxLength: 12 }), mark, (marks, other) => {
        const copy = structuredClone(marks)
        const sum = marks.reduce(addMark, emptyAccumulator())
        expect(marks.toReversed().reduce(addMark, emptyAccumulator())).toEqual(sum)
        expect(subtractMark(addMark(sum, other), other)).toEqual(sum)
        expect(marks).toEqual(copy)
      }),
    )
  })
})

describe('rows against the manifest', () => {
  const table = 'profile'
  interface Row {
    readonly id: Buffer
    readonly body: Buffer
  }
  const seal = (name: string, revision: number): Row => {
    const id = keyring.rowId(table, name)
    return { id, body: sealRow(keyring, { table, id, revision }, { meta: Buffer.from(name) }).body }
  }
  const found = (rows: readonly Row[]): Pick<Manifest, 'accumulator' | 'count' | 'headerDigest'> => ({
    accumulator: rows
      .map(({ id, body }) => openRow(keyring, table, id, body).mark)
      .reduce<Uint8Array>(addMark, emptyAccumulator()),
    count: rows.length,
    headerDigest: sample.headerDigest,
  })
  const old = seal('a', 1)
  const a = seal('a', 2)
  const b = seal('b', 1)
  const removed = seal('c', 1)
  const manifest: Manifest = { ...sample, ...found([a, b]) }

  test('the rows it was made for match, in any order', () => {
    expect(matchesManifest(manifest, found([b, a]))).toBe(true)
  })

  test('a save replaces one mark by another', () => {
    const next = seal('b', 2)
    const marks = [b, next].map(({ id, body }) => openRow(keyring, table, id, body).mark)
    const [before = Buffer.alloc(0), after = Buffer.alloc(0)] = marks
    const accumulator = addMark(subtractMark(manifest.accumulator, before), after)
    expect(matchesManifest({ ...manifest, accumulator }, found([a, next]))).toBe(true)
  })

  test('a removed row, a row put back, an older revision, a twin do not, though each is authentic', () => {
    expect(matchesManifest(manifest, found([a]))).toBe(false)
    expect(matchesManifest(manifest, found([a, b, removed]))).toBe(false)
    expect(matchesManifest(manifest, found([a, removed]))).toBe(false)
    expect(matchesManifest(manifest, found([old, b]))).toBe(false)
    expect(matchesManifest(manifest, found([a, b, b]))).toBe(false)
    expect(matchesManifest(manifest, found([seal('a', 2), b]))).toBe(false)
    expect(matchesManifest(manifest, found([]))).toBe(false)
  })

  test('another header does not', () => {
    const headerDigest = digestHeader(Buffer.from('former header'))
    expect(matchesManifest(manifest, { ...found([a, b]), headerDigest })).toBe(false)
  })
})

describe('the sealed manifest', () => {
  test('comes back', () => {
    fc.assert(
      fc.property(manifests, (manifest) => {
        expect(openManifest(keyring, sealManifest(keyring, manifest))).toEqual(manifest)
      }),
    )
  })

  test('every flipped bit and every truncation is noticed', () => {
    const sealed = sealManifest(keyring, sample)
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => openManifest(keyring, changed)).toThrow(corrupt)
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(() => openManifest(keyring, sealed.subarray(0, length))).toThrow(corrupt)
    }
  })

  test('belongs to one vault and one root key', () => {
    const sealed = sealManifest(keyring, sample)
    for (const other of [testKeyring(2, 9), testKeyring(9, 1)]) {
      expect(() => openManifest(other, sealed)).toThrow(corrupt)
    }
  })

  test('random bytes give vault_corrupt and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          openManifest(keyring, bytes)
          expect.unreachable('random bytes opened')
        } catch (error) {
          expect(isKeymuxError(error, 'vault_corrupt')).toBe(true)
        }
      }),
    )
  })

  test('parts of a wrong length are refused, not cut', () => {
    const internal = expect.objectContaining({ code: 'internal_error' })
    expect(() => sealManifest(keyring, { ...sample, accumulator: Buffer.alloc(17) })).toThrow(internal)
    expect(() => sealManifest(keyring, { ...sample, headerDigest: Buffer.alloc(33) })).toThrow(internal)
    expect(() => sealManifest(keyring, { ...sample, count: -1 })).toThrow(internal)
    const audit = { sequence: 1, mac: Buffer.alloc(31) }
    expect(() => sealManifest(keyring, { ...sample, audit })).toThrow(internal)
  })
})

describe('the fingerprint', () => {
  test('16 bytes, the same for the same manifest only', () => {
    expect(fingerprint(sample).length).toBe(16)
    fc.assert(
      fc.property(manifests, manifests, (one, other) => {
        expect(fingerprint(one)).toEqual(fingerprint({ ...one }))
        expect(fingerprint(one)).not.toEqual(fingerprint(other))
      }),
    )
    for (const change of [{ count: 4 }, { sequence: 10 }, { accumulator: Buffer.alloc(16, 4) }]) {
      expect(fingerprint({ ...sample, ...change })).not.toEqual(fingerprint(sample))
    }
  })
})
