import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  bundleProgram,
  makeSandbox,
  plainScreen,
  removeSandbox,
  runInTerminal,
  runProgram,
} from '../../../test/transcripts/harness.js'

const PROGRAM = `
import { runProcess } from './src/surfaces/cli/process.js'
import { readStdinSecret } from './src/surfaces/cli/secret-input.js'
const command = (name, run) => ({ name, summary: name, load: async () => ({ examples: [], run }) })
const commands = [
  command('big', async ({ output }) => { output.text('x'.repeat(8_000_000)) }),
  command('stdin', async (context) => { context.output.raw(await readStdinSecret(context)) }),
  command('wait', async ({ signal, output }) => {
    output.event({ ready: true })
    setInterval(() => {}, 1000)
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }),
  command('stuck', async ({ output }) => { output.event({ ready: true }); await new Promise(() => setInterval(() => {}, 1000)) }),
  command('rejects', async () => { Promise.reject(new Error('far away')); await new Promise((resolve) => setTimeout(resolve, 5_000)) }),
  command('throws', async () => { setTimeout(() => { throw new Error('far away') }); await new Promise((resolve) => setTimeout(resolve, 5_000)) }),
  command('ask', async ({ host, output }) => { output.document({ answer: await host.prompter.hidden('Key: ') }) }),
  command('warns', async () => { process.emitWarning('old', 'DeprecationWarning'); await new Promise((resolve) => setTimeout(resolve, 20)) }),
  command('forgets', () => new Promise(() => {})),
]
await runProcess({ version: () => '1' }, commands)
`

let sandbox: string
let program: string
beforeAll(async () => {
  sandbox = makeSandbox()
  program = await bundleProgram(PROGRAM, sandbox)
})
afterAll(() => removeSandbox(sandbox))

/** Runs a shell line in which KEYMUX stands for the program. */
function shell(line: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const script = line.replaceAll('KEYMUX', `'${process.execPath}' '${program}'`)
    const child = spawn('bash', ['-o', 'pipefail', '-c', script], {
      cwd: sandbox,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}

describe('output', () => {
  it('is never cut', async () => {
    const { code, stdout } = await runProgram(program, ['big'], sandbox)
    expect({ code, length: stdout.length }).toEqual({ code: 0, length: 8_000_001 })
    expect((await shell('KEYMUX big | (sleep 0.3; wc -c)')).stdout.trim()).toBe('8000001')
  })

  it('may be left by its reader', async () => {
    expect(await shell('KEYMUX big | head -c 3')).toEqual({ code: 0, stdout: 'xxx', stderr: '' })
    expect((await shell('KEYMUX big 2>&1 >&- | cat')).code).toBe(0)
  })

  it.runIf(process.platform === 'linux')('that cannot be written is an error', async () => {
    const { code, stderr } = await shell('KEYMUX big > /dev/full')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^keymux: the output cannot be written \(ENOSPC\): .*\n$/)
  })

  it('holds no warnings of Node', async () => {
    expect(await shell('KEYMUX warns')).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})

describe('standard input', () => {
  it.each([
    ['<&-', 'the secret is empty'],
    ['< /dev/null', 'the secret is empty'],
    ['< .', 'the secret is empty'],
    ['< /dev/zero', 'the secret contains a NUL character'],
  ])('%s is an error, and no wait', async (redirection, message) => {
    expect(await shell(`KEYMUX stdin ${redirection}`)).toEqual({
      code: 2,
      stdout: '',
      stderr: `keymux: ${message}\n`,
    })
  })

  it('that never ends is not read to the end', async () => {
    expect((await shell('yes | KEYMUX stdin')).stderr).toContain('larger than 1 MiB')
  })

  it('may be a terminal', async () => {
    const session = runInTerminal(program, ['stdin'], sandbox)
    await session.waitFor('Ctrl-D.')
    session.type('the key\r\u0004')
    const { code, screen } = await session.ended
    expect(code).toBe(0)
    expect(plainScreen(screen)).toMatch(/the key\n(.*\n)?the key\n$/)
  })
})

describe('the unexpected', () => {
  it.each(['rejects', 'throws'])('that %s somewhere is an internal error without a stack', async (name) => {
    const text = await runProgram(program, [name], sandbox)
    expect(text).toEqual({
      code: 1,
      stdout: '',
      stderr: 'keymux: internal error: far away: set KEYMUX_DEBUG=1 to see where\n',
    })
    const json = await runProgram(program, [name, '--json'], sandbox)
    expect(JSON.parse(json.stderr).error.code).toBe('internal_error')
    const debug = await runProgram(program, [name], sandbox, { env: { KEYMUX_DEBUG: '1' } })
    expect(debug.stderr).toContain('Error: far away\n    at ')
  })
})

describe('a command that waits for nothing', () => {
  it('is an internal error', async () => {
    const { code, stderr } = await runProgram(program, ['forgets'], sandbox)
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        'keymux: internal error: the command waits for something that never comes: set KEYMUX_DEBUG=1 to see where\n',
    })
  })
})

describe('signals', () => {
  it.each([
    ['wait', 'SIGINT', 130],
    ['wait', 'SIGTERM', 143],
    ['wait', 'SIGHUP', 129],
    ['stuck', 'SIGINT', 130],
  ] as const)('%s, %s: %i', async (name, signal, expected) => {
    const child = spawn(process.execPath, [program, name], { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.stdout.once('data', () => child.kill(signal))
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect(code).toBe(expected)
    expect(stderr).toBe('keymux: interrupted\n')
  })

  it('Ctrl-C at a prompt is 130, and one line of JSON with --json', async () => {
    const session = runInTerminal(program, ['ask', '--json'], sandbox)
    await session.waitFor('Key: ')
    session.type('abc\u0003')
    const { code, screen } = await session.ended
    expect({ code, screen: plainScreen(screen) }).toEqual({
      code: 130,
      screen: 'Key: \n{"error":{"code":"interrupted","message":"interrupted"}}\n',
    })
  })
})

describe('a prompt while standard input and output are pipes', () => {
  it('is shown on the terminal and answered there', async () => {
    const session = runInTerminal(
      '-e',
      [
        `require('node:child_process').spawnSync('sh', ['-c', "echo piped | '${process.execPath}' '${program}' ask > out.json"], { stdio: 'inherit' })`,
      ],
      sandbox,
    )
    await session.waitFor('Key: ')
    session.type('hunter2\r')
    const { screen } = await session.ended
    expect(plainScreen(screen)).toBe('Key: \n')
    expect((await shell('cat out.json')).stdout).toBe('{"answer":"hunter2"}\n')
  })
})
