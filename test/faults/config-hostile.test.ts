import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openKeymux } from '../../src/compose.js'
import { createMemoryStore } from '../../src/storage/memory/index.js'
import { YAML_NESTS } from '../support/nests.js'
import {
  keymuxBinary,
  makeSandbox,
  type Program,
  type RunResult,
  removeSandbox,
  runProgram,
} from '../transcripts/harness.js'

const windows = process.platform === 'win32'
const root = process.getuid?.() === 0
const OTHER = 65_534
const TOKEN = 'a-gateway-token-of-some-length'

const EVIL = 'providers: { corp: { base_url: "https://evil.example/v1" } }\n'
const EXEC = 'references: { exec: true }\n'
const HARMLESS = 'cooldown: { rate_limit_seconds: 5 }\n'

let program: Program
let sandbox: string
let folder: string
let config: string

beforeAll(() => {
  program = keymuxBinary()
  sandbox = makeSandbox()
})
afterAll(() => removeSandbox(sandbox))
beforeEach(() => {
  folder = join(sandbox, 'config')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  config = join(folder, 'config.yaml')
})

function keymux(args: readonly string[], stdin = ''): Promise<RunResult> {
  const env = { KEYMUX_PASSPHRASE: 'open sesame', KEYMUX_CONFIG: config }
  return runProgram(program, args, sandbox, { env, stdin })
}

/** Ways in which somebody else decides about the config, each of which begins with one that is sound. */
const WAYS: readonly (readonly [string, boolean, () => void])[] = [
  ['a file that anybody may write', false, () => chmodSync(config, 0o606)],
  ['a folder that anybody may write', false, () => chmodSync(folder, 0o707)],
  [
    'a link in a folder that anybody may write',
    false,
    () => {
      mkdirSync(join(folder, 'open'))
      chmodSync(join(folder, 'open'), 0o707)
      symlinkSync(config, join(folder, 'open', 'link'))
      config = join(folder, 'open', 'link')
    },
  ],
  [
    'a link into a folder that anybody may write',
    false,
    () => {
      mkdirSync(join(folder, 'open'))
      chmodSync(join(folder, 'open'), 0o707)
      renameSync(config, join(folder, 'open', 'target'))
      symlinkSync('open/target', config)
    },
  ],
  ["somebody else's file", true, () => chownSync(config, OTHER, 0)],
  ["a folder of somebody else's", true, () => chownSync(folder, OTHER, 0)],
  [
    "a link of somebody else's",
    true,
    () => {
      symlinkSync('config.yaml', join(folder, 'link'))
      lchownSync(join(folder, 'link'), OTHER, 0)
      config = join(folder, 'link')
    },
  ],
  [
    "somebody else's file in a folder with the sticky bit",
    true,
    () => {
      chmodSync(folder, 0o1777)
      chownSync(config, OTHER, 0)
    },
  ],
  [
    "a group's file",
    true,
    () => {
      chownSync(config, 0, OTHER)
      chmodSync(config, 0o660)
    },
  ],
]

describe.skipIf(windows).each(WAYS)('%s', (_name, needsRoot, make) => {
  test.skipIf(needsRoot && !root)(
    'says neither where keys go nor what runs, whatever the command',
    async () => {
      writeFileSync(config, EVIL + EXEC, { mode: 0o600 })
      expect((await keymux(['config', 'validate'])).code).toBe(0)
      make()
      for (const args of [
        ['config', 'validate'],
        ['config', 'show'],
        ['providers', 'show', 'corp'],
        ['doctor'],
        ['serve', '--port', '0'],
        ['init'],
      ]) {
        const { code, stdout, stderr } = await keymux(args)
        expect([args, code]).toEqual([args, 8])
        expect(stdout + stderr).toMatch(
          /the config sets providers, references\.exec[\s\S]*run: (sudo )?ch(mod|own) /,
        )
      }
      await expect(
        openKeymux({
          vault: createMemoryStore().connect(),
          unlock: { passphrase: 'x' },
          create: true,
          config,
        }),
      ).rejects.toMatchObject({ code: 'unsafe_permissions', exitCode: 8 })
    },
  )

  test.skipIf(needsRoot && !root)('may say what harms nobody, and doctor warns', async () => {
    writeFileSync(config, HARMLESS, { mode: 0o600 })
    make()
    const shown = JSON.parse((await keymux(['config', 'show', '--json'])).stdout)
    expect(shown.settings).toContainEqual({ key: 'cooldown.rate_limit_seconds', value: 5, source: 'config' })
    const { code, stdout } = await keymux(['doctor', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout).checks).toContainEqual(
      expect.objectContaining({
        check: 'config',
        status: 'warning',
        hint: expect.stringMatching(/ch(mod|own) /),
      }),
    )
  })

  test.skipIf(needsRoot && !root)('declares no provider to be kept', async () => {
    writeFileSync(config, 'name: corp\nbase_url: https://evil.example/v1\n', { mode: 0o600 })
    make()
    const file = config
    config = join(sandbox, 'absent.yaml')
    writeFileSync(config, '')
    const { code, stderr } = await keymux(['providers', 'add', file])
    expect([code, stderr]).toEqual([8, expect.stringContaining('it says where keys go')])
  })
})

test.skipIf(windows)('in a folder with the sticky bit a file of our own counts', async () => {
  writeFileSync(config, EVIL, { mode: 0o600 })
  chmodSync(folder, 0o1777)
  expect((await keymux(['config', 'validate'])).code).toBe(0)
})

test.each(YAML_NESTS)('a config of %s is an error like any other', async (_name, nest) => {
  writeFileSync(config, nest(1_700))
  const { code, stderr } = await keymux(['config', 'validate'])
  expect([code, stderr.split('\n').length]).toEqual([2, 2])
})

describe('a running gateway', () => {
  let child: ChildProcess
  let lines: AsyncIterator<string>
  let url: string

  beforeEach(async () => {
    writeFileSync(config, HARMLESS, { mode: 0o600 })
    await keymux(['init'])
    child = spawn(process.execPath, [program, 'serve', '--json', '--port', '0'], {
      cwd: sandbox,
      env: {
        PATH: process.env.PATH,
        HOME: sandbox,
        KEYMUX_PASSPHRASE: 'open sesame',
        KEYMUX_CONFIG: config,
        KEYMUX_GATEWAY_TOKEN: TOKEN,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    if (child.stdout === null || child.stderr === null) throw new Error('there are no pipes')
    lines = createInterface(child.stderr)[Symbol.asyncIterator]()
    const [line] = await once(createInterface(child.stdout), 'line')
    url = JSON.parse(String(line)).url
  })
  afterEach(async () => {
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
    child.kill('SIGKILL')
    await ended
  })

  /** What the log says of the config after it was changed and a signal came. */
  async function reloaded(change: () => void): Promise<Record<string, unknown>> {
    change()
    child.kill('SIGHUP')
    for (;;) {
      const { value, done } = await lines.next()
      if (done) throw new Error('the gateway has ended')
      const line = JSON.parse(String(value))
      if (/^the config /.test(line.message)) return line
    }
  }

  const knows = async (provider: string): Promise<boolean> => {
    const headers = { authorization: `Bearer ${TOKEN}` }
    return (await fetch(`${url}/${provider}/models`, { headers })).status !== 404
  }

  test.skipIf(windows)('keeps the old config when others may change the new one, and says why', async () => {
    const line = await reloaded(() => {
      writeFileSync(config, EVIL)
      chmodSync(config, 0o606)
    })
    expect(line).toMatchObject({ level: 'error', code: 'unsafe_permissions' })
    expect(line.problem).toContain('anybody may write')
    expect(await knows('corp')).toBe(false)
    let next = await reloaded(() => chmodSync(config, 0o600))
    // The watch may have told of the same change once more.
    while (next.level === 'error') next = await reloaded(() => {})
    expect(await knows('corp')).toBe(true)
  })

  test.skipIf(windows)('outlives a config of any nest', async () => {
    for (const [, nest] of YAML_NESTS) {
      for (const depth of [1_000, 1_500, 1_700, 2_000, 5_000]) {
        const aside = `${config}.new`
        const line = await reloaded(() => {
          writeFileSync(aside, nest(depth), { mode: 0o600 })
          renameSync(aside, config)
        })
        expect(line).toMatchObject({ level: 'error', code: 'invalid_config' })
      }
    }
    expect(await knows('openai')).toBe(true)
  })
})
