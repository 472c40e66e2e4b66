import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  keymuxBinary,
  makeSandbox,
  type Program,
  type RunResult,
  removeSandbox,
  runProgram,
} from '../transcripts/harness.js'

/** Stands in for an agent: tells how it was started, and what the files hold that it was given. */
const AGENT = `#!/usr/bin/env node
const { readFileSync } = require('node:fs')
const { env, argv } = process
const files = [...argv, ...Object.values(env)].filter((each) => /agents\\/\\d+-[0-9a-f]+\\//.test(each))
const texts = files.map((file) => readFileSync(file, 'utf8'))
console.log(JSON.stringify({ args: argv.slice(2), env, files, texts }))
if (env.WAIT) setInterval(() => {}, 1000)
`
let program: Program
let sandbox: string

beforeAll(() => {
  program = keymuxBinary()
})
beforeEach(async () => {
  sandbox = makeSandbox()
  mkdirSync(join(sandbox, 'bin'))
  for (const name of ['claude', 'codex', 'gemini', 'opencode', 'openclaw', 'qwen', 'other']) {
    writeFileSync(join(sandbox, 'bin', name), AGENT)
    chmodSync(join(sandbox, 'bin', name), 0o755)
  }
  await keymux(['init'])
  for (const provider of ['anthropic', 'openai', 'gemini', 'groq', 'qwen']) {
    await keymux(['add', `${provider}:one`, '--stdin'], { stdin: `key-of-${provider}-123456` })
  }
})
afterEach(() => removeSandbox(sandbox))

const environment = (env: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  KEYMUX_PASSPHRASE: 'open sesame',
  PATH: [join(sandbox, 'bin'), process.env.PATH].join(delimiter),
  ...env,
})

interface Options {
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
}
function keymux(args: readonly string[], { stdin = '', env = {} }: Options = {}): Promise<RunResult> {
  return runProgram(program, args, sandbox, { env: environment(env), stdin })
}

interface Told {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly files: readonly string[]
  readonly texts: readonly string[]
}
async function exec(args: readonly string[], env = {}): Promise<Told & { readonly stderr: string }> {
  const { code, stdout, stderr } = await keymux(['exec', '--gateway', ...args], { env })
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  const told: Told = JSON.parse(stdout)
  return { ...told, stderr }
}

describe('exec --gateway', () => {
  test('leads Claude Code past its question about a key, and past a key of its own', async () => {
    const stray = { ANTHROPIC_API_KEY: 'stray', CLAUDE_CODE_OAUTH_TOKEN: 'stray' }
    const { env, args, stderr } = await exec(['anthropic', '--', 'claude', '-p', 'x'], stray)
    expect(env.ANTHROPIC_BASE_URL).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/anthropic$/)
    expect(env.ANTHROPIC_AUTH_TOKEN).toMatch(/^\S{32,}$/)
    expect([env.ANTHROPIC_API_KEY, env.CLAUDE_CODE_OAUTH_TOKEN]).toEqual([undefined, undefined])
    expect({ args, stderr }).toEqual({ args: ['-p', 'x'], stderr: '' })
  })

  test('puts arguments behind an agent that is started by something else', async () => {
    const { args } = await exec(['openai', '--', 'env', 'A=1', 'sh', '-c', 'exec "$0" "$@"', 'codex', 'exec'])
    expect(args).toEqual(['exec'])
    const direct = await exec(['openai', '--', 'env', 'A=1', 'codex', 'exec'])
    expect(direct.args.slice(0, 2)).toEqual(['-c', 'model_provider="keymux"'])
    expect(direct.args.at(-1)).toBe('exec')
  })

  test('gives an agent files that go with it', async () => {
    const { files, texts } = await exec(['gemini', '--', 'gemini', '-p', 'x'])
    expect(texts.map((text): unknown => JSON.parse(text))).toEqual([
      { security: { auth: { selectedType: 'gemini-api-key' } } },
    ])
    expect(files).toHaveLength(1)
    expect([...files, ...files.map((file) => dirname(file))].filter(existsSync)).toEqual([])
  })

  test('removes them when a signal ends the agent', async () => {
    const command = [program, 'exec', '--gateway', 'gemini', '--', 'gemini']
    const child = spawn(process.execPath, command, {
      cwd: sandbox,
      env: { HOME: sandbox, ...environment({ WAIT: '1' }) },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(createInterface(child.stdout), 'line')
    const { files }: Told = JSON.parse(line)
    expect(files.filter(existsSync)).toHaveLength(1)
    child.kill('SIGTERM')
    await once(child, 'exit')
    expect([...files, ...files.map((file) => dirname(file))].filter(existsSync)).toEqual([])
  })

  test('leads an agent to providers whose SDKs read no address', async () => {
    const alone = await exec(['qwen', '--', 'qwen', '-p', 'x'])
    expect(alone.env.OPENAI_BASE_URL).toMatch(/\/qwen$/)
    expect(alone.args.slice(0, 2)).toEqual(['--auth-type', 'openai'])
    const unknown = await keymux(['exec', '--gateway', 'qwen', '--', 'opencode'])
    expect(unknown.code).toBe(2)
    const both = await exec(['anthropic', 'groq', '--', 'opencode'], {
      OPENCODE_CONFIG_CONTENT: '{"share":"disabled"}',
    })
    const config = JSON.parse(both.env.OPENCODE_CONFIG_CONTENT ?? '')
    expect(config.share).toBe('disabled')
    expect(Object.keys(config.provider)).toEqual(['anthropic', 'groq'])
  })

  test('says with --verbose what it did, and shows the token to nobody', async () => {
    const { env, stderr } = await exec(['--verbose', 'anthropic', '--', 'claude'])
    expect(stderr).toContain('keymux: this is Claude Code; its recipe (claude-code, tried with ')
    expect(stderr).toContain("  set ANTHROPIC_AUTH_TOKEN to the gateway's token\n")
    expect(stderr).not.toContain(env.ANTHROPIC_AUTH_TOKEN)
  })

  test('sets variables alone with --no-recipe, and for programs that it does not know', async () => {
    for (const line of [
      ['--no-recipe', 'anthropic', '--', 'claude'],
      ['anthropic', '--', 'other'],
    ]) {
      const { env } = await exec(line)
      expect(env.ANTHROPIC_API_KEY).toMatch(/^\S{32,}$/)
      expect(env.ANTHROPIC_AUTH_TOKEN).toBeUndefined()
    }
  })

  test.each([['openclaw'], ['openclaw', '--no-recipe']])(
    'leads an agent that takes no address from its environment to a gateway that lasts: %s %s',
    async (agent, ...options) => {
      const { env, stderr } = await exec([...options, 'anthropic', '--', agent])
      expect(
        stderr,
      ).toBe(`keymux: OpenClaw takes no address from its environment; set in its own settings once keymux serve runs:
  openclaw config set models.providers.anthropic.baseUrl http://127.0.0.1:7878/anthropic
  openclaw gateway restart
  as its key: the token in the file that keymux serve names
`)
      expect(stderr).not.toContain(env.ANTHROPIC_BASE_URL)
    },
  )

  test.each([
    ['codex', 'openai', 'Codex'],
    ['opencode', 'anthropic', 'opencode'],
    ['claude', 'anthropic', undefined],
    ['gemini', 'gemini', undefined],
    ['other', 'openai', undefined],
  ])('says of %s whether it is led without its recipe', async (agent, provider, label) => {
    const { stderr } = await exec(['--no-recipe', provider, '--', agent])
    expect(stderr).toBe(
      label === undefined
        ? ''
        : `keymux: without its recipe ${label} is not led to the gateway: it asks an address of its own\n`,
    )
  })

  test('--no-recipe without --gateway is refused', async () => {
    const { code, stderr } = await keymux(['exec', '--no-recipe', 'openai', '--', 'codex'])
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'keymux: --no-recipe goes with --gateway alone: leave it out\n',
    })
  })

  test('warns of an agent that asks another provider', async () => {
    const { stderr } = await exec(['openai', '--', 'claude'])
    expect(stderr).toBe('keymux: Claude Code is not known to use openai; keymux leads it to anthropic\n')
  })
})
