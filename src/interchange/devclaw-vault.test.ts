import { createCipheriv, createDecipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hashRaw } from '@node-rs/argon2'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { KeymuxError } from '../domain/errors.js'
import { ProfileStore } from '../domain/profile-store.js'
import { DEVCLAW_STORE_ENTRY, openDevclawVault, writeDevclawVault } from './devclaw-vault.js'

// Written by DevClaw itself.
const SAMPLE = readFileSync(
  new URL('../../test/vectors/devclaw/sample.devclaw.vault', import.meta.url),
  'utf8',
)
const SAMPLE_STORE = readFileSync(
  new URL('../../test/vectors/devclaw/sample.store.json', import.meta.url),
  'utf8',
)
const PASSPHRASE = 'correct horse battery staple'

interface File {
  version: unknown
  salt: string
  entries: Record<string, { nonce: string; ciphertext: string }>
}

/** The sample with a change made to it. */
function changed(change: (file: File) => void): string {
  const file: File = JSON.parse(SAMPLE)
  change(file)
  return JSON.stringify(file)
}

function flipped(base64: string): string {
  const bytes = Buffer.from(base64, 'base64')
  bytes[0] = (bytes[0] ?? 0) ^ 1
  return bytes.toString('base64')
}

function entryOf(file: File, name: string): { nonce: string; ciphertext: string } {
  const entry = file.entries[name]
  if (entry === undefined) throw new Error(`no entry ${name}`)
  return entry
}

/** The derivation and the cipher as DevClaw's source describes them, apart from the code under test. */
async function independentKey(passphrase: string, file: File): Promise<Buffer> {
  return hashRaw(Buffer.from(passphrase, 'utf8'), {
    algorithm: 2,
    version: 1,
    memoryCost: 65_536,
    timeCost: 3,
    parallelism: 4,
    outputLen: 32,
    salt: Buffer.from(file.salt, 'base64'),
  })
}

describe('openDevclawVault', () => {
  it('reads the vault that DevClaw wrote', async () => {
    const { entries, failed } = await openDevclawVault(SAMPLE, PASSPHRASE)
    expect(failed).toEqual([])
    expect([...entries.keys()]).toEqual([
      'GROQ_API_KEY',
      'OPENAI_API_KEY',
      DEVCLAW_STORE_ENTRY,
      'unicode ключ 🔑',
    ])
    expect(entries.get('GROQ_API_KEY')).toBe('gsk_shared_vault_groq')
    expect(entries.get('OPENAI_API_KEY')).toBe('sk-shared-vault-openai-0123456789abcdef')
    expect(entries.get('unicode ключ 🔑')).toBe('välue-shared-✓')
    const store = ProfileStore.fromJSON(entries.get(DEVCLAW_STORE_ENTRY))
    expect(store.toJSON()).toEqual(ProfileStore.fromJSON(SAMPLE_STORE).toJSON())
    expect(store.list()).toHaveLength(6)
  })

  it('takes bytes, a passphrase in bytes and a byte order mark', async () => {
    const contents = Buffer.from(`\ufeff${SAMPLE}`)
    const passphrase = Buffer.from(PASSPHRASE)
    expect((await openDevclawVault(contents, passphrase)).entries.size).toBe(4)
    expect(passphrase.toString()).toBe(PASSPHRASE)
  })

  it.each(['', 'Correct horse battery staple', 'correct horse battery staple ', `${PASSPHRASE}\0`])(
    'imports nothing with the wrong passphrase %j',
    async (passphrase) => {
      await expect(openDevclawVault(SAMPLE, passphrase)).rejects.toMatchObject({
        code: 'wrong_passphrase',
        exitCode: 3,
      })
    },
  )

  it('reports a damaged entry and keeps the others', async () => {
    const text = changed((file) => {
      const entry = entryOf(file, 'OPENAI_API_KEY')
      entry.ciphertext = flipped(entry.ciphertext)
      const other = entryOf(file, 'GROQ_API_KEY')
      other.nonce = flipped(other.nonce)
    })
    const { entries, failed } = await openDevclawVault(text, PASSPHRASE)
    const reason = 'it does not open: it is damaged, or sealed with another passphrase'
    expect([...entries.keys()]).toEqual([DEVCLAW_STORE_ENTRY, 'unicode ключ 🔑'])
    expect(failed).toEqual([
      { name: 'GROQ_API_KEY', reason },
      { name: 'OPENAI_API_KEY', reason },
    ])
  })

  it('cannot tell that two entries were swapped, and takes them as they are', async () => {
    // DevClaw seals without additional data.
    const text = changed((file) => {
      const [one, two] = [entryOf(file, 'GROQ_API_KEY'), entryOf(file, 'OPENAI_API_KEY')]
      file.entries.GROQ_API_KEY = two
      file.entries.OPENAI_API_KEY = one
    })
    const { entries } = await openDevclawVault(text, PASSPHRASE)
    expect(entries.get('OPENAI_API_KEY')).toBe('gsk_shared_vault_groq')
  })

  it('without the check entry judges every entry for itself', async () => {
    const text = changed((file) => {
      delete file.entries.__verify__
      const entry = entryOf(file, 'OPENAI_API_KEY')
      entry.ciphertext = flipped(entry.ciphertext)
    })
    const { entries, failed } = await openDevclawVault(text, PASSPHRASE)
    expect(entries.size).toBe(3)
    expect(failed.map(({ name }) => name)).toEqual(['OPENAI_API_KEY'])
    await expect(openDevclawVault(text, 'another')).rejects.toMatchObject({ code: 'wrong_passphrase' })
    const empty = changed((file) => {
      file.entries = {}
    })
    expect(await openDevclawVault(empty, 'any')).toEqual({ entries: new Map(), failed: [] })
  })

  it('takes a damaged check entry for a wrong passphrase', async () => {
    const text = changed((file) => {
      const entry = entryOf(file, '__verify__')
      entry.ciphertext = flipped(entry.ciphertext)
    })
    await expect(openDevclawVault(text, PASSPHRASE)).rejects.toMatchObject({ code: 'wrong_passphrase' })
  })

  it('reports values that are no text and refuses a check entry that says something else', async () => {
    const file: File = JSON.parse(SAMPLE)
    const key = await independentKey(PASSPHRASE, file)
    const seal = (value: Buffer): { nonce: string; ciphertext: string } => {
      const nonce = Buffer.alloc(12, 7)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      const sealed = Buffer.concat([cipher.update(value), cipher.final(), cipher.getAuthTag()])
      return { nonce: nonce.toString('base64'), ciphertext: sealed.toString('base64') }
    }
    file.entries = { binary: seal(Buffer.from([0xff])), empty: seal(Buffer.alloc(0)) }
    expect(await openDevclawVault(JSON.stringify(file), PASSPHRASE)).toEqual({
      entries: new Map([['empty', '']]),
      failed: [{ name: 'binary', reason: 'it holds bytes that are no text' }],
    })
    file.entries = { __verify__: seal(Buffer.from('something else')) }
    await expect(openDevclawVault(JSON.stringify(file), PASSPHRASE)).rejects.toMatchObject({
      code: 'invalid_import',
    })
  })

  it.each<[string, (file: File) => void, string]>([
    ['another version', (file) => (file.version = 2), 'version: expected 1'],
    ['no version', (file) => (file.version = undefined), 'version: expected a whole number of at least 0'],
    ['a version as text', (file) => (file.version = '1'), 'version: expected a whole number of at least 0'],
    ['no salt', (file) => Reflect.deleteProperty(file, 'salt'), 'salt: expected a text'],
    ['a short salt', (file) => (file.salt = 'AAAA'), 'salt: expected 8 to 64 bytes'],
    ['a long salt', (file) => (file.salt = 'AAAA'.repeat(30)), 'salt: expected 8 to 64 bytes'],
    ['base64url', (file) => (file.salt = file.salt.replaceAll('+', '-')), 'salt: expected base64'],
    ['no padding', (file) => (file.salt = file.salt.replaceAll('=', '')), 'salt: expected base64'],
    ['no entries', (file) => Reflect.deleteProperty(file, 'entries'), 'entries: expected an object'],
    [
      'a short nonce',
      (file) => (entryOf(file, 'GROQ_API_KEY').nonce = 'AAAA'),
      'entries["GROQ_API_KEY"].nonce: expected 12 bytes',
    ],
    [
      'no room for a tag',
      (file) => (entryOf(file, 'GROQ_API_KEY').ciphertext = 'AAAA'),
      'entries["GROQ_API_KEY"].ciphertext: expected at least 16 bytes',
    ],
    [
      'stray bits',
      (file) => (entryOf(file, 'GROQ_API_KEY').nonce = 'AAAAAAAAAAAAAAAB='),
      'entries["GROQ_API_KEY"].nonce: expected base64',
    ],
    [
      'an entry that is a text',
      (file) => Object.assign(file.entries, { x: 'y' }),
      'entries["x"]: expected an object',
    ],
  ])('names the field that is wrong: %s', async (_what, change, message) => {
    await expect(openDevclawVault(changed(change), PASSPHRASE)).rejects.toMatchObject({
      code: 'invalid_import',
      message,
    })
  })

  it('refuses files above the limits before it derives a key', async () => {
    await expect(openDevclawVault(Buffer.alloc(64 * 1024 * 1024 + 1, 0x20), 'x')).rejects.toMatchObject({
      message: 'the file is larger than 64 MiB',
    })
    const entry = { nonce: 'A'.repeat(16), ciphertext: `${'A'.repeat(22)}==` }
    const entries = Object.fromEntries(Array.from({ length: 100_001 }, (_, index) => [`e${index}`, entry]))
    const many = JSON.stringify({ version: 1, salt: 'AAAAAAAAAAAAAAAAAAAAAA==', entries })
    await expect(openDevclawVault(many, 'x')).rejects.toMatchObject({
      message: 'entries: expected at most 100000 entries',
    })
  })

  it('refuses anything else with a typed error, and never quotes it', async () => {
    const marker = 'sk-marker-0123456789'
    const shape = fc.record(
      {
        version: fc.oneof(fc.constant(1), fc.jsonValue()),
        salt: fc.oneof(fc.constant(marker), fc.jsonValue()),
        entries: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue()),
      },
      { requiredKeys: [] },
    )
    const contents = fc.oneof(
      shape.map((value) => JSON.stringify(value)),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.string({ unit: 'binary' }),
      fc.uint8Array(),
      fc.constant('{"version":1,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","entries":{"__proto__":{}}}'),
    )
    await fc.assert(
      fc.asyncProperty(contents, async (text) => {
        // Nothing random is so well-formed that a key would be derived; an empty vault alone would open.
        const result = await openDevclawVault(text, 'x').catch((error: unknown) => error)
        expect(result).toBeInstanceOf(KeymuxError)
        expect(String(result)).not.toContain(marker)
      }),
      { numRuns: 300 },
    )
  })
})

describe('openDevclawVault under load', () => {
  it('survives depth and size', async () => {
    const deep = `${'{"entries":'.repeat(500_000)}1${'}'.repeat(500_000)}`
    for (const text of ['['.repeat(5_000_000), deep, `{"salt":"${'A'.repeat(10_000_000)}","version":1}`]) {
      await expect(openDevclawVault(text, 'x')).rejects.toThrow(KeymuxError)
    }
  })
})

describe('writeDevclawVault', () => {
  let written: string
  const secrets = new Map([
    ['unicode ключ 🔑', 'välue ✓'],
    ['10', 'ten'],
    ['9', 'nine'],
    ['empty', ''],
    ['\ue000', 'after letters'],
    ['😀', 'last: beyond U+FFFF'],
    [DEVCLAW_STORE_ENTRY, SAMPLE_STORE],
    ['constructor', '</script>&"\\\n'],
  ])

  beforeAll(async () => {
    written = await writeDevclawVault(secrets, PASSPHRASE)
  })

  it('writes what an independent reader opens', async () => {
    const file: File = JSON.parse(written)
    expect(file.version).toBe(1)
    expect(Buffer.from(file.salt, 'base64')).toHaveLength(16)
    const key = await independentKey(PASSPHRASE, file)
    const opened = Object.entries(file.entries).map(([name, { nonce, ciphertext }]) => {
      const sealed = Buffer.from(ciphertext, 'base64')
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64'))
      decipher.setAuthTag(sealed.subarray(-16))
      return [name, decipher.update(sealed.subarray(0, -16), undefined, 'utf8') + decipher.final('utf8')]
    })
    expect(Object.fromEntries(opened)).toEqual({
      ...Object.fromEntries(secrets),
      __verify__: 'devclaw-vault-ok',
    })
  })

  it('lays the file out as DevClaw does', () => {
    const layout = (text: string): string =>
      text.replace(/: "[^"]*"/g, ': "…"').replace(/^ {4}".*": \{$/gm, '    "…": {')
    expect(layout(written)).toMatch(/^\{\n {2}"version": 1,\n {2}"salt": "…",\n {2}"entries": \{\n/)
    const entry = '    "…": {\n      "nonce": "…",\n      "ciphertext": "…"\n    }'
    expect(layout(SAMPLE)).toContain(`${entry},\n${entry}`)
    expect(layout(written).split(entry)).toHaveLength(secrets.size + 2)
    expect(layout(written).slice(-10)).toBe(layout(SAMPLE).slice(-10))
    const names = [...written.matchAll(/^ {4}("(?:[^"\\]|\\.)*"): \{$/gm)].map(([, name]) =>
      JSON.parse(name ?? ''),
    )
    expect(names).toEqual([
      '10',
      '9',
      '__verify__',
      DEVCLAW_STORE_ENTRY,
      'constructor',
      'empty',
      'unicode ключ 🔑',
      '\ue000',
      '😀',
    ])
  })

  it('reads its own files back, and with no other passphrase', async () => {
    const { entries, failed } = await openDevclawVault(written, PASSPHRASE)
    expect(Object.fromEntries(entries)).toEqual(Object.fromEntries(secrets))
    expect(failed).toEqual([])
    await expect(openDevclawVault(written, 'x')).rejects.toMatchObject({ code: 'wrong_passphrase' })
  })

  it('never uses a nonce twice, nor a salt', async () => {
    const again = await writeDevclawVault(secrets, PASSPHRASE)
    const nonces = [...`${written}${again}`.matchAll(/"nonce": "([^"]+)"/g)].map(([, nonce]) => nonce)
    expect(new Set(nonces).size).toBe(2 * (secrets.size + 1))
    expect(JSON.parse(again).salt).not.toBe(JSON.parse(written).salt)
  })

  it('holds none of the secrets in the clear', () => {
    for (const value of ['välue', 'sk-shared-work', PASSPHRASE]) expect(written).not.toContain(value)
  })

  it.each([
    [new Map([['__verify__', 'x']]), PASSPHRASE],
    [new Map([['__proto__', 'x']]), PASSPHRASE],
    [new Map([['a', '\ud800']]), PASSPHRASE],
    [new Map([['\udc00', 'x']]), PASSPHRASE],
    [new Map([['a', 'x']]), ''],
  ])('refuses what DevClaw could not give back: %#', async (entries, passphrase) => {
    await expect(writeDevclawVault(entries, passphrase)).rejects.toMatchObject({ code: 'invalid_value' })
  })

  it('takes its randomness from where it is told', async () => {
    let next = 0
    const randomBytes = (size: number): Uint8Array => {
      next += 1
      return new Uint8Array(size).fill(next)
    }
    const file: File = JSON.parse(await writeDevclawVault(new Map([['a', 'b']]), 'p', { randomBytes }))
    expect(file.salt).toBe(Buffer.alloc(16, 1).toString('base64'))
    expect(Object.values(file.entries).map(({ nonce }) => nonce)).toEqual([
      Buffer.alloc(12, 2).toString('base64'),
      Buffer.alloc(12, 3).toString('base64'),
    ])
  })
})
