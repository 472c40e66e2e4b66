import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { testKeyring, testKeyset } from '../../test/support/keyring.js'
import { Keyring } from './keyring.js'

const root = Buffer.alloc(32, 0x5a)
const vaultId = Buffer.alloc(16, 1)
const locked = expect.objectContaining({ code: 'vault_locked' })

describe('what follows from the keys', () => {
  test('differs by vault, root key and keyset', () => {
    const rings = [
      new Keyring(root, vaultId, testKeyset()),
      new Keyring(root, Buffer.alloc(16, 2), testKeyset()),
      new Keyring(Buffer.alloc(32, 0x5b), vaultId, testKeyset()),
    ]
    expect(new Set(rings.map((ring) => ring.headerMac('x').toString('hex'))).size).toBe(3)
    const others = [testKeyring(2), testKeyring(9), testKeyring(2, 1, [1, 2])]
    expect(new Set(others.map((ring) => ring.rowKeys(Buffer.from('x')).key.toString('hex'))).size).toBe(3)
    expect(others.map((ring) => ring.rowId('profile', 'x').toString('hex'))[0]).not.toBe(
      others.map((ring) => ring.rowId('profile', 'x').toString('hex'))[1],
    )
  })

  // Stored vaults depend on these bytes: computed apart, with HKDF and HMAC of Python's standard library.
  test('does not change between versions', () => {
    const ring = new Keyring(root, vaultId, testKeyset())
    expect(ring.headerMac('content').toString('hex')).toBe(
      '9044bc60e36e02d5cd823aab35e7d5263a4c73b6421f30aae7ce250e04978b8c',
    )
    expect(ring.rowId('profile', 'openai:work').toString('hex')).toBe('14762a2b274cc1e85766e09fac7e4614')
    expect(ring.pseudonym('uid', 'value').toString('hex')).toBe(
      '8c8451af708754180926cca51b504c49c55900763e5a72b97b172ef41f7ea1fd',
    )
    const { key, mark } = ring.rowKeys(Buffer.from('info'))
    expect(key.toString('hex') + mark.toString('hex')).toBe(
      '9feaec0f1509249e22ddae5b6af14533d26ca489da715554f0031927c94afb868e4e70dc201ec4e73ce12d520ae03374',
    )
  })

  test('row ids and pseudonyms stay through a rotation, row keys do not', () => {
    const ring = testKeyring(2, 1, [1])
    const id = ring.rowId('profile', 'x')
    const pseudonym = ring.pseudonym('uid', 'x')
    const { key } = ring.rowKeys(Buffer.from('x'))
    ring.replace(Buffer.alloc(32, 7), testKeyset(2, [1, 2]))
    expect(ring.term.number).toBe(2)
    expect(ring.rowId('profile', 'x')).toEqual(id)
    expect(ring.pseudonym('uid', 'x')).toEqual(pseudonym)
    expect(ring.rowKeys(Buffer.from('x')).key).not.toEqual(key)
  })

  test('wrong shapes are refused', () => {
    const internal = expect.objectContaining({ code: 'internal_error' })
    expect(() => new Keyring(root.subarray(1), vaultId, testKeyset())).toThrow(internal)
    expect(() => new Keyring(root, Buffer.alloc(15), testKeyset())).toThrow(internal)
  })
})

describe('rowId', () => {
  test('16 bytes; table and name are kept apart', () => {
    const ring = testKeyring()
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

describe('the MAC of a header', () => {
  test('is that of its content alone', () => {
    const ring = testKeyring()
    const mac = ring.headerMac('content')
    expect(ring.verifyHeaderMac(mac, 'content')).toBe(true)
    expect(ring.verifyHeaderMac(mac, 'contents')).toBe(false)
    expect(ring.verifyHeaderMac(mac.subarray(0, 4), 'content')).toBe(false)
    expect(ring.verifyHeaderMac(Buffer.alloc(0), 'content')).toBe(false)
  })
})

describe('wipe', () => {
  test('zeroes what was handed out and locks every use', () => {
    const keyset = testKeyset(2, [1, 2])
    const ring = new Keyring(root, vaultId, keyset)
    const held = [ring.rootKey, keyset.lookup, keyset.data, keyset.manifest]
    for (const { keys } of keyset.terms) held.push(keys.auditSeal, keys.auditMac, keys.unsaved)
    expect(ring.isUnlocked).toBe(true)
    ring.wipe()
    ring.wipe()
    expect(ring.isUnlocked).toBe(false)
    for (const key of held) expect(key).toEqual(Buffer.alloc(32))
    const uses = [
      () => ring.rootKey,
      () => ring.keyset,
      () => ring.term,
      () => ring.termOf(1),
      () => ring.rowKeys(Buffer.alloc(1)),
      () => ring.rowId('profile', 'x'),
      () => ring.headerMac('x'),
      () => ring.verifyHeaderMac(Buffer.alloc(32), 'x'),
    ]
    for (const use of uses) expect(use).toThrow(locked)
  })

  test("copies the caller's root key", () => {
    const mine = Buffer.from(root)
    const ring = new Keyring(mine, vaultId, testKeyset())
    mine.fill(0)
    expect(ring.rootKey).toEqual(root)
    ring.wipe()
    expect(root).toEqual(Buffer.alloc(32, 0x5a))
  })

  test('a rotation zeroes what it replaces', () => {
    const before = testKeyset()
    const ring = new Keyring(root, vaultId, before)
    const held = ring.rootKey
    ring.replace(Buffer.alloc(32, 7), testKeyset(2, [1, 2]))
    for (const key of [held, before.data, before.manifest]) expect(key).toEqual(Buffer.alloc(32))
  })
})

test('no key shows in inspect or JSON', () => {
  const ring = testKeyring(0x5a)
  const shown = inspect(ring, { depth: 9, showHidden: true }) + JSON.stringify(ring)
  expect(shown).not.toContain('5a5a')
  expect(shown).not.toContain('5a 5a')
  expect(shown).not.toContain('90,90')
})
