import {
  Decrypter,
  Encrypter,
  generateHybridIdentity,
  generateIdentity,
  identityToRecipient,
} from 'age-encryption'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeymuxError } from '../domain/errors.js'
import { isAgeFile, openAge, sealAge } from './age.js'

const PASSPHRASE = 'пароль correct horse 🔑'
const TEXT = '{"format":"keymux-export"} ключ\n'
const QUICK = { workFactor: 4 }

async function keyPair(): Promise<{ identity: string; recipient: string }> {
  const identity = await generateIdentity()
  return { identity, recipient: await identityToRecipient(identity) }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}

describe('sealAge and openAge', () => {
  it.each([true, false])('with a passphrase, armor %s', async (armor) => {
    const sealed = await sealAge(TEXT, { passphrase: PASSPHRASE }, { ...QUICK, armor })
    expect(text(sealed).startsWith(armor ? '-----BEGIN AGE' : 'age-encryption.org/v1\n-> scrypt ')).toBe(true)
    expect(isAgeFile(sealed)).toBe(true)
    expect(text(await openAge(sealed, { passphrase: PASSPHRASE }))).toBe(TEXT)
  })

  it('is armored unless told otherwise, and opens as text with blanks around it', async () => {
    const sealed = text(await sealAge(TEXT, { passphrase: PASSPHRASE }, QUICK))
    const windows = `\n  ${sealed.replaceAll('\n', '\r\n')}\n`
    expect(isAgeFile(windows)).toBe(true)
    expect(text(await openAge(windows, { passphrase: PASSPHRASE }))).toBe(TEXT)
  })

  it('for several recipients, each of whom opens it', async () => {
    const [one, two, other] = [await keyPair(), await keyPair(), await keyPair()]
    const sealed = await sealAge(TEXT, { recipients: [one.recipient, ` ${two.recipient}\n`] })
    for (const { identity } of [one, two]) {
      expect(text(await openAge(sealed, { identities: [other.identity, identity] }))).toBe(TEXT)
    }
    await expect(openAge(sealed, { identities: [other.identity] })).rejects.toMatchObject({
      code: 'wrong_key_file',
      exitCode: 3,
    })
  })

  it('for a post-quantum recipient', async () => {
    const identity = await generateHybridIdentity()
    const sealed = await sealAge(TEXT, { recipients: [await identityToRecipient(identity)] })
    expect(text(await openAge(sealed, { identities: [identity] }))).toBe(TEXT)
  })

  it('takes the whole file that age-keygen writes', async () => {
    const { identity, recipient } = await keyPair()
    const file = `# created: 2026-01-01T00:00:00Z\r\n# public key: ${recipient}\r\n${identity}\r\n`
    const sealed = await sealAge(TEXT, { recipients: [recipient] })
    expect(text(await openAge(sealed, { identities: [file] }))).toBe(TEXT)
  })

  it('agrees with the age library about passphrases', async () => {
    const decrypter = new Decrypter()
    decrypter.addPassphrase(PASSPHRASE)
    const sealed = await sealAge(TEXT, { passphrase: PASSPHRASE }, { ...QUICK, armor: false })
    expect(await decrypter.decrypt(sealed, 'text')).toBe(TEXT)
    const encrypter = new Encrypter()
    encrypter.setScryptWorkFactor(4)
    encrypter.setPassphrase(PASSPHRASE)
    expect(text(await openAge(await encrypter.encrypt(TEXT), { passphrase: PASSPHRASE }))).toBe(TEXT)
  })

  it('derives the key off the main thread, with the work factor of the age command', async () => {
    let ticks = 0
    const ticking = setInterval(() => {
      ticks += 1
    }, 5)
    const sealed = await sealAge(TEXT, { passphrase: PASSPHRASE }, { armor: false })
    clearInterval(ticking)
    expect(text(sealed)).toMatch(/^age-encryption\.org\/v1\n-> scrypt [A-Za-z0-9+/]{22} 18\n/)
    expect(ticks).toBeGreaterThan(5)
  })

  it('any bytes, of any size', async () => {
    const { identity, recipient } = await keyPair()
    const sizes = [0, 1, 47, 48, 65_535, 65_536, 65_537, 5_000_000]
    for (const size of sizes) {
      const plaintext = new Uint8Array(size).fill(size % 251)
      const sealed = await sealAge(plaintext, { recipients: [recipient] })
      expect(Buffer.from(await openAge(sealed, { identities: [identity] })).equals(plaintext)).toBe(true)
    }
  })

  it('says that the passphrase is wrong, or that none is asked for', async () => {
    const { identity, recipient } = await keyPair()
    const withPassphrase = await sealAge(TEXT, { passphrase: PASSPHRASE }, QUICK)
    const forRecipient = await sealAge(TEXT, { recipients: [recipient] })
    for (const passphrase of ['', 'x', `${PASSPHRASE} `]) {
      await expect(openAge(withPassphrase, { passphrase })).rejects.toMatchObject({
        code: 'wrong_passphrase',
        message: 'the passphrase does not open this age file',
      })
    }
    await expect(openAge(forRecipient, { passphrase: 'x' })).rejects.toMatchObject({
      code: 'wrong_passphrase',
      hint: 'open it with the identity of a recipient',
    })
    await expect(openAge(withPassphrase, { identities: [identity] })).rejects.toMatchObject({
      code: 'wrong_key_file',
      hint: 'it is sealed with a passphrase',
    })
  })

  it('refuses what is no recipient or identity, and quotes neither', async () => {
    const { identity, recipient } = await keyPair()
    const broken = `${identity.slice(0, -1)}${identity.endsWith('Q') ? 'P' : 'Q'}`
    const sealed = await sealAge(TEXT, { recipients: [recipient] })
    const bad: [() => Promise<unknown>, object][] = [
      [() => sealAge(TEXT, { recipients: [] }), { message: 'give 1 to 1024 age recipients' }],
      [
        () => sealAge(TEXT, { recipients: [recipient, 'ssh-ed25519 AAAA'] }),
        { message: 'recipient 2 is no age recipient', hint: 'a recipient begins with age1' },
      ],
      [
        () => sealAge(TEXT, { recipients: [identity] }),
        { hint: 'that is a secret key; give the recipient that age-keygen -y prints for it' },
      ],
      [() => sealAge(TEXT, { recipients: ['age1'] }), { message: 'recipient 1 is no age recipient' }],
      [
        () => sealAge(TEXT, { recipients: [`${recipient}q`] }),
        { message: 'recipient 1 is no age recipient' },
      ],
      [
        () => sealAge(Buffer.alloc(160 * 1024 * 1024 + 1), { recipients: [recipient] }),
        { message: 'there is too much to seal' },
      ],
      [() => sealAge(TEXT, { passphrase: '' }), { message: 'the passphrase is empty' }],
      [() => openAge(sealed, { identities: [broken] }), { message: 'identity 1 is no age identity' }],
      [
        () => openAge(sealed, { identities: ['# only a comment\n'] }),
        { message: 'there is no age identity to open the file with' },
      ],
      ...[0, 21, 1.5, Number.NaN].map((workFactor): [() => Promise<unknown>, object] => [
        () => sealAge(TEXT, { passphrase: 'x' }, { workFactor }),
        { message: 'the work factor must be a whole number from 1 to 20' },
      ]),
    ]
    for (const [attempt, expected] of bad) {
      const error = await attempt().catch((one: unknown) => one)
      expect(error).toMatchObject({ code: 'invalid_value', ...expected })
      expect(error).toBeInstanceOf(KeymuxError)
      const said = JSON.stringify(error, Object.getOwnPropertyNames(error))
      for (const secret of [identity, broken]) expect(said).not.toContain(secret.slice(20))
    }
  })

  it('refuses a recipient that everybody could open: the point of order one', async () => {
    // A Bech32 recipient of 32 zero bytes (BIP 173).
    const zero = 'age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z'
    await expect(sealAge(TEXT, { recipients: [zero] })).rejects.toMatchObject({ code: 'invalid_value' })
  })

  it('refuses a work factor that would take all memory, before it derives a key', async () => {
    const sealed = text(await sealAge(TEXT, { passphrase: 'x' }, { ...QUICK, armor: false }))
    for (const factor of ['21', '40', '99999999999999999999']) {
      const file = Buffer.from(sealed.replace(/^(-> scrypt \S+) 4$/m, `$1 ${factor}`), 'latin1')
      await expect(openAge(file, { passphrase: 'x' })).rejects.toMatchObject({
        code: 'invalid_import',
        message: 'this age file cannot be opened: its work factor is above 20 and would take too much memory',
      })
    }
    for (const factor of ['0', '04', '-1', 'x', '4 4', '']) {
      const file = Buffer.from(sealed.replace(/^(-> scrypt \S+) 4$/m, `$1 ${factor}`), 'latin1')
      await expect(openAge(file, { passphrase: 'x' })).rejects.toMatchObject({ code: 'invalid_import' })
    }
  })

  it('refuses headers that are not those of an honest file', async () => {
    const { identity, recipient } = await keyPair()
    const sealed = text(await sealAge(TEXT, { passphrase: 'x' }, { ...QUICK, armor: false }))
    const second = sealed.replace('\n---', '\n-> other arg\n\n---')
    await expect(openAge(Buffer.from(second, 'latin1'), { passphrase: 'x' })).rejects.toMatchObject({
      code: 'invalid_import',
      message: 'this age file cannot be opened: a passphrase is not its only key',
    })
    const crowd = Buffer.from(`age-encryption.org/v1\n${'-> X25519 AAAA\n\n'.repeat(1025)}--- AAAA\n`)
    await expect(openAge(crowd, { identities: [identity] })).rejects.toMatchObject({
      message: 'the age file has more than 1024 recipients',
    })
    const endless = Buffer.from(`age-encryption.org/v1\n-> a ${'b'.repeat(5_000_000)}\n\n--- AAAA\n`)
    await expect(openAge(endless, { identities: [identity] })).rejects.toMatchObject({
      code: 'invalid_import',
    })
    await expect(sealAge(TEXT, { recipients: Array(1025).fill(recipient) })).rejects.toMatchObject({
      code: 'invalid_value',
    })
  })

  it('notices every cut and every changed bit', async () => {
    const { identity, recipient } = await keyPair()
    const sealed = Buffer.from(await sealAge(TEXT, { recipients: [recipient] }, { armor: false }))
    for (let at = 0; at < sealed.length; at += 1) {
      await expect(openAge(sealed.subarray(0, at), { identities: [identity] })).rejects.toMatchObject({
        code: 'invalid_import',
      })
      const changed = Buffer.from(sealed)
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
      const error = await openAge(changed, { identities: [identity] }).catch((one: unknown) => one)
      expect(error).toBeInstanceOf(KeymuxError)
      expect(error).toMatchObject({ code: expect.stringMatching(/^(?:invalid_import|wrong_key_file)$/) })
    }
  })

  it('refuses anything else with a typed error', async () => {
    const { identity } = await keyPair()
    const piece = fc.constantFrom('-> X25519 ', '-> scrypt ', ' 4', '--- ', '\n', 'AAAA', '=', '\u0000')
    const body = fc.array(fc.oneof(piece, fc.string())).map((parts) => parts.join(''))
    const contents = fc.oneof(
      fc.uint8Array(),
      fc.string({ unit: 'binary' }),
      body.map((rest) => `age-encryption.org/v1\n${rest}`),
      body.map((rest) => `-----BEGIN AGE ENCRYPTED FILE-----\n${rest}\n-----END AGE ENCRYPTED FILE-----`),
    )
    await fc.assert(
      fc.asyncProperty(contents, async (file) => {
        for (const key of [{ passphrase: 'x' }, { identities: [identity] }]) {
          expect(await openAge(file, key).catch((error: unknown) => error)).toBeInstanceOf(KeymuxError)
        }
      }),
      { numRuns: 300 },
    )
    const large = Buffer.alloc(10_000_000, 'age-encryption.org/v1\n')
    for (const file of [large, Buffer.alloc(256 * 1024 * 1024 + 1), '']) {
      await expect(openAge(file, { passphrase: 'x' })).rejects.toMatchObject({ code: 'invalid_import' })
    }
  })
})
