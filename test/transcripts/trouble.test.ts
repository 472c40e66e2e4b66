import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  keymuxBinary,
  makeSandbox,
  type RunOptions,
  type RunResult,
  removeSandbox,
  runProgram,
} from './harness.js'

const sandbox = makeSandbox()
afterAll(() => removeSandbox(sandbox))

const keyFile = path.join(sandbox, 'key')
const vault = path.join(sandbox, 'vault.db')
let binary = ''

function keymux(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const env = { HOME: sandbox, KEYMUX_KEY_FILE: keyFile, KEYMUX_VAULT: vault, ...options.env }
  return runProgram(binary, args, sandbox, { ...options, env })
}

beforeAll(async () => {
  binary = keymuxBinary()
  await keymux(['init', '--key-file', keyFile])
  await keymux(['add', 'openai:a', '--stdin'], { stdin: 'sk-a' })
})

const inFolder = (name: string): string => path.join(sandbox, name)

describe('a vault that is none', () => {
  test.each([
    ['an empty file', Buffer.alloc(0)],
    ['noise', Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 7919) % 251))],
    ['a torn header', Buffer.from('SQLite format 3\0')],
    ['JSON', Buffer.from('{}')],
  ])('%s', async (name, content) => {
    const file = inFolder(`garbage-${name.replaceAll(' ', '-')}.db`)
    writeFileSync(file, content, { mode: 0o600 })
    const { code, stdout, stderr } = await keymux(['list'], { env: { KEYMUX_VAULT: file } })
    expect({ code, stdout }).toEqual({ code: 6, stdout: '' })
    expect(stderr).toMatch(/^keymux: .* is not a vault: .*\n$/)
    expect(readFileSync(file)).toEqual(content)
  })

  test('a truncated vault', async () => {
    const file = inFolder('truncated.db')
    const whole = readFileSync(vault)
    writeFileSync(file, whole.subarray(0, whole.length >> 1), { mode: 0o600 })
    expect((await keymux(['list'], { env: { KEYMUX_VAULT: file } })).code).toBe(6)
  })

  test.each([
    ['a folder', () => sandbox, 8],
    ['a missing file', () => inFolder('missing.db'), 4],
    ['a device', () => '/dev/null', 8],
  ])('%s', async (_name, location, code) => {
    expect((await keymux(['list'], { env: { KEYMUX_VAULT: location() } })).code).toBe(code)
  })
})

describe.skipIf(process.platform === 'win32')('files that others could read', () => {
  test('are refused with the command that mends them, and work after it', async () => {
    const file = inFolder("it's open.db")
    copyFileSync(vault, file)
    chmodSync(file, 0o644)
    const refused = await keymux(['list'], { env: { KEYMUX_VAULT: file } })
    expect(refused).toMatchObject({ code: 8, stdout: '' })
    expect(refused.stderr).toContain(`chmod 600 '${file.replace("'", "'\\''")}'`)
    chmodSync(file, 0o600)
    expect((await keymux(['list'], { env: { KEYMUX_VAULT: file } })).code).toBe(0)
  })

  test('a symbolic link is refused', async () => {
    symlinkSync(vault, inFolder('link.db'))
    expect((await keymux(['list'], { env: { KEYMUX_VAULT: inFolder('link.db') } })).code).toBe(8)
  })

  test('a key file that others can read is refused', async () => {
    copyFileSync(keyFile, inFolder('open-key'))
    chmodSync(inFolder('open-key'), 0o640)
    const { code, stderr } = await keymux(['list'], { env: { KEYMUX_KEY_FILE: inFolder('open-key') } })
    expect(code).toBe(8)
    expect(stderr).toContain('chmod 600')
  })
})

describe('keys that do not fit', () => {
  test.each([
    ['another file', 'some other text 4711\n', 3],
    ['a damaged key', readLater(() => readFileSync(keyFile, 'utf8').replace(/.(?=\n?$)/, '!')), 3],
  ])('%s', async (_name, content, code) => {
    const file = inFolder('wrong-key')
    writeFileSync(file, typeof content === 'string' ? content : content(), { mode: 0o600 })
    const { code: status, stderr } = await keymux(['list'], { env: { KEYMUX_KEY_FILE: file } })
    expect(status).toBe(code)
    expect(stderr).not.toContain(readFileSync(file, 'utf8').trim())
  })

  test('no key at all and no terminal: the ways are listed, and nothing hangs', async () => {
    const { code, stderr } = await keymux(['list'], { env: { KEYMUX_KEY_FILE: undefined } })
    expect(code).toBe(3)
    expect(stderr).toContain('KEYMUX_KEY_FILE')
  })
})

describe('a config that is wrong', () => {
  test('is refused with line and key, whatever the command', async () => {
    const file = inFolder('config.yaml')
    writeFileSync(file, 'default_preference: valid\ncooldown:\n  rate_limit_secs: 5\n')
    const { code, stdout, stderr } = await keymux(['list', '--json'], { env: { KEYMUX_CONFIG: file } })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    const { error } = JSON.parse(stderr) as { error: { code: string; message: string } }
    expect(error.code).toBe('invalid_config')
    expect(error.message).toContain('config.yaml:3:3: cooldown.rate_limit_secs')
  })
})

describe('a read-only home', () => {
  test('no state folder can be made: the command works all the same', async () => {
    const blocked = inFolder('blocked')
    mkdirSync(blocked)
    writeFileSync(path.join(blocked, 'state'), 'a file where a folder should be')
    const env = { XDG_STATE_HOME: path.join(blocked, 'state') }
    expect(await keymux(['resolve', 'openai'], { env })).toMatchObject({ code: 0, stdout: 'sk-a\n' })
    expect((await keymux(['add', 'openai:b', '--stdin'], { env, stdin: 'sk-b' })).code).toBe(0)
  })
})

function readLater(read: () => string): () => string {
  return read
}
