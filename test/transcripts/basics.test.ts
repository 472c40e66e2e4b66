import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  keymuxBinary,
  makeSandbox,
  plainScreen,
  type RunOptions,
  removeSandbox,
  runInTerminal,
  runProgram,
  terminalSession,
} from './harness.js'

let sandbox: string
let keymux: string
beforeAll(() => {
  sandbox = makeSandbox()
  keymux = keymuxBinary()
})
afterAll(() => removeSandbox(sandbox))

const run = (line: string, options: RunOptions = {}) =>
  runProgram(keymux, line === '' ? [] : line.split(' '), sandbox, options)

async function screen(line: string, columns: number, env: Record<string, string> = {}): Promise<string> {
  return (await runInTerminal(keymux, line.split(' '), sandbox, { columns, env }).ended).screen
}

describe('keymux', () => {
  it('explains itself', async () => {
    for (const line of ['', 'help', '--help']) {
      const { code, stdout, stderr } = await run(line)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(/^Usage: keymux COMMAND … \[options\]\n/)
      expect(stdout).toContain('Start here:\n')
    }
  })

  it('fits terminals, painted unless that is unwanted', async () => {
    for (const columns of [40, 80, 200]) {
      const help = await screen('--help', columns)
      expect(help).toContain('\u001b[1m')
      const widest = Math.max(
        ...plainScreen(help)
          .split('\n')
          .map((line) => [...line].length),
      )
      expect(widest).toBeLessThanOrEqual(Math.max(columns, 64))
    }
    expect(await screen('--help', 80, { NO_COLOR: '1' })).not.toContain('\u001b')
    expect(await screen('--help', 80, { TERM: 'dumb' })).not.toContain('\u001b')
    expect(await screen('--help --no-color', 80)).not.toContain('\u001b')
    expect((await run('--help', { env: { FORCE_COLOR: '1' } })).stdout).toContain('\u001b')
  })

  it('tells its version', async () => {
    const manifest = JSON.parse(readFileSync(path.resolve('package.json'), 'utf8')) as { version: string }
    expect(await run('--version')).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' })
  })

  it('refuses what it does not know', async () => {
    expect(await run('comfig')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'keymux: unknown command "comfig": did you mean config?\n',
    })
    expect(await run('config path --jason --json')).toEqual({
      code: 2,
      stdout: '',
      stderr: '{"error":{"code":"usage","message":"unknown option --jason","hint":"did you mean --json?"}}\n',
    })
  })

  it('does not echo a key', async () => {
    const key = 'sk-ant-api03-0123456789abcdefABCDEFxyz'
    const { code, stdout, stderr } = await run(`config ${key}`)
    expect(code).toBe(2)
    expect(stdout + stderr).not.toContain(key)
  })
})

describe('keymux config path', () => {
  it('follows defaults, environment and flags', async () => {
    const standard = path.join(sandbox, '.config/keymux/config.yaml')
    expect((await run('config path', { env: { XDG_CONFIG_HOME: undefined } })).stdout).toBe(`${standard}\n`)
    expect((await run('config path', { env: { KEYMUX_CONFIG: '/etc/k.yaml' } })).stdout).toBe('/etc/k.yaml\n')
    expect((await run('config path --config x.yaml', { env: { KEYMUX_CONFIG: '/etc/k.yaml' } })).stdout).toBe(
      `${path.join(sandbox, 'x.yaml')}\n`,
    )
    expect(JSON.parse((await run('config path --json')).stdout)).toEqual({ path: standard, exists: false })
  })
})

describe('keymux completion', () => {
  it('prints a script that bash takes', async () => {
    const { stdout } = await run('completion bash')
    const shell = terminalSession('bash', ['-n', '-c', stdout], sandbox)
    expect(await shell.ended).toEqual({ code: 0, screen: '' })
  })

  it('knows commands, options and providers without a vault', async () => {
    expect((await run('__complete zsh 0 -- conf')).stdout).toBe('words\nconfig\tlook at the configuration\n')
    expect((await run('__complete zsh 1 -- config --js')).stdout).toContain('--json\t')
  })
})
