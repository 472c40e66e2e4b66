import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeHost } from '../../../test/transcripts/fake-host.js'
import {
  bundleProgram,
  makeSandbox,
  plainScreen,
  removeSandbox,
  runInTerminal,
  runProgram,
} from '../../../test/transcripts/harness.js'
import { findShim, isForeground, runChild } from './exec-child.js'

const PROGRAM = `
import { runChild } from './src/surfaces/cli/exec-child.js'
import { watchInterrupts } from './src/surfaces/cli/interrupts.js'
const interrupts = watchInterrupts(process, (status) => process.exit(status))
const [command, ...args] = process.argv.slice(2)
try {
  process.exitCode = await runChild({ command, args, env: { ...process.env, GIVEN: 'a key' }, interrupts })
} catch (error) {
  console.log(error.code + ': ' + error.message)
  process.exitCode = error.exitCode
}
process.exit()
`
/** Counts SIGINTs for a while, then tells. */
const COUNTER = `
let count = 0
const done = () => { console.log('signals ' + count); process.exit(7) }
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGQUIT']) {
  process.on(signal, () => { count += 1; console.log('got ' + signal); setTimeout(done, 150) })
}
console.log('child ' + process.pid)
setInterval(() => {}, 1000)
`

let sandbox: string
let program: string
let counter: string
beforeAll(async () => {
  sandbox = makeSandbox()
  program = await bundleProgram(PROGRAM, sandbox)
  counter = path.join(sandbox, 'counter.mjs')
  writeFileSync(counter, COUNTER)
})
afterAll(() => removeSandbox(sandbox))

const exec = (...args: string[]) => runProgram(program, args, sandbox)

describe('running a program', () => {
  it('gives it the environment, the streams and the arguments, with no shell in between', async () => {
    const hostile = '$(echo x) `id` "; rm -rf * #'
    const script = 'process.stdin.pipe(process.stdout); console.log(process.env.GIVEN, process.argv[1])'
    const { code, stdout } = await runProgram(program, ['node', '-e', script, hostile], sandbox, {
      stdin: 'piped',
    })
    expect({ code, stdout }).toEqual({ code: 0, stdout: `a key ${hostile}\npiped` })
  })

  it.each([
    ['exit 0', 0],
    ['exit 3', 3],
    ['exit 255', 255],
    ['kill -TERM $$', 143],
    ['kill -KILL $$', 137],
    ['kill -INT $$', 130],
  ])('ends as it ended: sh -c %j', async (script, code) => {
    expect((await exec('sh', '-c', script)).code).toBe(code)
  })

  it('is 127 where there is none', async () => {
    expect(await exec('no-such-program-here')).toMatchObject({
      code: 127,
      stdout: 'program_not_found: there is no program "no-such-program-here"\n',
    })
    expect((await exec('/no/such/path')).code).toBe(127)
    expect((await exec('')).code).toBe(127)
  })

  it('is 126 where it cannot run', async () => {
    const plain = path.join(sandbox, 'plain.txt')
    writeFileSync(plain, 'text')
    chmodSync(plain, 0o644)
    mkdirSync(path.join(sandbox, 'folder'))
    for (const command of [plain, path.join(sandbox, 'folder')]) {
      const { code, stdout } = await exec(command)
      expect(code).toBe(126)
      expect(stdout).toContain('program_not_runnable: ')
    }
  })

  it('is 126 with arguments that no program can be given', async () => {
    const { interrupts } = fakeHost().host
    for (const argument of ['x'.repeat(4_000_000), 'a\0b']) {
      await expect(
        runChild({ command: 'node', args: [argument], env: process.env, interrupts }),
      ).rejects.toMatchObject({
        code: 'program_not_runnable',
        exitCode: 126,
      })
    }
  })
})

describe('signals', () => {
  it.each(['SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGINT', 'SIGQUIT'] as const)(
    'reach the child from whoever sends %s',
    async (signal) => {
      const child = spawn(process.execPath, [program, 'node', counter], { detached: true })
      let out = ''
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk.toString()
        if (/child \d+\n$/.test(out)) child.kill(signal)
      })
      const code = await new Promise((resolve) => child.once('close', resolve))
      expect(out).toContain(`got ${signal}\nsignals 1\n`)
      expect(code).toBe(7)
    },
  )

  it('Ctrl-C in a terminal reaches the child once, and the parent waits for it', async () => {
    const session = runInTerminal(program, ['node', counter], sandbox)
    await session.waitFor(/child \d+/)
    session.type('\u0003')
    const { code, screen } = await session.ended
    expect(code).toBe(7)
    expect(plainScreen(screen).replaceAll('^C', '')).toContain('got SIGINT\nsignals 1\n')
  })

  it('SIGTERM to the parent in a terminal reaches the child', async () => {
    const session = runInTerminal(program, ['node', counter], sandbox)
    await session.waitFor(/child \d+/)
    session.kill('SIGTERM')
    const { code, screen } = await session.ended
    expect(code).toBe(7)
    expect(screen).toContain('got SIGTERM')
  })
})

describe('the foreground', () => {
  it.each([
    ['42 (node) S 1 42 42 34816 42 4194304', true],
    ['42 (node) S 1 42 42 34816 77 4194304', false],
    ['42 (node) S 1 42 42 0 -1 4194304', false],
    ['42 (a) b (c) S 1 42 42 34816 42 4194304', true],
    ['', false],
  ])('is read from %j', (stat, expected) => {
    expect(isForeground(stat)).toBe(expected)
  })
})

describe('batch files on Windows', () => {
  const env = { PATH: '/tools:/bin' }
  const files =
    (...paths: string[]) =>
    (candidate: string) =>
      paths.includes(candidate)

  it('are found behind a bare name, unless a program comes first', () => {
    expect(findShim('npm', env, files('/tools/npm.cmd'))).toBe('/tools/npm.cmd')
    expect(findShim('npm', env, files('/tools/npm.exe', '/bin/npm.cmd'))).toBeUndefined()
    expect(findShim('npm', env, files('/tools/npm.exe', '/tools/npm.cmd'))).toBeUndefined()
    expect(findShim('npm', env, files())).toBeUndefined()
    expect(findShim('./run', env, files('./run.bat'))).toBe('./run.bat')
    expect(findShim('thing.CMD', env, files())).toBe('thing.CMD')
    expect(findShim('tool.exe', env, files('/tools/tool.exe'))).toBeUndefined()
  })
})
