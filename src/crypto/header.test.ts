import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { testKeyring, testKeyset } from '../../test/support/keyring.js'
import { isKeymuxError } from '../domain/errors.js'
import { BOX_OVERHEAD } from './box.js'
import {
  type DecodedHeader,
  decodeHeader,
  encodeHeader,
  MAX_HEADER_BYTES,
  MAX_SLOTS,
  sealHeader,
  type VaultHeader,
  verifyHeader,
} from './header.js'
import { MIN_KDF_COST } from './kdf.js'
import { MAX_SEALED_KEYSET_BYTES, sealKeyset } from './keyset.js'
import type { Slot } from './slot.js'
import { createSlot, openSlot } from './slots.js'

const root = Buffer.alloc(32, 0x11)
const vaultId = Buffer.alloc(16, 1)
const keyring = testKeyring(0x11)
const keyset = sealKeyset(root, vaultId, testKeyset())
const now = new Date('2026-03-01T09:30:00.123Z')
const options = { now, kdf: MIN_KDF_COST, label: 'mine' }
const passphrase = { type: 'passphrase', passphrase: 'correct horse' } as const
const slot = await createSlot(root, vaultId, passphrase, options)
const header: VaultHeader = { format: 2, vaultId, createdAt: now, revision: 1, keyset, slots: [slot] }
const sealed = sealHeader(keyring, header)
const corrupt = expect.objectContaining({ code: 'vault_corrupt' })

const fixed = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes))
const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,31}$/)
const label = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => [...text].length <= 64)
const instant = fc.date({ noInvalidDate: true })
const slots: fc.Arbitrary<Slot> = fc.record(
  {
    id: fc.stringMatching(/^[0-9a-f]{16}$/),
    type: name,
    label: label.filter((text) => !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(text)),
    createdAt: instant,
    staleBinding: fc.constant(true as const),
    params: fc.dictionary(name, fc.oneof(fc.maxSafeInteger(), fc.string({ maxLength: 99 })), {
      maxKeys: 5,
      noNullPrototype: true,
    }),
    publicKey: fixed(32),
    sealedKeys: fixed(BOX_OVERHEAD + 64),
    sealedBinding: fixed(BOX_OVERHEAD + 32),
    wrappedRoot: fixed(32 + BOX_OVERHEAD + 32),
  },
  {
    requiredKeys: [
      'id',
      'type',
      'createdAt',
      'params',
      'publicKey',
      'sealedKeys',
      'sealedBinding',
      'wrappedRoot',
    ],
  },
)
const headers: fc.Arbitrary<VaultHeader> = fc.record({
  format: fc.constant(2 as const),
  vaultId: fixed(16),
  createdAt: instant,
  revision: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  keyset: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  slots: fc.uniqueArray(slots, { selector: ({ id }) => id, maxLength: 5 }),
})

/** The stored header with its JSON changed by hand. */
function edited(change: (json: Record<string, unknown>) => void): Buffer {
  const json: Record<string, unknown> = JSON.parse(sealed.toString())
  change(json)
  return Buffer.from(`${JSON.stringify(json)}\n`)
}

function editedSlot(change: Record<string, unknown>): Buffer {
  return edited((json) => {
    const [first] = json.slots as Record<string, unknown>[]
    json.slots = [{ ...first, ...change }]
  })
}

describe('the codec', () => {
  test('any header comes back', () => {
    fc.assert(
      fc.property(headers, fixed(32), (any, mac) => {
        const decoded: DecodedHeader = decodeHeader(encodeHeader(any, mac))
        expect(decoded).toEqual({ header: any, mac })
      }),
    )
  })

  test('a real one verifies, and its slot opens', async () => {
    const decoded = decodeHeader(new Uint8Array(sealed))
    expect(decoded.header).toEqual(header)
    expect(() => verifyHeader(keyring, decoded)).not.toThrow()
    const [first = slot] = decoded.header.slots
    expect(await openSlot(first, vaultId, passphrase)).toEqual(root)
  })

  test('holds 64 slots and no more', () => {
    const many = (count: number): Slot[] =>
      Array.from({ length: count }, (_, index) => ({ ...slot, id: index.toString(16).padStart(16, '0') }))
    const full = encodeHeader({ ...header, slots: many(MAX_SLOTS) }, Buffer.alloc(32))
    expect(decodeHeader(full).header.slots.length).toBe(MAX_SLOTS)
    expect(() => encodeHeader({ ...header, slots: many(MAX_SLOTS + 1) }, Buffer.alloc(32))).toThrow(
      expect.objectContaining({ code: 'invalid_value' }),
    )
    const tooMany = edited((json) => {
      const [first] = json.slots as Record<string, unknown>[]
      json.slots = many(MAX_SLOTS + 1).map(({ id }) => ({ ...first, id }))
    })
    expect(() => decodeHeader(tooMany)).toThrow(corrupt)
  })
})

describe('a header of unknown origin', () => {
  test('a higher format is too new, whatever else is in it', () => {
    const tooNew = expect.objectContaining({ code: 'vault_too_new', exitCode: 8 })
    expect(() => decodeHeader(Buffer.from('{"format":3}'))).toThrow(tooNew)
    expect(() =>
      decodeHeader(edited((json) => Object.assign(json, { format: 4, slots: 'elsewhere' }))),
    ).toThrow(tooNew)
  })

  test('a lower format is too old, and the way out is named', () => {
    expect(() => decodeHeader(Buffer.from('{"format":1,"epoch":1}'))).toThrow(
      expect.objectContaining({
        code: 'vault_too_old',
        exitCode: 8,
        hint: expect.stringContaining('keymux export'),
      }),
    )
  })

  const damaged: [string, Uint8Array][] = [
    ['nothing', Buffer.alloc(0)],
    ['no JSON', Buffer.from('SQLite format 3\0')],
    ['an array', Buffer.from('[]')],
    ['null', Buffer.from('null')],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
    ['10 MB of spaces', Buffer.alloc(10_000_000, ' ')],
    ['10 MB of JSON', Buffer.from(`{"format":2,"x":"${'y'.repeat(10_000_000)}"}`)],
    ['a right one behind 10 MB of spaces', Buffer.concat([Buffer.alloc(10_000_000, ' '), sealed])],
    ['60,000 open brackets', Buffer.from('['.repeat(60_000))],
    ['60,000 nested arrays', Buffer.from('['.repeat(60_000) + ']'.repeat(60_000))],
    ['nested objects', Buffer.from(`${'{"slots":'.repeat(10_000)}1${'}'.repeat(10_000)}`)],
    ['nested slots', Buffer.from(`{"format":2,"slots":${'['.repeat(50_000)}${']'.repeat(50_000)}}`)],
    ['format 0', edited((json) => Object.assign(json, { format: 0 }))],
    ['format 1.5', edited((json) => Object.assign(json, { format: 1.5 }))],
    ['format as text', edited((json) => Object.assign(json, { format: '2' }))],
    ['a short vault id', edited((json) => Object.assign(json, { vault_id: 'AAAA' }))],
    ['a vault id with padding', edited((json) => Object.assign(json, { vault_id: `${json.vault_id}==` }))],
    ['no keyset', edited((json) => Object.assign(json, { keyset: undefined }))],
    ['a keyset with padding', edited((json) => Object.assign(json, { keyset: `${json.keyset}==` }))],
    [
      'a keyset that is larger than any',
      edited((json) =>
        Object.assign(json, { keyset: Buffer.alloc(MAX_SEALED_KEYSET_BYTES + 3).toString('base64url') }),
      ),
    ],
    ['a binding that is not stale', editedSlot({ stale_binding: false })],
    ['revision 0', edited((json) => Object.assign(json, { revision: 0 }))],
    ['revision 2^53', edited((json) => Object.assign(json, { revision: 2 ** 53 }))],
    [
      'a date that is none',
      edited((json) => Object.assign(json, { created_at: '2026-02-30T00:00:00.000Z' })),
    ],
    ['a date in another spelling', edited((json) => Object.assign(json, { created_at: '2026-03-01' }))],
    ['slots that are none', edited((json) => Object.assign(json, { slots: {} }))],
    ['a slot that is none', edited((json) => Object.assign(json, { slots: [null] }))],
    ['no MAC', edited((json) => Object.assign(json, { mac: undefined }))],
    ['a MAC of 4 bytes', edited((json) => Object.assign(json, { mac: 'AAAAAA' }))],
    ['an unknown field', edited((json) => Object.assign(json, { extra: 1 }))],
    [
      'two slots of one id',
      edited((json) => Object.assign(json, { slots: [json.slots, json.slots].flat() })),
    ],
    ['a slot id in capitals', editedSlot({ id: 'ABCDEF0123456789' })],
    ['a slot type with a space', editedSlot({ type: 'pass phrase' })],
    ['a label that turns the line round', editedSlot({ label: 'a\u202eb' })],
    ['an empty label', editedSlot({ label: '' })],
    ['a label that is no text', editedSlot({ label: 5 })],
    ['a long label', editedSlot({ label: 'x'.repeat(65) })],
    ['a slot without keys', editedSlot({ sealed_keys: undefined })],
    ['a wrapped root of another length', editedSlot({ wrapped_root: 'AAAA' })],
    ['a parameter that is an object', editedSlot({ params: { kdf: {} } })],
    ['a parameter with a fraction', editedSlot({ params: { passes: 2.5 } })],
    ['a parameter of 1 kB', editedSlot({ params: { salt: 'x'.repeat(1000) } })],
    [
      'too many parameters',
      editedSlot({ params: Object.fromEntries([...'abcdefghijklmnopq'].map((key) => [key, 1])) }),
    ],
    ['parameters out of order', editedSlot({ params: { b: 1, a: 1 } })],
    [
      'a field given twice',
      Buffer.from(sealed.toString().replace('"revision":1', '"revision":2,"revision":1')),
    ],
    [
      'a number in another spelling',
      Buffer.from(sealed.toString().replace('"revision":1', '"revision":1.0')),
    ],
    ['another order', edited((json) => [delete json.format, Object.assign(json, { format: 2 })])],
    ['a space', Buffer.from(sealed.toString().replace('{', '{ '))],
    ['no newline', sealed.subarray(0, -1)],
    ['a prototype', Buffer.from(sealed.toString().replace('{', '{"__proto__":{"format":2},'))],
  ]
  test.each(damaged)('%s', (_name, bytes) => {
    expect(() => decodeHeader(bytes)).toThrow(corrupt)
  })

  test('every flipped bit is refused: by the codec, or by the MAC', () => {
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      try {
        verifyHeader(keyring, decodeHeader(changed))
        expect.unreachable(`bit ${bit} went unnoticed`)
      } catch (error) {
        const codes = ['vault_corrupt', 'vault_tampered', 'vault_too_new', 'vault_too_old'] as const
        expect(codes.some((code) => isKeymuxError(error, code))).toBe(true)
      }
    }
  })

  test('every truncation is refused', () => {
    for (let length = 0; length < sealed.length; length++) {
      expect(() => decodeHeader(sealed.subarray(0, length))).toThrow(corrupt)
    }
  })

  test('random bytes, texts and JSON give a KeymuxError and nothing else', () => {
    const attempt = (bytes: Uint8Array): void => {
      try {
        decodeHeader(bytes)
        expect.unreachable('garbage was a header')
      } catch (error) {
        const codes = ['vault_corrupt', 'vault_too_new', 'vault_too_old'] as const
        expect(codes.some((code) => isKeymuxError(error, code))).toBe(true)
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), attempt))
    fc.assert(fc.property(fc.json(), (text) => attempt(Buffer.from(text))))
    const fields = Object.keys(JSON.parse(sealed.toString()))
    fc.assert(
      fc.property(fc.constantFrom(...fields), fc.jsonValue(), (field, value) => {
        const bytes = edited((json) => Object.assign(json, { [field]: value }))
        fc.pre(!bytes.equals(sealed))
        try {
          verifyHeader(keyring, decodeHeader(bytes))
          expect.unreachable('a changed header was accepted')
        } catch (error) {
          expect(isKeymuxError(error)).toBe(true)
        }
      }),
    )
  })
})

describe('the MAC', () => {
  const tampered = expect.objectContaining({ code: 'vault_tampered' })
  const changes: [string, Partial<VaultHeader>][] = [
    ['another vault id', { vaultId: Buffer.alloc(16, 2) }],
    ['another date', { createdAt: new Date(0) }],
    ['another keyset', { keyset: Buffer.alloc(8) }],
    ['a stale binding', { slots: [{ ...slot, staleBinding: true }] }],
    ['another revision', { revision: 2 }],
    ['no slot', { slots: [] }],
    ['another label', { slots: [{ ...slot, label: 'yours' }] }],
    ['another public key', { slots: [{ ...slot, publicKey: Buffer.alloc(32, 9) }] }],
  ]
  test.each(changes)('covers everything: %s', (_name, change) => {
    const { mac } = decodeHeader(sealed)
    const changed = decodeHeader(encodeHeader({ ...header, ...change }, mac))
    expect(() => verifyHeader(keyring, changed)).toThrow(tampered)
  })

  test('of another root key or vault does not count', () => {
    const decoded = decodeHeader(sealed)
    for (const other of [testKeyring(9), testKeyring(0x11, 9)]) {
      expect(() => verifyHeader(other, decoded)).toThrow(tampered)
    }
  })

  test('does not depend on the order of parameters in memory', () => {
    const params = Object.fromEntries(Object.entries(slot.params).toReversed())
    expect(sealHeader(keyring, { ...header, slots: [{ ...slot, params }] })).toEqual(sealed)
  })
})

test('a header of more than 256 KiB is neither written nor read, however well formed', () => {
  const params = Object.fromEntries([...'abcdefghijklmnop'].map((key) => [key, 'x'.repeat(256)]))
  const many = Array.from({ length: 64 }, (_, index) => ({
    ...slot,
    id: index.toString(16).padStart(16, '0'),
    params,
  }))
  expect(() => encodeHeader({ ...header, slots: many }, Buffer.alloc(32))).toThrow(
    expect.objectContaining({ code: 'invalid_value' }),
  )
  const large = edited((json) => {
    const [first] = json.slots as Record<string, unknown>[]
    json.slots = many.map(({ id }) => ({ ...first, id, params }))
  })
  expect(large.length).toBeGreaterThan(MAX_HEADER_BYTES)
  expect(() => decodeHeader(large)).toThrow(corrupt)
})
