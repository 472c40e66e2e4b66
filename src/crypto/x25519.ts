import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import { asBuffer } from './bytes.js'

// What precedes the 32 raw bytes of a key in DER (RFC 8410): node:crypto takes and gives no raw keys.
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex')
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')

/** A raw X25519 key pair (RFC 7748), 32 bytes each. */
export interface X25519Pair {
  readonly publicKey: Buffer
  readonly privateKey: Buffer
}

/** A new key pair. */
export function generateX25519(): X25519Pair {
  const { publicKey, privateKey } = generateKeyPairSync('x25519')
  const spki = publicKey.export({ format: 'der', type: 'spki' })
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
  const pair = {
    publicKey: Buffer.from(spki.subarray(PUBLIC_PREFIX.length)),
    privateKey: Buffer.from(pkcs8.subarray(PRIVATE_PREFIX.length)),
  }
  pkcs8.fill(0)
  return pair
}

/** The shared secret; `undefined` for a public key of small order, which would make it known to all. */
export function agreeX25519(privateKey: Uint8Array, publicKey: Uint8Array): Buffer | undefined {
  const own = importPrivate(privateKey)
  const theirs = createPublicKey({
    key: Buffer.concat([PUBLIC_PREFIX, publicKey]),
    format: 'der',
    type: 'spki',
  })
  try {
    return diffieHellman({ privateKey: own, publicKey: theirs })
  } catch {
    return undefined
  }
}

function importPrivate(raw: Uint8Array): KeyObject {
  const der = Buffer.concat([PRIVATE_PREFIX, asBuffer(raw)])
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  } finally {
    der.fill(0)
  }
}
