import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isKeymuxError } from '../domain/errors.js'
import { encodeKeyFile, parseKeyFile } from './key-file.js'

const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index))
const text = encodeKeyFile(key)
const wrong = expect.objectContaining({ code: 'wrong_key_file' })

describe('key file', () => {
  test('is one recognisable line', () => {
    expect(text).toBe('keymux-key-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8GSPD5\n')
  })

  test('any 32 bytes come back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        expect(parseKeyFile(Buffer.from(encodeKeyFile(bytes)))).toEqual(Buffer.from(bytes))
      }),
    )
  })

  test('one trailing newline may be missing or be CRLF; nothing else is let through', () => {
    const line = text.trimEnd()
    for (const content of [line, `${line}\n`, `${line}\r\n`]) {
      expect(parseKeyFile(Buffer.from(content))).toEqual(key)
    }
    for (const content of [
      `${line}\n\n`,
      `${line} `,
      ` ${line}`,
      `\n${line}`,
      `${line}\r`,
      `\ufeff${line}`,
      `${line}=`,
    ]) {
      expect(() => parseKeyFile(Buffer.from(content))).toThrow(wrong)
    }
  })

  test('every changed character and every truncation is noticed', () => {
    const line = text.trimEnd()
    for (let index = 0; index < line.length; index++) {
      for (const character of ['A', 'z', '-', '=', '\n']) {
        if (line[index] === character) continue
        const changed = line.slice(0, index) + character + line.slice(index + 1)
        expect(() => parseKeyFile(Buffer.from(changed))).toThrow(wrong)
      }
      expect(() => parseKeyFile(Buffer.from(line.slice(0, index)))).toThrow(wrong)
    }
  })

  test('a wrong file is told from a damaged one, and neither is quoted', () => {
    const ssh = Buffer.from('-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n')
    expect(() => parseKeyFile(ssh)).toThrow('the file is not a keymux key file')
    expect(() => parseKeyFile(Buffer.from(text.replace('AAEC', 'AAED')))).toThrow('the key file is damaged')
    expect(() => parseKeyFile(Buffer.alloc(10_000_000))).toThrow('the file is not a keymux key file')
  })

  test('random bytes give wrong_key_file and nothing else', () => {
    const attempt = (bytes: Uint8Array): void => {
      try {
        parseKeyFile(bytes)
        expect.unreachable('random bytes were a key')
      } catch (error) {
        expect(isKeymuxError(error, 'wrong_key_file')).toBe(true)
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), attempt))
    fc.assert(fc.property(fc.string(), (tail) => attempt(Buffer.from(`keymux-key-1:${tail}`))))
  })

  test('only 32 bytes make one', () => {
    expect(() => encodeKeyFile(Buffer.alloc(31))).toThrow('32 bytes')
  })
})
