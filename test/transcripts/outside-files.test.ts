import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { type Home, makeHomes } from './home.js'

const homes = makeHomes()
afterAll(() => homes.dispose())
let home: Home
let state: string
let pin: string
beforeEach(async () => {
  home = homes.make()
  state = home.at('state')
  await run(['init'])
  await run(['add', 'openai:a', '--stdin'], { stdin: 'sk-example-of-a-key-1' })
  const pins = join(state, 'keymux', 'pins')
  pin = join(pins, readdirSync(pins)[0] ?? '')
})

const run = (argv: string[], options: { stdin?: string; env?: Record<string, string> } = {}) =>
  home.run(argv, { ...options, env: { XDG_STATE_HOME: state, ...options.env } })
const pipe = (path: string): void => {
  rmSync(path, { force: true, recursive: true })
  mkdirSync(dirname(path), { recursive: true })
  execFileSync('mkfifo', [path])
}

const UNREADABLE = 'what was remembered of the vault cannot be read'
const UNWRITABLE = 'cannot be remembered outside of it'
const COMMANDS = [['list'], ['resolve', 'openai'], ['vault', 'check'], ['status']]

describe('a pin that is none', () => {
  const damages: Record<string, () => void> = {
    garbage: () => writeFileSync(pin, 'garbage'),
    empty: () => writeFileSync(pin, ''),
    'too large': () => writeFileSync(pin, 'x'.repeat(100_000)),
    'a folder': () => {
      rmSync(pin)
      mkdirSync(pin)
    },
    'a named pipe': () => pipe(pin),
  }
  const cases = Object.keys(damages).flatMap((name) => COMMANDS.map((argv) => [name, argv] as const))

  test.each(cases)('%s: %j says so once, and goes on', async (name, argv) => {
    damages[name]?.()
    const { code, stderr } = await run([...argv])
    expect(code).toBe(0)
    expect(stderr.split(UNREADABLE)).toHaveLength(2)
    expect((await run([...argv, '--quiet'])).stderr).toBe('')
  })

  test('is a warning of doctor', async () => {
    writeFileSync(pin, 'garbage')
    const { code, stdout } = await run(['doctor'])
    expect(code).toBe(0)
    expect(stdout).toContain(UNREADABLE)
  })
})

describe('a state folder that takes nothing', () => {
  test.each(COMMANDS.map((argv) => [argv]))('%j says so once, and goes on', async (argv) => {
    rmSync(state, { recursive: true })
    writeFileSync(state, '')
    const { code, stderr } = await run([...argv])
    expect(code).toBe(0)
    expect(stderr.split(UNREADABLE)).toHaveLength(2)
    // A check writes nothing down.
    expect(stderr.split(UNWRITABLE)).toHaveLength(argv[0] === 'vault' ? 1 : 2)
  })

  test.runIf(process.platform === 'linux')('one in /proc hangs nobody', async () => {
    const { code, stderr } = await run(['list'], { env: { XDG_STATE_HOME: '/proc/1/x' } })
    expect(code).toBe(0)
    expect(stderr).toContain(UNWRITABLE)
  })
})

describe('a named pipe that nobody writes to', () => {
  test('as key file', async () => {
    pipe(home.at('pipe'))
    const { code, stderr } = await run(['list'], { env: { KEYMUX_KEY_FILE: home.at('pipe') } })
    expect(code).toBe(8)
    expect(stderr).toContain('is not a regular file')
  })

  test.each([['list'], ['config', 'validate'], ['config', 'show'], ['serve', '--port', '0']])(
    'as config of %s %s',
    async (...argv) => {
      pipe(home.at('pipe'))
      const { code, stderr } = await run([...argv, '--config', home.at('pipe')])
      expect(code).not.toBe(0)
      expect(stderr).toContain('is not a regular file')
    },
  )

  test.each([
    ['import', 'json', 'pipe'],
    ['import', 'dotenv', 'pipe'],
    ['providers', 'add', 'pipe'],
    ['vault', 'restore', 'pipe'],
    ['list', '--vault', 'pipe'],
  ])('as the file of %s %s %s', async (...argv) => {
    pipe(home.at('pipe'))
    const { code, stderr } = await run(argv)
    expect(code).not.toBe(0)
    expect(stderr).toContain('not a regular file')
  })

  test('as what a reference names', async () => {
    pipe(home.at('pipe'))
    await run(['add', 'groq:piped', '--ref', `file://${home.at('pipe')}`])
    const { code } = await run(['resolve', 'groq:piped'])
    expect(code).toBe(5)
  })
})
