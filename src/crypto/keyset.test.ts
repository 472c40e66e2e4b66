import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { testKeyset } from '../../test/support/keyring.js'
import {
  continues,
  MAX_SEALED_KEYSET_BYTES,
  MAX_TERMS,
  newKeyset,
  openKeyset,
  presentTerm,
  sealKeyset,
  wipeKeyset,
  withNewTerm,
} from './keyset.js'

const root = Buffer.alloc(32, 2)
const vaultId = Buffer.alloc(16, 1)
const now = new Date('2026-03-01T09:30:00.123Z')
const corrupt = expect.objectContaining({ code: 'vault_corrupt' })

describe('a sealed keyset', () => {
  test('comes back, whatever its terms', () => {
    const numbers = fc
      .uniqueArray(fc.integer({ min: 1, max: 0xffff_ffff }), { minLength: 1, maxLength: 20 })
      .map((list) => list.sort((one, other) => one - other))
    fc.assert(
      fc.property(numbers, (terms) => {
        const keyset = testKeyset(2, terms)
        expect(openKeyset(root, vaultId, sealKeyset(root, vaultId, keyset))).toEqual(keyset)
      }),
    )
  })

  test('every flipped bit and every truncation is damage', () => {
    const sealed = sealKeyset(root, vaultId, newKeyset(now))
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => openKeyset(root, vaultId, changed)).toThrow(corrupt)
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(() => openKeyset(root, vaultId, sealed.subarray(0, length))).toThrow(corrupt)
    }
  })

  test('belongs to one root key and one vault', () => {
    const sealed = sealKeyset(root, vaultId, newKeyset(now))
    expect(() => openKeyset(Buffer.alloc(32, 3), vaultId, sealed)).toThrow(corrupt)
    expect(() => openKeyset(root, Buffer.alloc(16, 2), sealed)).toThrow(corrupt)
  })

  test('terms out of order, twice or none are damage', () => {
    for (const terms of [[], [2, 1], [1, 1], [0]]) {
      const sealed = sealKeyset(root, vaultId, testKeyset(2, terms))
      expect(() => openKeyset(root, vaultId, sealed)).toThrow(corrupt)
    }
  })

  test('shares no memory with what it was opened from', () => {
    const keyset = openKeyset(root, vaultId, sealKeyset(root, vaultId, newKeyset(now)))
    const copy = structuredClone(keyset.lookup)
    wipeKeyset(openKeyset(root, vaultId, sealKeyset(root, vaultId, keyset)))
    expect(keyset.lookup).toEqual(Buffer.from(copy))
  })
})

describe('a new term', () => {
  test('has keys of its own; what reads old lines stays, what opens old rows goes', () => {
    const first = newKeyset(now)
    const second = withNewTerm(first, now)
    expect(second.terms.map(({ number }) => number)).toEqual([1, 2])
    expect(second.terms[0]).toBe(first.terms[0])
    expect(second.lookup).toBe(first.lookup)
    expect(second.data).not.toEqual(first.data)
    expect(second.manifest).not.toEqual(first.manifest)
    const bytes = [...first.terms, ...second.terms].flatMap(({ keys }) => Object.values(keys))
    expect(new Set(bytes.map((key) => key.toString('hex'))).size).toBe(6)
    expect(JSON.stringify(openKeyset(root, vaultId, sealKeyset(root, vaultId, second)))).not.toContain(
      JSON.stringify(first.data),
    )
  })

  test('lies above every number that was seen', () => {
    expect(presentTerm(withNewTerm(newKeyset(now), now, 7)).number).toBe(8)
    expect(presentTerm(withNewTerm(testKeyset(2, [9]), now, 7)).number).toBe(10)
  })

  test('is refused when there are as many as can be', () => {
    const full = testKeyset(
      2,
      Array.from({ length: MAX_TERMS }, (_, index) => index + 1),
    )
    expect(sealKeyset(root, vaultId, full).length).toBe(MAX_SEALED_KEYSET_BYTES)
    const invalid = expect.objectContaining({ code: 'invalid_value' })
    expect(() => withNewTerm(full, now)).toThrow(invalid)
    expect(() => withNewTerm(testKeyset(2, [0xffff_ffff]), now)).toThrow(invalid)
  })
})

describe('continues', () => {
  test('a keyset with every term of the other, and no other', () => {
    const first = newKeyset(now)
    const second = withNewTerm(first, now)
    expect(continues(second, first)).toBe(true)
    expect(continues(first, first)).toBe(true)
    expect(continues(first, second)).toBe(false)
    expect(continues(withNewTerm(first, now), second)).toBe(false)
    expect(continues(newKeyset(now), first)).toBe(false)
    expect(continues({ ...second, lookup: Buffer.alloc(32) }, first)).toBe(false)
  })
})
