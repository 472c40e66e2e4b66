import { Keyring } from '../../src/crypto/keyring.js'
import type { Keyset } from '../../src/crypto/keyset.js'

/** A keyset whose bytes are the same each time: `fill` makes another one. */
export function testKeyset(fill = 2, terms: readonly number[] = [1]): Keyset {
  return {
    lookup: Buffer.alloc(32, fill),
    terms: terms.map((number) => ({
      number,
      id: Buffer.alloc(16, fill + number),
      begunAt: new Date('2026-01-01T00:00:00Z'),
      keys: {
        auditSeal: Buffer.alloc(32, fill + number + 0x40),
        auditMac: Buffer.alloc(32, fill + number + 0x60),
        unsaved: Buffer.alloc(32, fill + number + 0x80),
      },
    })),
    data: Buffer.alloc(32, fill + (terms.at(-1) ?? 0) + 0xa0),
    manifest: Buffer.alloc(32, fill + (terms.at(-1) ?? 0) + 0xb0),
  }
}

/** A keyring of such a keyset. */
export function testKeyring(fill = 2, vaultId = 1, terms: readonly number[] = [1]): Keyring {
  return new Keyring(Buffer.alloc(32, fill), Buffer.alloc(16, vaultId), testKeyset(fill, terms))
}
