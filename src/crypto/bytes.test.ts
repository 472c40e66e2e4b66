import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asBuffer, fromBase64url, lengthPrefixed, readU64, u64 } from './bytes.js'

describe('lengthPrefixed', () => {
  test('different lists of parts never give the same bytes', () => {
    const part = fc.oneof(fc.string(), fc.uint8Array({ maxLength: 6 }))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), fc.array(part, { maxLength: 5 }), (one, other) => {
        const same =
          one.length === other.length &&
          one.every((piece, index) => Buffer.from(piece).equals(Buffer.from(other[index] ?? '')))
        expect(lengthPrefixed(...one).equals(lengthPrefixed(...other))).toBe(same)
      }),
    )
  })

  test('a boundary that moves changes the bytes', () => {
    expect(lengthPrefixed('ab', 'c')).not.toEqual(lengthPrefixed('a', 'bc'))
    expect(lengthPrefixed('a', '')).not.toEqual(lengthPrefixed('a'))
  })
})

describe('64-bit counters', () => {
  test('every safe integer comes back', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(readU64(u64(value), 0)).toBe(value)
      }),
    )
    expect(readU64(u64(Number.MAX_SAFE_INTEGER), 0)).toBe(Number.MAX_SAFE_INTEGER)
  })

  test('what is no safe integer is neither written nor read', () => {
    for (const value of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(() => u64(value)).toThrow('non-negative integer')
    }
    expect(readU64(Buffer.alloc(8, 0xff), 0)).toBeUndefined()
    expect(readU64(Buffer.from('0020000000000000', 'hex'), 0)).toBeUndefined()
  })
})

describe('fromBase64url', () => {
  test('one spelling for each value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = asBuffer(bytes).toString('base64url')
        expect(fromBase64url(text, bytes.length)).toEqual(Buffer.from(bytes))
        expect(fromBase64url(`${text}=`)).toBeUndefined()
        expect(fromBase64url(` ${text}`)).toBeUndefined()
      }),
    )
    expect(fromBase64url('AB')).toBeUndefined()
    expect(fromBase64url('AA')).toEqual(Buffer.from([0]))
    expect(fromBase64url('+/+/')).toBeUndefined()
    expect(fromBase64url('AAAA', 2)).toBeUndefined()
  })
})
