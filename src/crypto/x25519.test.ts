import { describe, expect, test } from 'vitest'
import { agreeX25519, generateX25519 } from './x25519.js'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

describe('X25519', () => {
  test('the example of RFC 7748 section 6.1', () => {
    const alice = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')
    const bob = hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb')
    const alicePublic = hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')
    const bobPublic = hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
    const shared = hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742')
    expect(agreeX25519(alice, bobPublic)).toEqual(shared)
    expect(agreeX25519(bob, alicePublic)).toEqual(shared)
  })

  test('new pairs differ, and both sides agree', () => {
    const one = generateX25519()
    const other = generateX25519()
    expect(one.privateKey).not.toEqual(other.privateKey)
    expect([one.publicKey.length, one.privateKey.length]).toEqual([32, 32])
    expect(agreeX25519(one.privateKey, other.publicKey)).toEqual(agreeX25519(other.privateKey, one.publicKey))
  })

  test.each([
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ])('a public key of small order is refused: %s', (key) => {
    expect(agreeX25519(generateX25519().privateKey, hex(key))).toBeUndefined()
  })
})
