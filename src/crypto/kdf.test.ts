import { describe, expect, test } from 'vitest'
import {
  DEFAULT_KDF_COST,
  derivePassphraseKey,
  isKdfCostAllowed,
  type KdfCost,
  MAX_KDF_COST,
  MIN_KDF_COST,
  requireKdfCost,
} from './kdf.js'

const salt = Buffer.alloc(16, 3)
const corrupt = expect.objectContaining({ code: 'vault_corrupt' })

describe('derivePassphraseKey', () => {
  // The reference implementation's test (phc-winner-argon2, src/test.c): Argon2id v19, t=2, m=2^16, p=1.
  test('a published vector', async () => {
    const params = { memoryKib: 65_536, passes: 2, lanes: 1, salt: Buffer.from('somesalt') }
    const key = await derivePassphraseKey('password', params)
    expect(key.toString('hex')).toBe('09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7')
  })

  test('a text is its UTF-8 bytes, not normalised', async () => {
    const params = { ...MIN_KDF_COST, salt }
    const composed = 'caf\u00e9 🔑'
    const decomposed = composed.normalize('NFD')
    const key = await derivePassphraseKey(composed, params)
    expect(await derivePassphraseKey(Buffer.from(composed), params)).toEqual(key)
    expect(await derivePassphraseKey(decomposed, params)).not.toEqual(key)
  })

  test('leaves the bytes of its caller alone', async () => {
    const passphrase = Buffer.from('a passphrase')
    const view = new Uint8Array(passphrase)
    await derivePassphraseKey(view, { ...MIN_KDF_COST, salt })
    expect(Buffer.from(view)).toEqual(passphrase)
  })

  test('a very long passphrase works', async () => {
    const key = await derivePassphraseKey('x'.repeat(1_000_000), { ...MIN_KDF_COST, salt })
    expect(key.length).toBe(32)
  })

  const hostile: [string, Partial<KdfCost>][] = [
    ['4 GiB', { memoryKib: 4 * 1024 * 1024 }],
    ['no memory', { memoryKib: 0 }],
    ['just under the floor', { memoryKib: MIN_KDF_COST.memoryKib - 1 }],
    ['no pass', { passes: 0 }],
    ['four billion passes', { passes: 0xffff_ffff }],
    ['no lane', { lanes: 0 }],
    ['17 lanes', { lanes: 17 }],
    ['half a pass', { passes: 2.5 }],
    ['not a number', { memoryKib: Number.NaN }],
    ['infinite', { memoryKib: Number.POSITIVE_INFINITY }],
    ['negative', { passes: -3 }],
  ]
  test.each(hostile)('hostile parameters are refused before anything runs: %s', async (_name, cost) => {
    await expect(derivePassphraseKey('x', { ...DEFAULT_KDF_COST, ...cost, salt })).rejects.toThrow(corrupt)
    expect(isKdfCostAllowed({ ...DEFAULT_KDF_COST, ...cost })).toBe(false)
  })

  test.each([0, 7, 65])('a salt of %i bytes is refused', async (length) => {
    const params = { ...MIN_KDF_COST, salt: Buffer.alloc(length) }
    await expect(derivePassphraseKey('x', params)).rejects.toThrow(corrupt)
  })
})

test('default, floor and ceiling are allowed; asking for more or less is a mistake of the caller', () => {
  for (const cost of [DEFAULT_KDF_COST, MIN_KDF_COST, MAX_KDF_COST]) expect(requireKdfCost(cost)).toBe(cost)
  const weak = { ...MIN_KDF_COST, passes: 1 }
  expect(() => requireKdfCost(weak)).toThrow(expect.objectContaining({ code: 'invalid_value' }))
})
