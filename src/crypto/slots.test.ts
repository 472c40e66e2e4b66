import { describe, expect, test } from 'vitest'
import { sealBox } from './box.js'
import { lengthPrefixed } from './bytes.js'
import { deriveKey } from './derive.js'
import { MIN_KDF_COST } from './kdf.js'
import { type Slot, type SlotSecret, slotContext } from './slot.js'
import {
  bindingOf,
  createSlot,
  followSlot,
  openAnySlot,
  openSlot,
  renewBinding,
  rewrapRoot,
} from './slots.js'
import { generateX25519 } from './x25519.js'

const root = Buffer.alloc(32, 0x11)
const nextRoot = Buffer.alloc(32, 0x22)
const vaultId = Buffer.alloc(16, 1)
const now = new Date('2026-03-01T09:30:00.123Z')
const options = { now, kdf: MIN_KDF_COST }
const passphrase: SlotSecret = { type: 'passphrase', passphrase: 'correct horse' }
const keyFile: SlotSecret = { type: 'key_file', key: Buffer.alloc(32, 0x33) }
const code = (name: string): unknown => expect.objectContaining({ code: name })

const passphraseSlot = await createSlot(root, vaultId, passphrase, options)
const keyFileSlot = await createSlot(root, vaultId, keyFile, { ...options, label: 'laptop' })

describe.each([
  ['passphrase', passphraseSlot, passphrase, { type: 'passphrase', passphrase: 'wrong' }, 'wrong_passphrase'],
  ['key_file', keyFileSlot, keyFile, { type: 'key_file', key: Buffer.alloc(32, 0x34) }, 'wrong_key_file'],
] as const)('a %s slot', (_name, slot, secret, wrongSecret, wrongCode) => {
  test('opens to the root key with its secret, and with no other', async () => {
    expect(await openSlot(slot, vaultId, secret)).toEqual(root)
    await expect(openSlot(slot, vaultId, wrongSecret)).rejects.toThrow(code(wrongCode))
  })

  test('belongs to its vault', async () => {
    await expect(openSlot(slot, Buffer.alloc(16, 2), secret)).rejects.toThrow(code(wrongCode))
  })

  test('cannot take another id, type or parameter', async () => {
    const changed: Slot[] = [
      { ...slot, id: '0000000000000000' },
      { ...slot, params: { ...slot.params, extra: 1 } },
    ]
    for (const other of changed) {
      await expect(openSlot(other, vaultId, secret)).rejects.toThrow(code(wrongCode))
    }
  })

  test('a new root key needs no secret: the old one opens it', async () => {
    const rewrapped = rewrapRoot(slot, vaultId, root, nextRoot)
    expect(await openSlot(rewrapped, vaultId, secret)).toEqual(nextRoot)
    const again = rewrapRoot(rewrapped, vaultId, nextRoot, root)
    expect(await openSlot(again, vaultId, secret)).toEqual(root)
    expect(rewrapped).toMatchObject({ id: slot.id, publicKey: slot.publicKey, sealedKeys: slot.sealedKeys })
  })

  test('is not rewrapped by whoever does not hold the old root key', () => {
    expect(() => rewrapRoot(slot, vaultId, nextRoot, nextRoot)).toThrow(code('vault_corrupt'))
  })

  test('its own parts, damaged, are damage and not a wrong secret', async () => {
    const flip = (bytes: Buffer, index: number): Buffer => {
      const changed = Buffer.from(bytes)
      changed[index] = (changed[index] ?? 0) ^ 1
      return changed
    }
    const damaged: Slot[] = [
      { ...slot, publicKey: flip(slot.publicKey, 3) },
      { ...slot, publicKey: generateX25519().publicKey },
      { ...slot, wrappedRoot: flip(slot.wrappedRoot, 0) },
      { ...slot, wrappedRoot: flip(slot.wrappedRoot, 32) },
      { ...slot, wrappedRoot: flip(slot.wrappedRoot, 100) },
      { ...slot, wrappedRoot: Buffer.concat([Buffer.alloc(32), slot.wrappedRoot.subarray(32)]) },
      { ...slot, wrappedRoot: slot.wrappedRoot.subarray(0, 32) },
    ]
    for (const other of damaged) {
      await expect(openSlot(other, vaultId, secret)).rejects.toThrow(code('vault_corrupt'))
    }
    const shut: Slot[] = [
      { ...slot, sealedKeys: flip(slot.sealedKeys, 40) },
      { ...slot, sealedKeys: slot.sealedKeys.subarray(0, 20) },
    ]
    for (const other of shut) await expect(openSlot(other, vaultId, secret)).rejects.toThrow(code(wrongCode))
  })

  /*
   * The public key is in the open, and so is the way a root key is wrapped to it. Here the attacker puts a
   * root key of his own behind the slot, with everything he can know: identity, parameters, public key.
   */
  test('a root key planted by someone who can write the file does not open', async () => {
    const planted = Buffer.alloc(32, 0x66)
    const context = slotContext(slot, vaultId)
    const sealKey = deriveKey(planted, 'slot binding', vaultId)
    const sealedBinding = sealBox(sealKey, lengthPrefixed(context, 'binding'), Buffer.alloc(32, 0x67))
    const forged = rewrapRoot({ ...slot, sealedBinding }, vaultId, planted, planted)
    await expect(openSlot(forged, vaultId, secret)).rejects.toThrow(code('vault_corrupt'))
  })
})

describe('passphrases', () => {
  test('composed and decomposed letters are the same passphrase, as the slot records', async () => {
    const text = 'pa\u00dfwort \u00e9\u{1f511}'
    const forms = [text, text.normalize('NFD'), Buffer.from(text), Buffer.from(text.normalize('NFD'))]
    for (const made of forms) {
      const slot = await createSlot(root, vaultId, { type: 'passphrase', passphrase: made }, options)
      expect(slot.params).toMatchObject({ normalization: 'nfc' })
      for (const typed of forms) {
        expect(await openSlot(slot, vaultId, { type: 'passphrase', passphrase: typed })).toEqual(root)
      }
    }
  })

  test('a slot that records no form takes passphrases as typed', async () => {
    const bytes = Buffer.from([0xff, 0x65, 0xcc, 0x81])
    const slot = await createSlot(root, vaultId, { type: 'passphrase', passphrase: bytes }, options)
    expect(slot.params).not.toHaveProperty('normalization')
    expect(await openSlot(slot, vaultId, { type: 'passphrase', passphrase: bytes })).toEqual(root)
  })

  test('a form that is not known is damage', async () => {
    const slot = { ...passphraseSlot, params: { ...passphraseSlot.params, normalization: 'nfkc' } }
    await expect(openSlot(slot, vaultId, passphrase)).rejects.toThrow(code('vault_corrupt'))
  })

  test('no space is trimmed, no case folded', async () => {
    for (const other of ['correct horse ', ' correct horse', 'Correct horse', '']) {
      const secret = { type: 'passphrase', passphrase: other } as const
      await expect(openSlot(passphraseSlot, vaultId, secret)).rejects.toThrow(code('wrong_passphrase'))
    }
  })

  test('an empty one makes no slot', async () => {
    for (const empty of ['', new Uint8Array(0)]) {
      const made = createSlot(root, vaultId, { type: 'passphrase', passphrase: empty }, options)
      await expect(made).rejects.toThrow(code('invalid_value'))
    }
  })

  test('a cost outside the limits makes no slot', async () => {
    const kdf = { memoryKib: 1024, passes: 1, lanes: 1 }
    await expect(createSlot(root, vaultId, passphrase, { now, kdf })).rejects.toThrow(code('invalid_value'))
  })

  test('the default cost is 64 MiB, 3 passes, 4 lanes, and stands in the slot', async () => {
    const slot = await createSlot(root, vaultId, passphrase, { now })
    expect(slot.params).toMatchObject({ kdf: 'argon2id', memory_kib: 65_536, passes: 3, lanes: 4 })
    expect(await openSlot(slot, vaultId, passphrase)).toEqual(root)
  })

  test.each([
    ['4 GiB', { memory_kib: 4_194_304 }],
    ['no pass', { passes: 0 }],
    ['no lane', { lanes: 0 }],
    ['a thousand lanes', { lanes: 1000 }],
    ['a text for a number', { passes: '3' }],
    ['a short salt', { salt: 'AAAA' }],
    ['no salt', { salt: 5 }],
    ['another derivation', { kdf: 'md5' }],
  ])('a hostile header is damage, found before the derivation runs: %s', async (_name, change) => {
    const slot = { ...passphraseSlot, params: { ...passphraseSlot.params, ...change } }
    await expect(openSlot(slot, vaultId, passphrase)).rejects.toThrow(code('vault_corrupt'))
  })

  test('parameters within the limits, but others, give another key', async () => {
    const slot = { ...passphraseSlot, params: { ...passphraseSlot.params, passes: 3 } }
    await expect(openSlot(slot, vaultId, passphrase)).rejects.toThrow(code('wrong_passphrase'))
  })
})

describe('key files', () => {
  test('32 bytes, no more, no fewer', async () => {
    for (const length of [0, 31, 33]) {
      const secret = { type: 'key_file', key: Buffer.alloc(length) } as const
      await expect(createSlot(root, vaultId, secret, options)).rejects.toThrow(code('invalid_value'))
      await expect(openSlot(keyFileSlot, vaultId, secret)).rejects.toThrow(code('wrong_key_file'))
    }
  })
})

describe('createSlot', () => {
  test('says what it is, with a new identity each time', async () => {
    expect(keyFileSlot).toMatchObject({ type: 'key_file', label: 'laptop', createdAt: now, params: {} })
    expect(passphraseSlot).not.toHaveProperty('label')
    const twin = await createSlot(root, vaultId, keyFile, options)
    expect(twin.id).toMatch(/^[0-9a-f]{16}$/)
    expect(twin.id).not.toBe(keyFileSlot.id)
    expect(twin.publicKey).not.toEqual(keyFileSlot.publicKey)
  })

  test('puts nothing but a root key of 32 bytes behind a slot', async () => {
    const short = Buffer.alloc(16)
    await expect(createSlot(short, vaultId, keyFile, options)).rejects.toThrow(code('internal_error'))
    expect(() => rewrapRoot(keyFileSlot, vaultId, root, short)).toThrow(code('internal_error'))
  })

  test("leaves the caller's keys alone", async () => {
    const mine = Buffer.from(root)
    const key = Buffer.alloc(32, 0x33)
    await createSlot(mine, vaultId, { type: 'key_file', key }, options)
    expect([mine, key]).toEqual([root, Buffer.alloc(32, 0x33)])
  })

  test.each(['', 'x'.repeat(65), 'a\nb', 'a\u202eb', 'a\u0000b', '\ud800'])(
    'refuses the label %j',
    async (label) => {
      const made = createSlot(root, vaultId, keyFile, { ...options, label })
      await expect(made).rejects.toThrow(code('invalid_value'))
    },
  )
})

describe('an open slot', () => {
  test('follows a new root key without its secret', async () => {
    const opened = await openAnySlot([passphraseSlot], vaultId, passphrase)
    const next = rewrapRoot(opened.slot, vaultId, root, nextRoot)
    expect(followSlot(next, vaultId, opened.keys)).toEqual(nextRoot)
    expect(bindingOf(next, vaultId, nextRoot)).toEqual(opened.keys.binding)
    expect(bindingOf(next, vaultId, root)).toBeUndefined()
  })

  test('gets a binding key that a former member does not know', async () => {
    const before = await openAnySlot([passphraseSlot], vaultId, passphrase)
    const stale = rewrapRoot(before.slot, vaultId, root, nextRoot, { stale: true })
    expect(stale.staleBinding).toBe(true)
    const opened = await openAnySlot([stale], vaultId, passphrase)
    const { slot, keys } = renewBinding(opened, vaultId)
    expect(slot).not.toHaveProperty('staleBinding')
    expect(keys.binding).not.toEqual(opened.keys.binding)
    expect(keys.privateKey).toEqual(opened.keys.privateKey)
    expect(await openSlot(slot, vaultId, passphrase)).toEqual(nextRoot)
    // What he knows wraps nothing that opens: neither the slot as it was, nor what he wraps with the old root.
    const forged = rewrapRoot(before.slot, vaultId, root, Buffer.alloc(32, 0x66))
    expect(followSlot(forged, vaultId, keys)).toBeUndefined()
    const planted = { ...slot, wrappedRoot: forged.wrappedRoot, sealedBinding: forged.sealedBinding }
    await expect(openSlot(planted, vaultId, passphrase)).rejects.toThrow(code('vault_corrupt'))
  })
})

describe('openAnySlot', () => {
  test('finds the slot that the secret opens', async () => {
    const other = await createSlot(root, vaultId, { type: 'passphrase', passphrase: 'other' }, options)
    const slots = [other, keyFileSlot, passphraseSlot]
    expect(await openAnySlot(slots, vaultId, passphrase)).toMatchObject({
      slot: passphraseSlot,
      rootKey: root,
    })
    expect(await openAnySlot(slots, vaultId, keyFile)).toMatchObject({ slot: keyFileSlot, rootKey: root })
  })

  test('tells no slot, a wrong secret and a damaged slot apart', async () => {
    const damaged = { ...passphraseSlot, publicKey: generateX25519().publicKey }
    const other = await createSlot(root, vaultId, { type: 'passphrase', passphrase: 'other' }, options)
    const wrong = { type: 'passphrase', passphrase: 'neither' } as const
    await expect(openAnySlot([keyFileSlot], vaultId, passphrase)).rejects.toThrow(code('slot_not_found'))
    await expect(openAnySlot([other, passphraseSlot], vaultId, wrong)).rejects.toThrow(
      code('wrong_passphrase'),
    )
    for (const slots of [
      [damaged, other],
      [other, damaged],
    ]) {
      await expect(openAnySlot(slots, vaultId, passphrase)).rejects.toThrow(code('vault_corrupt'))
    }
  })

  test('a slot of a type from the future is passed over, and still rewrapped', async () => {
    const future = { ...keyFileSlot, type: 'tpm' }
    expect((await openAnySlot([future, keyFileSlot], vaultId, keyFile)).slot).toBe(keyFileSlot)
    await expect(openSlot(future, vaultId, keyFile)).rejects.toThrow(code('wrong_key_file'))
    const context = slotContext(future, vaultId)
    const sealKey = deriveKey(root, 'slot binding', vaultId)
    const sealedBinding = sealBox(sealKey, lengthPrefixed(context, 'binding'), Buffer.alloc(32, 1))
    const rewrapped = rewrapRoot({ ...future, sealedBinding }, vaultId, root, nextRoot)
    expect(rewrapped.wrappedRoot).not.toEqual(future.wrappedRoot)
  })
})
