import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { testKeyring } from '../../test/support/keyring.js'
import type { Manifest } from './manifest.js'
import { comparePin, decodePin, encodePin, type Pin, pinOf } from './pin.js'

const keyring = testKeyring()
const manifest: Manifest = {
  accumulator: Buffer.alloc(16, 5),
  count: 3,
  sequence: 9,
  headerDigest: Buffer.alloc(32, 8),
  audit: { sequence: 4, mac: Buffer.alloc(32, 6) },
}
const fixed = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes))
const pins: fc.Arbitrary<Pin> = fc.record(
  {
    term: fc.constant(1),
    sequence: fc.maxSafeNat(),
    fingerprint: fixed(16),
    audit: fc.record({ sequence: fc.integer({ min: 1 }), mac: fixed(32) }),
  },
  { requiredKeys: ['term', 'sequence', 'fingerprint'] },
)

describe('the pin', () => {
  test('comes back, with or without a trailing newline', () => {
    fc.assert(
      fc.property(pins, (pin) => {
        const text = encodePin(keyring, pin)
        expect(text).toMatch(/^keymux-pin-2:[\w-]+$/)
        expect(decodePin(keyring, text)).toEqual(pin)
        expect(decodePin(keyring, `${text}\n`)).toEqual(pin)
      }),
    )
  })

  test('any change of a character makes it none, or one that no key of this vault made', () => {
    const text = encodePin(keyring, pinOf(keyring, manifest))
    for (let index = 0; index < text.length; index++) {
      for (const character of ['A', 'b', '=', ' ', '\n', '\u0000', 'é']) {
        if (text[index] === character) continue
        const changed = text.slice(0, index) + character + text.slice(index + 1)
        const pin = decodePin(keyring, changed)
        if (pin !== undefined) expect(pin).toMatchObject({ foreign: true })
      }
      expect(decodePin(keyring, text.slice(0, index))).toBeUndefined()
    }
    expect(decodePin(keyring, `${text}\n\n`)).toBeUndefined()
    expect(decodePin(keyring, `${text}A`)).toBeUndefined()
  })

  test('garbage is none', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(decodePin(keyring, text)).toBeUndefined()
        expect(decodePin(keyring, `keymux-pin-2:${text}`)).toBeUndefined()
      }),
    )
    expect(decodePin(keyring, `keymux-pin-2:${'A'.repeat(10_000_000)}`)).toBeUndefined()
  })

  test('that of another vault is none', () => {
    expect(decodePin(keyring, encodePin(testKeyring(2, 9), pinOf(keyring, manifest)))).toBeUndefined()
  })

  test('one of this vault that its keyset does not know is told from none', () => {
    const rings = {
      'other keys': testKeyring(9, 1),
      'a later term': testKeyring(2, 1, [1, 2]),
      'a term of the same number and another id': testKeyring(3, 1),
    }
    for (const [what, ring] of Object.entries(rings)) {
      const text = encodePin(ring, pinOf(ring, manifest))
      expect(decodePin(keyring, text), what).toEqual({
        foreign: true,
        term: ring.term.number,
        sequence: manifest.sequence,
      })
    }
  })

  test('of a former term is read with the keys that stay', () => {
    const rotated = testKeyring(2, 1, [1, 2])
    expect(decodePin(rotated, encodePin(keyring, pinOf(keyring, manifest)))).toEqual(pinOf(keyring, manifest))
  })
})

describe('comparePin', () => {
  const pin = pinOf(keyring, manifest)
  test('tells the four cases apart', () => {
    expect(comparePin(pin, manifest)).toBe('ok')
    expect(comparePin(pin, { ...manifest, sequence: 10, count: 4 })).toBe('newer')
    expect(comparePin(pin, { ...manifest, sequence: 8 })).toBe('rolled_back')
    expect(comparePin(pin, { ...manifest, accumulator: Buffer.alloc(16, 4) })).toBe('forked')
    expect(comparePin(pin, { ...manifest, audit: { sequence: 4, mac: Buffer.alloc(32) } })).toBe('forked')
  })

  test('an empty vault has a pin too', () => {
    const { audit: _none, ...empty } = { ...manifest, count: 0, sequence: 0, accumulator: Buffer.alloc(16) }
    const first = pinOf(keyring, empty)
    expect(first.audit).toBeUndefined()
    expect(decodePin(keyring, encodePin(keyring, first))).toEqual(first)
    expect(comparePin(first, empty)).toBe('ok')
  })
})
