import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type KeyPurpose, Keyring } from './keyring.js'

const root = Buffer.alloc(32, 0x5a)
const vaultId = Buffer.alloc(16, 1)
const purposes: KeyPurpose[] = ['header mac', 'manifest', 'audit seal', 'audit mac', 'pin mac']
const locked = expect.objectContaining({ code: 'vault_locked' })

describe('derived keys', () => {
  test('all differ, by purpose, epoch, vault and root key', () => {
    const rings = [
      new Keyring(root, vaultId, 3),
      new Keyring(root, Buffer.alloc(16, 2), 3),
      new Keyring(Buffer.alloc(32, 0x5b), vaultId, 3),
    ]
    const keys = rings.flatMap((ring) => [
      ring.rootKey.toString('hex') + ring.vaultId.toString('hex'),
      ...purposes.map((purpose) => ring.key(purpose).toString('hex')),
      ...[1, 2, 3].map((epoch) => ring.dataKey(epoch).export().toString('hex')),
      ring.rowId('profile', 'openai:work').toString('hex'),
    ])
    expect(new Set(keys).size).toBe(keys.length)
  })

  test('are the same each time, whatever the present epoch', () => {
    const one = new Keyring(root, vaultId, 1)
    const later = new Keyring(root, vaultId, 9)
    for (const purpose of purposes) expect(later.key(purpose)).toEqual(one.key(purpose))
    expect(later.dataKey(1).equals(one.dataKey(1))).toBe(true)
  })

  // Stored vaults depend on these bytes: computed apart, with HKDF and HMAC of Python's standard library.
  test('do not change between versions', () => {
    const ring = new Keyring(root, vaultId, 1)
    expect(ring.key('manifest').toString('hex')).toBe(
      'c379e4d64e568e4ed3f8e8d5d865eb8ecdb7545bcf77a69473bad440806c8854',
    )
    expect(ring.dataKey(1).export().toString('hex')).toBe(
      '8c61ef3751e347fc9e10f326ed8b8688431b3860c044114b08f92502b8b585ca',
    )
    expect(ring.rowId('profile', 'openai:work').toString('hex')).toBe('52c807f25b40a9fc1d9a5e55ef82a617')
  })

  test.each([0, 4, 0xffff_ffff, 1.5, Number.NaN])('epoch %d, not reached, is damage', (epoch) => {
    const ring = new Keyring(root, vaultId, 3)
    expect(() => ring.dataKey(epoch)).toThrow(expect.objectContaining({ code: 'vault_corrupt' }))
  })

  test('wrong shapes are refused', () => {
    const internal = expect.objectContaining({ code: 'internal_error' })
    expect(() => new Keyring(root.subarray(1), vaultId, 1)).toThrow(internal)
    expect(() => new Keyring(root, Buffer.alloc(15), 1)).toThrow(internal)
    for (const epoch of [0, -1, 2 ** 32, 0.5])
      expect(() => new Keyring(root, vaultId, epoch)).toThrow(internal)
  })
})

describe('rowId', () => {
  test('16 bytes; table and name are kept apart', () => {
    const ring = new Keyring(root, vaultId, 1)
    expect(ring.rowId('profile', 'x').length).toBe(16)
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        fc.string(),
        fc.string(),
        (table, name, otherTable, otherName) => {
          const same = table === otherTable && name === otherName
          expect(ring.rowId(table, name).equals(ring.rowId(otherTable, otherName))).toBe(same)
        },
      ),
    )
    expect(ring.rowId('ab', 'c')).not.toEqual(ring.rowId('a', 'bc'))
  })
})

describe('MACs', () => {
  test('one bit, one boundary, one purpose make another', () => {
    const ring = new Keyring(root, vaultId, 1)
    const mac = ring.mac('header mac', 'ab', 'c')
    expect(ring.verifyMac(mac, 'header mac', 'ab', 'c')).toBe(true)
    expect(ring.verifyMac(mac, 'header mac', 'a', 'bc')).toBe(false)
    expect(ring.verifyMac(mac, 'audit mac', 'ab', 'c')).toBe(false)
    expect(ring.verifyMac(mac.subarray(0, 4), 'header mac', 'ab', 'c')).toBe(false)
    expect(ring.verifyMac(Buffer.alloc(0), 'header mac', 'ab', 'c')).toBe(false)
  })
})

describe('wipe', () => {
  test('zeroes what was handed out and locks every use', () => {
    const ring = new Keyring(root, vaultId, 2)
    const held = [ring.rootKey, ...purposes.map((purpose) => ring.key(purpose))]
    ring.dataKey(1)
    expect(ring.isUnlocked).toBe(true)
    ring.wipe()
    ring.wipe()
    expect(ring.isUnlocked).toBe(false)
    for (const key of held) expect(key).toEqual(Buffer.alloc(32))
    const uses = [
      () => ring.rootKey,
      () => ring.key('manifest'),
      () => ring.dataKey(1),
      () => ring.dataKey(2),
      () => ring.dataKey(7),
      () => ring.rowId('profile', 'x'),
      () => ring.mac('pin mac', 'x'),
      () => ring.verifyMac(Buffer.alloc(32), 'pin mac', 'x'),
    ]
    for (const use of uses) expect(use).toThrow(locked)
  })

  test("copies the caller's root key", () => {
    const mine = Buffer.from(root)
    const ring = new Keyring(mine, vaultId, 1)
    mine.fill(0)
    expect(ring.rootKey).toEqual(root)
    ring.wipe()
    expect(root).toEqual(Buffer.alloc(32, 0x5a))
  })
})

test('no key shows in inspect or JSON', () => {
  const ring = new Keyring(root, vaultId, 1)
  ring.dataKey(1)
  const shown = inspect(ring, { depth: 9, showHidden: true }) + JSON.stringify(ring)
  expect(shown).not.toContain('5a5a')
  expect(shown).not.toContain('5a 5a')
  expect(shown).not.toContain('90,90')
})
