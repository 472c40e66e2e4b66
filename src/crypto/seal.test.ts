import { createCipheriv, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { testKeyring } from '../../test/support/keyring.js'
import { isKeymuxError } from '../domain/errors.js'
import type { Keyring } from './keyring.js'
import { type OpenedRow, openRow, openWholeRow, readRow, sealRow } from './seal.js'

const vaultId = Buffer.alloc(16, 1)
const keyring = testKeyring(2, 1, [1, 3])
const id = Buffer.alloc(16, 0xaa)
const address = { table: 'profile', id, revision: 7 }
const meta = Buffer.from('{"id":"openai:work"}')
const secret = Buffer.from('sk-test-0123456789')
const corrupt = expect.objectContaining({ code: 'vault_corrupt' })
const locked = expect.objectContaining({ code: 'vault_locked' })

function flipped(body: Buffer, bit: number): Buffer {
  const changed = Buffer.from(body)
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return changed
}

function open(body: Uint8Array, ring: Keyring = keyring): OpenedRow {
  return openRow(ring, address.table, id, body)
}

describe('a sealed row', () => {
  test('opens to what was sealed', () => {
    const bytes = fc.uint8Array({ maxLength: 1500 })
    fc.assert(
      fc.property(
        bytes,
        fc.option(bytes, { nil: undefined }),
        fc.string(),
        fc.uint8Array({ maxLength: 32 }),
        fc.maxSafeNat(),
        (data, key, table, rowId, revision) => {
          const content = key === undefined ? { meta: data } : { meta: data, secret: key }
          const { body, mark } = sealRow(keyring, { table, id: rowId, revision }, content)
          const row = openRow(keyring, table, rowId, new Uint8Array(body))
          expect(row).toMatchObject({ revision, term: 3, mark, hasSecret: key !== undefined })
          expect(row.meta).toEqual(Buffer.from(data))
          expect(row.openSecret()).toEqual(key === undefined ? undefined : Buffer.from(key))
          expect(openWholeRow(keyring, table, rowId, new Uint8Array(body))).toEqual({
            mark,
            meta: Buffer.from(data),
            ...(key === undefined ? {} : { secret: Buffer.from(key) }),
          })
        },
      ),
    )
  })

  test('an empty secret is not the same as none', () => {
    const withEmpty = sealRow(keyring, address, { meta, secret: Buffer.alloc(0) }).body
    const without = sealRow(keyring, address, { meta }).body
    expect(open(withEmpty).openSecret()).toEqual(Buffer.alloc(0))
    expect(open(without).openSecret()).toBeUndefined()
    expect(withEmpty.length).toBe(without.length + 12 + 128 + 16)
  })

  test('1 MiB comes back, more than 16 MiB is refused', () => {
    const large = Buffer.alloc(1024 * 1024, 'x')
    const { body } = sealRow(keyring, address, { meta: large, secret: large })
    const row = open(body)
    expect(row.meta.equals(large)).toBe(true)
    expect(row.openSecret()?.equals(large)).toBe(true)
    const tooLarge = Buffer.alloc(16 * 1024 * 1024 + 1)
    const invalid = expect.objectContaining({ code: 'invalid_value' })
    expect(() => sealRow(keyring, address, { meta, secret: tooLarge })).toThrow(invalid)
  })

  test('shows nothing but term, revision and bucketed sizes', () => {
    const { body } = sealRow(keyring, address, { meta, secret })
    expect(body.subarray(0, 13).toString('hex')).toBe('02000000030000000000000007')
    for (const text of ['openai', 'work', 'sk-test', 'profile']) expect(body.includes(text)).toBe(false)
    const short = sealRow(keyring, address, { meta: Buffer.from('a'), secret: Buffer.from('b') }).body
    expect(short.length).toBe(body.length)
  })

  test('never uses salt, nonces or mark twice', () => {
    const rows = Array.from({ length: 200 }, () => sealRow(keyring, address, { meta, secret }))
    const secretNonceAt = 45 + 128 + 16
    const salts = new Set(rows.map(({ body }) => body.toString('hex', 13, 29)))
    const nonces = new Set(
      rows.flatMap(({ body }) => [
        body.toString('hex', 29, 41),
        body.toString('hex', secretNonceAt, secretNonceAt + 12),
      ]),
    )
    const marks = new Set(rows.map(({ mark }) => mark.toString('hex')))
    expect([salts.size, nonces.size, marks.size]).toEqual([200, 400, 200])
  })

  test("keeps its mark inside: no body contains it, and it is not the salt's", () => {
    const { body, mark } = sealRow(keyring, address, { meta })
    expect(body.includes(mark)).toBe(false)
  })

  test('leaves the plaintext of its caller alone and gives secrets that can be wiped', () => {
    const mine = Buffer.from(secret)
    const { body } = sealRow(keyring, address, { meta, secret: mine })
    expect(mine).toEqual(secret)
    const row = open(body)
    row.openSecret()?.fill(0)
    expect(row.openSecret()).toEqual(secret)
  })
})

describe('damage', () => {
  test('anywhere in a row keeps it from being opened as a whole', () => {
    for (const content of [{ meta }, { meta, secret }]) {
      const { body } = sealRow(keyring, address, content)
      const whole = (bytes: Uint8Array) => openWholeRow(keyring, address.table, id, bytes)
      for (let bit = 0; bit < 8 * body.length; bit++) expect(whole(flipped(body, bit))).toBeUndefined()
      for (let length = 0; length < body.length; length++) {
        expect(whole(body.subarray(0, length))).toBeUndefined()
      }
      expect(whole(Buffer.concat([body, Buffer.alloc(1)]))).toBeUndefined()
    }
  })

  const { body, mark } = sealRow(keyring, address, { meta, secret })
  const secretAt = 45 + 128 + 16

  test('every flipped bit: the metadata stays shut, or is right and the secret stays shut', () => {
    for (let bit = 0; bit < body.length * 8; bit++) {
      const changed = flipped(body, bit)
      if (bit >> 3 < secretAt) {
        expect(() => open(changed)).toThrow(corrupt)
        continue
      }
      const row = open(changed)
      expect([row.meta, row.mark, row.revision]).toEqual([meta, mark, 7])
      expect(() => row.openSecret()).toThrow(corrupt)
    }
  })

  test('every truncation, the loss of the whole secret included', () => {
    for (let length = 0; length < body.length; length++) {
      expect(() => open(body.subarray(0, length))).toThrow(corrupt)
    }
  })

  test('anything appended, also to a row without a secret', () => {
    const bare = sealRow(keyring, address, { meta }).body
    for (const extra of [1, 12, 16, 28, 156]) {
      expect(() => open(Buffer.concat([body, Buffer.alloc(extra)]))).toThrow(corrupt)
      expect(() => open(Buffer.concat([bare, Buffer.alloc(extra)]))).toThrow(corrupt)
    }
  })

  test('a secret whose tag is cut to 4 bytes', () => {
    expect(() => open(body.subarray(0, body.length - 12))).toThrow(corrupt)
    const shortMeta = Buffer.concat([body.subarray(0, secretAt - 12), body.subarray(secretAt)])
    shortMeta.writeUInt32BE(128 + 4, 41)
    expect(() => open(shortMeta)).toThrow(corrupt)
  })

  test('a length of the metadata that points anywhere', () => {
    for (const length of [0, 1, 15, 16, 143, 145, body.length - 45, body.length, 0x7fff_ffff, 0xffff_ffff]) {
      const changed = Buffer.from(body)
      changed.writeUInt32BE(length, 41)
      expect(() => open(changed)).toThrow(corrupt)
    }
  })

  test('a revision or term made up', () => {
    for (const revision of ['0000000000000008', '0020000000000000', 'ffffffffffffffff']) {
      const changed = Buffer.from(body)
      changed.write(revision, 5, 'hex')
      expect(() => open(changed)).toThrow(corrupt)
    }
    for (const term of [0, 1, 2, 4, 0xffff_ffff]) {
      const changed = Buffer.from(body)
      changed.writeUInt32BE(term, 1)
      expect(() => open(changed)).toThrow(corrupt)
    }
  })

  test('a row put in the place of another', () => {
    expect(() => openRow(keyring, 'secret', id, body)).toThrow(corrupt)
    expect(() => openRow(keyring, 'profile', Buffer.alloc(16, 0xab), body)).toThrow(corrupt)
    expect(() => openRow(keyring, 'profil', Buffer.concat([Buffer.from('e'), id]), body)).toThrow(corrupt)
    expect(() => openRow(keyring, '', id, body)).toThrow(corrupt)
  })

  test("a row of another vault, or under another vault's id", () => {
    expect(() => open(body, testKeyring(9, 1, [1, 3]))).toThrow(corrupt)
    expect(() => open(body, testKeyring(2, 9, [1, 3]))).toThrow(corrupt)
  })

  test('the secret of one revision behind the metadata of another', () => {
    const other = sealRow(keyring, { ...address, revision: 8 }, { meta, secret: Buffer.from('sk-old') }).body
    const again = sealRow(keyring, address, { meta, secret: Buffer.from('sk-older') }).body
    for (const donor of [other, again]) {
      const row = open(Buffer.concat([body.subarray(0, secretAt), donor.subarray(secretAt)]))
      expect(() => row.openSecret()).toThrow(corrupt)
    }
  })

  test('metadata and secret do not stand in for each other', () => {
    const twin = sealRow(keyring, address, { meta, secret: Buffer.alloc(100) }).body
    const swapped = Buffer.from(twin)
    twin.copy(swapped, 29, secretAt, secretAt + 12)
    twin.copy(swapped, 45, secretAt + 12)
    expect(() => open(swapped)).toThrow(corrupt)
    const doubled = Buffer.from(twin)
    twin.copy(doubled, secretAt, 29, 41)
    twin.copy(doubled, secretAt + 12, 45, secretAt)
    expect(() => open(doubled).openSecret()).toThrow(corrupt)
  })

  test('random bytes, alone or behind a right beginning, give vault_corrupt and nothing else', () => {
    const attempt = (bytes: Uint8Array): void => {
      fc.pre(!body.equals(bytes))
      try {
        const row = open(bytes)
        expect(row.meta).toEqual(meta)
        row.openSecret()
        expect.unreachable('random bytes opened')
      } catch (error) {
        expect(isKeymuxError(error, 'vault_corrupt')).toBe(true)
      }
    }
    const bytes = fc.uint8Array({ maxLength: 800 })
    fc.assert(fc.property(bytes, attempt))
    fc.assert(
      fc.property(bytes, fc.nat(body.length - 1), (tail, keep) =>
        attempt(Buffer.concat([body.subarray(0, keep), tail])),
      ),
      { examples: [[new Uint8Array(5), body.length - 5]] },
    )
  })
})

describe('the layout', () => {
  /** A row written by hand from the description, so that a change of the format cannot go unnoticed. */
  function byHand(format: number): Buffer {
    const length = (bytes: number): Buffer => Buffer.from(bytes.toString(16).padStart(8, '0'), 'hex')
    const [salt, metaNonce, secretNonce] = [Buffer.alloc(16, 4), Buffer.alloc(12, 5), Buffer.alloc(12, 6)]
    const start = Buffer.from([format, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 7])
    const head = Buffer.concat([start, salt, metaNonce, length(128 + 16)])
    const info = [Buffer.from('keymux/2 row'), start, salt, id, Buffer.from('profile'), Buffer.from([1])]
    const key = createHmac('sha512', keyring.keyset.data).update(Buffer.concat(info)).digest().subarray(0, 32)
    const part = (name: string, nonce: Buffer, ...plaintext: Buffer[]): Buffer => {
      const place = [vaultId, id, Buffer.from('profile')].flatMap((bytes) => [length(bytes.length), bytes])
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      cipher.setAAD(Buffer.concat([head, length(12 + 128 + 16), Buffer.from(name), ...place]))
      const padded = Buffer.concat([...plaintext, Buffer.alloc(128)]).subarray(0, 128)
      return Buffer.concat([cipher.update(padded), cipher.final(), cipher.getAuthTag()])
    }
    return Buffer.concat([
      head,
      part('m', metaNonce, length(meta.length), meta),
      secretNonce,
      part('s', secretNonce, length(secret.length), secret),
    ])
  }

  test('is as described', () => {
    const row = open(byHand(2))
    expect(row).toMatchObject({ revision: 7, term: 3, meta })
    expect(row.openSecret()).toEqual(secret)
  })

  test('of another format is not guessed at', () => {
    for (const format of [0, 1, 3]) expect(() => open(byHand(format))).toThrow(corrupt)
  })
})

describe('terms', () => {
  test('a row of a former term opens no more', () => {
    const before = sealRow(testKeyring(2, 1, [1]), address, { meta, secret }).body
    expect(() => open(before)).toThrow(corrupt)
    expect(open(sealRow(keyring, address, { meta }).body).term).toBe(3)
  })
})

describe('the mark', () => {
  test('follows from the head alone: damage behind it leaves it', () => {
    const { body, mark } = sealRow(keyring, address, { meta, secret })
    expect(readRow(keyring, address.table, id, body).mark).toEqual(mark)
    for (let bit = 29 * 8; bit < body.length * 8; bit += 3) {
      expect(readRow(keyring, address.table, id, flipped(body, bit)).mark).toEqual(mark)
    }
    for (let length = 29; length < body.length; length++) {
      expect(readRow(keyring, address.table, id, body.subarray(0, length)).mark).toEqual(mark)
    }
  })

  test('is another one, or none, for each other head, table and id', () => {
    const { body, mark } = sealRow(keyring, address, { meta })
    for (let bit = 0; bit < 29 * 8; bit++) {
      expect(readRow(keyring, address.table, id, flipped(body, bit)).mark).not.toEqual(mark)
    }
    for (let length = 0; length < 29; length++) {
      expect(readRow(keyring, address.table, id, body.subarray(0, length)).mark).toBeUndefined()
    }
    expect(readRow(keyring, 'secret', id, body).mark).not.toEqual(mark)
    expect(readRow(keyring, address.table, Buffer.alloc(16, 0xab), body).mark).not.toEqual(mark)
    expect(readRow(testKeyring(2, 1, [1, 4]), address.table, id, body).mark).toBeUndefined()
  })
})

describe('a locked keyring', () => {
  test('neither seals nor opens, nor opens the secret of a row opened before', () => {
    const ring = testKeyring(2, 1, [1, 3])
    const { body } = sealRow(ring, address, { meta, secret })
    const row = open(body, ring)
    ring.wipe()
    expect(() => row.openSecret()).toThrow(locked)
    expect(() => open(body, ring)).toThrow(locked)
    expect(() => sealRow(ring, address, { meta })).toThrow(locked)
  })
})

test('rows opened in between do not disturb a secret that is opened later', () => {
  const rows = Array.from({ length: 20 }, (_, index) => {
    const place = { table: `t${index % 3}`, id: Buffer.alloc(16, index), revision: index }
    const text = Buffer.from(`secret ${index}`)
    return { place, text, body: sealRow(keyring, place, { meta, secret: text }).body }
  })
  const opened = rows.map(({ place, body }) => openRow(keyring, place.table, place.id, body))
  expect(opened.toReversed().map((row) => row.openSecret()?.toString())).toEqual(
    rows.toReversed().map(({ text }) => text.toString()),
  )
})

test('an address that is too long is refused, not cut', () => {
  const place = { ...address, table: 'x'.repeat(400) }
  expect(() => sealRow(keyring, place, { meta })).toThrow(expect.objectContaining({ code: 'internal_error' }))
})
