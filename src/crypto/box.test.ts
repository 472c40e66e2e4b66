import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BOX_OVERHEAD, openBox, sealBox } from './box.js'
import { gcmOpen, gcmSeal } from './gcm.js'

const key = Buffer.alloc(32, 7)
const aad = Buffer.from('where it belongs')

describe('box', () => {
  test('gives back what went in', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ maxLength: 40 }),
        (plaintext, context) => {
          const box = sealBox(key, context, plaintext)
          expect(box.length).toBe(plaintext.length + BOX_OVERHEAD)
          expect(openBox(key, context, box)).toEqual(Buffer.from(plaintext))
        },
      ),
    )
  })

  test('the same plaintext never gives the same box', () => {
    const boxes = Array.from({ length: 50 }, () => sealBox(key, aad, Buffer.from('x')).toString('hex'))
    expect(new Set(boxes).size).toBe(50)
  })

  test('every flipped bit, every truncation and every extension is noticed', () => {
    const box = sealBox(key, aad, Buffer.from('a secret'))
    for (let bit = 0; bit < box.length * 8; bit++) {
      const changed = Buffer.from(box)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(openBox(key, aad, changed)).toBeUndefined()
    }
    for (let length = 0; length < box.length; length++) {
      expect(openBox(key, aad, box.subarray(0, length))).toBeUndefined()
    }
    expect(openBox(key, aad, Buffer.concat([box, Buffer.alloc(1)]))).toBeUndefined()
  })

  test('another key or another context does not open it', () => {
    const box = sealBox(key, aad, Buffer.from('a secret'))
    expect(openBox(Buffer.alloc(32, 8), aad, box)).toBeUndefined()
    expect(openBox(key, Buffer.from('elsewhere'), box)).toBeUndefined()
  })

  test('random bytes are no box', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        expect(openBox(key, aad, bytes)).toBeUndefined()
      }),
    )
  })
})

describe('AES-256-GCM', () => {
  // Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation".
  test('a published vector', () => {
    const k = Buffer.from('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308', 'hex')
    const nonce = Buffer.from('cafebabefacedbaddecaf888', 'hex')
    const a = Buffer.from('feedfacedeadbeeffeedfacedeadbeefabaddad2', 'hex')
    const plaintext = Buffer.from(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
      'hex',
    )
    const sealed = Buffer.alloc(plaintext.length + 16)
    gcmSeal(k, nonce, a, plaintext, sealed, 0)
    expect(sealed.toString('hex')).toBe(
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
        '76fc6ece0f4e1768cddf8853bb2d551b',
    )
    expect(gcmOpen(k, nonce, a, sealed, 0, sealed.length)).toEqual(plaintext)
  })

  test('a tag of 4 bytes is not taken, though Node would', () => {
    const nonce = Buffer.alloc(12, 1)
    const sealed = Buffer.alloc(24)
    gcmSeal(key, nonce, aad, Buffer.alloc(8, 9), sealed, 0)
    expect(gcmOpen(key, nonce, aad, sealed, 0, 12)).toBeUndefined()
    expect(gcmOpen(key, nonce, aad, sealed, 8, 12)).toBeUndefined()
    expect(gcmOpen(key, nonce.subarray(0, 8), aad, sealed, 0, 24)).toBeUndefined()
    expect(gcmOpen(key, nonce, aad, sealed, 0, 24)).toEqual(Buffer.alloc(8, 9))
  })
})
