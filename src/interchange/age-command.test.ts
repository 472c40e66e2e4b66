import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from '@lydell/node-pty'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openAge, sealAge } from './age.js'

const PASSPHRASE = 'пароль correct horse 🔑'
const TEXT = '{"format":"keymux-export"} ключ\n'.repeat(5000)

const absent = ['age', 'age-keygen'].filter((tool) => spawnSync(tool, ['--version']).status !== 0)
const missing = `${absent.join(' and ')} is not installed (Debian package age)`

/** Runs the age command in a pseudo-terminal, on which alone it asks for a passphrase. */
function ageOnTerminal(args: string[], answer: string): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const terminal = spawn('age', args, { cols: 120, rows: 30 })
    let [output, asked] = ['', 0]
    terminal.onData((data) => {
      output += data
      // One answer for each prompt; the line ends as the Enter key ends it.
      const prompts = output.match(/passphrase[^:\n]*: /gi)?.length ?? 0
      for (; asked < prompts; asked += 1) terminal.write(`${answer}\r`)
    })
    terminal.onExit(({ exitCode }) => resolve({ code: exitCode, output }))
  })
}

describe('the age command', () => {
  let folder: string
  let identity: string
  let recipient: string
  const path = (name: string): string => join(folder, name)

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'keymux-age-'))
    if (absent.length > 0) return
    execFileSync('age-keygen', ['-o', path('key.txt')], { stdio: 'ignore' })
    identity = readFileSync(path('key.txt'), 'utf8')
    recipient = execFileSync('age-keygen', ['-y', path('key.txt')], { encoding: 'utf8' })
  })

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  beforeEach(({ skip }) => skip(absent.length > 0, missing))

  it.each([true, false])('opens what is sealed for a recipient, armor %s', async (armor) => {
    writeFileSync(path('sealed.age'), await sealAge(TEXT, { recipients: [recipient] }, { armor }))
    const opened = execFileSync('age', ['-d', '-i', path('key.txt'), path('sealed.age')], {
      encoding: 'utf8',
    })
    expect(opened).toBe(TEXT)
  })

  it.each([['-a'], []])('seals for a recipient what is opened here %j', async (...armor) => {
    const sealed = execFileSync('age', [...armor, '-r', recipient.trim()], { input: TEXT })
    expect(Buffer.from(await openAge(sealed, { identities: [identity] })).toString()).toBe(TEXT)
  })

  it('opens what is sealed with a passphrase, and with no other', async () => {
    writeFileSync(path('sealed.age'), await sealAge(TEXT, { passphrase: PASSPHRASE }))
    const args = ['-d', '-o', path('opened.txt'), path('sealed.age')]
    expect(await ageOnTerminal(args, PASSPHRASE)).toMatchObject({ code: 0 })
    expect(readFileSync(path('opened.txt'), 'utf8')).toBe(TEXT)
    const { code, output } = await ageOnTerminal(args, 'another')
    expect(code).toBe(1)
    expect(output).toContain('incorrect passphrase')
  })

  it('seals with a passphrase what is opened here, and with no other', async () => {
    writeFileSync(path('plain.txt'), TEXT)
    const args = ['-p', '-o', path('theirs.age'), path('plain.txt')]
    expect(await ageOnTerminal(args, PASSPHRASE)).toMatchObject({ code: 0 })
    const sealed = readFileSync(path('theirs.age'))
    expect(Buffer.from(await openAge(sealed, { passphrase: PASSPHRASE })).toString()).toBe(TEXT)
    await expect(openAge(sealed, { passphrase: 'another' })).rejects.toMatchObject({
      code: 'wrong_passphrase',
    })
  })
})
