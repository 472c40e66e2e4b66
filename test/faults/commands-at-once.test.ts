import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  keymuxBinary,
  makeSandbox,
  type Program,
  type RunResult,
  removeSandbox,
  runInTerminal,
  runProgram,
} from '../transcripts/harness.js'

const sandbox = makeSandbox()
let keymux: Program
beforeAll(() => {
  keymux = keymuxBinary()
}, 120_000)
afterAll(() => removeSandbox(sandbox))

/** A vault of its own with one account, and commands on it. */
async function freshVault(): Promise<{
  readonly env: Record<string, string>
  run(args: readonly string[], stdin?: string): Promise<RunResult>
}> {
  const folder = join(sandbox, randomUUID())
  mkdirSync(folder)
  const env = {
    KEYMUX_VAULT: join(folder, 'vault.db'),
    KEYMUX_KEY_FILE: join(folder, 'key'),
    XDG_STATE_HOME: join(folder, 'state'),
  }
  const run = (args: readonly string[], stdin = ''): Promise<RunResult> =>
    runProgram(keymux, args, sandbox, { env, stdin, timeout: 120_000 })
  expect(await run(['init', '--key-file', env.KEYMUX_KEY_FILE])).toMatchObject({ code: 0 })
  expect(await run(['add', 'openai:base', '--stdin'], 'sk-base')).toMatchObject({ code: 0 })
  return { env, run }
}

type Vault = Awaited<ReturnType<typeof freshVault>>

/** One command of many at once; each kind that writes, and each that only looks. */
function mixedCommand(vault: Vault, index: number): Promise<RunResult> {
  switch (index % 10) {
    case 0:
    case 1:
      return vault.run(['add', `openai:p${index}`, '--stdin'], `sk-${index}`)
    case 2:
      return vault.run(['resolve', 'openai'])
    case 3:
      return vault.run(['report', 'failure', 'openai:base', '--reason', 'format'])
    case 4:
      return vault.run(['report', 'success', 'openai:base'])
    case 5:
      return vault.run(['vault', 'check'])
    case 6:
      return vault.run(['secret', 'set', `S${index}`], 'value')
    case 7:
      return vault.run(['status', '--json'])
    case 8:
      return vault.run(['audit', '--verify'])
    default:
      return vault.run(['priority', 'openai:base', String(index)])
  }
}

const trouble = (results: readonly RunResult[]): string[] =>
  results.filter(({ code }) => code !== 0).map(({ code, stderr }) => `${code} ${stderr}`)

async function expectWhole(vault: Vault, expected: { profiles: number; secrets: number; failures: number }) {
  const [list, status, check] = await Promise.all([
    vault.run(['vault', 'status', '--json']),
    vault.run(['status', '--json']),
    vault.run(['vault', 'check']),
  ])
  expect(JSON.parse(list.stdout)).toMatchObject({ profiles: expected.profiles, secrets: expected.secrets })
  const { providers } = JSON.parse(status.stdout) as {
    providers: { profiles: { id: string; failure_counts: object }[] }[]
  }
  const base = providers[0]?.profiles.find(({ id }) => id === 'openai:base')
  expect(base?.failure_counts).toEqual({ format: expected.failures })
  expect(check).toMatchObject({ code: 0 })
}

describe('many commands at once', () => {
  test('20 that add an account: none fails, and none is lost', async () => {
    const vault = await freshVault()
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        vault.run(['add', `openai:p${index}`, '--stdin'], `sk-${index}`),
      ),
    )
    expect(trouble(results)).toEqual([])
    expect(JSON.parse((await vault.run(['list', '--json'])).stdout)).toMatchObject({ total: 21 })
    expect(await vault.run(['vault', 'check'])).toMatchObject({ code: 0 })
  }, 180_000)

  test('60 of every kind, beside a gateway and a watching terminal: none fails, counts are exact', async () => {
    const vault = await freshVault()
    const gateway = spawn(process.execPath, [keymux, 'serve', '--port', '0'], {
      env: { PATH: process.env.PATH, HOME: sandbox, ...vault.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    await firstLine(gateway)
    const watching = runInTerminal(keymux, ['status', '--watch'], sandbox, {
      env: vault.env,
      timeout: 150_000,
    })
    await watching.waitFor('openai:base')
    const results = await Promise.all(Array.from({ length: 60 }, (_, index) => mixedCommand(vault, index)))
    expect(trouble(results)).toEqual([])
    watching.kill('SIGINT')
    expect((await watching.ended).code).toBe(0)
    gateway.kill('SIGTERM')
    expect(await ended(gateway)).toBe(0)
    await expectWhole(vault, { profiles: 13, secrets: 6, failures: 6 })
  }, 180_000)
})

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no output')
  for await (const line of createInterface({ input: child.stdout })) return line
  throw new Error('it ended at once')
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve(child.exitCode)
    else child.once('exit', resolve)
  })
}
