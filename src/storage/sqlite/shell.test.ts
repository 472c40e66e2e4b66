import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { shellWord } from './shell.js'

describe('shellWord', () => {
  it.each([
    ['/home/me/vault.db', '/home/me/vault.db'],
    ['/a b/vault.db', "'/a b/vault.db'"],
    ["/it's/vault.db", "'/it'\\''s/vault.db'"],
    ['/$(rm -rf ~)/`x`;!', "'/$(rm -rf ~)/`x`;!'"],
    ['/ключ', "'/ключ'"],
    ['', "''"],
    ['/a\nb', "$'/a\\nb'"],
    ["/a\u001b[2J\\'", "$'/a\\u001b[2J\\\\\\''"],
  ])('%j', (path, word) => {
    expect(shellWord(path)).toBe(word)
  })

  it.skipIf(process.platform === 'win32')(
    'is read back by a shell as the same path, and stays on one line',
    () => {
      const path = fc.string({
        unit: fc.constantFrom("'", '\\', '"', '$', '`', ' ', '\n', '\t', 'a', '!', '*', '\u0007', '\u007f'),
      })
      fc.assert(
        fc.property(path, (text) => {
          const word = shellWord(text)
          expect(word).not.toContain('\n')
          const echoed = execFileSync('bash', ['-c', `printf %s ${word}`], { encoding: 'utf8' })
          expect(echoed).toBe(text)
        }),
        { numRuns: 40 },
      )
    },
  )
})
