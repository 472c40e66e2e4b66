import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { testKeyring } from '../../test/support/keyring.js'
import { openUnsaved, sealUnsaved } from './unsaved.js'

const keyring = testKeyring()
const id = Buffer.alloc(16, 5)
const text = Buffer.from('{"refreshToken":"rt-1"}')

describe('tokens in a file of their own', () => {
  test('come back, also after a rotation', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 900 }), (bytes) => {
        const sealed = sealUnsaved(keyring, id, bytes)
        expect(openUnsaved(keyring, id, sealed)).toEqual(Buffer.from(bytes))
        expect(openUnsaved(testKeyring(2, 1, [1, 2]), id, sealed)).toEqual(Buffer.from(bytes))
      }),
    )
  })

  test('of a later term, another place, another vault or other keys are none', () => {
    const sealed = sealUnsaved(keyring, id, text)
    expect(openUnsaved(keyring, id, sealUnsaved(testKeyring(2, 1, [1, 2]), id, text))).toBeUndefined()
    expect(openUnsaved(keyring, Buffer.alloc(16, 6), sealed)).toBeUndefined()
    expect(openUnsaved(testKeyring(2, 9), id, sealed)).toBeUndefined()
    expect(openUnsaved(testKeyring(9), id, sealed)).toBeUndefined()
  })

  test('damaged in any bit or cut are none', () => {
    const sealed = sealUnsaved(keyring, id, text)
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(openUnsaved(keyring, id, changed)).toBeUndefined()
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(openUnsaved(keyring, id, sealed.subarray(0, length))).toBeUndefined()
    }
  })
})
