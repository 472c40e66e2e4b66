import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ok, type ScriptedUpstream, startScriptedUpstream } from '../../src/entries/testing.js'
import { ROTATION_LOCK } from '../../src/storage/locks.js'
import { openSqliteStore } from '../../src/storage/sqlite/index.js'
import {
  keymuxBinary,
  makeSandbox,
  type Program,
  type RunResult,
  removeSandbox,
  runProgram,
} from '../transcripts/harness.js'
import { seededRandom } from './storage-lab.js'

const sandbox = makeSandbox()
let keymux: Program
let upstream: ScriptedUpstream
beforeAll(async () => {
  keymux = keymuxBinary()
  upstream = await startScriptedUpstream()
}, 120_000)
const running: ChildProcess[] = []
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
})
afterAll(async () => {
  await upstream.close()
  removeSandbox(sandbox)
})

/** A vault of its own with two members, and commands on it. */
async function freshVault(): Promise<{
  readonly env: Record<string, string>
  readonly folder: string
  /** Environment and slot of the second member, who has a machine of his own. */
  readonly member: { readonly env: Record<string, string>; readonly slot: string }
  run(args: readonly string[], stdin?: string, more?: Record<string, string>): Promise<RunResult>
  json(args: readonly string[]): Promise<unknown>
}> {
  const folder = join(sandbox, randomUUID())
  mkdirSync(folder)
  const env = {
    KEYMUX_VAULT: join(folder, 'vault.db'),
    KEYMUX_KEY_FILE: join(folder, 'key'),
    XDG_STATE_HOME: join(folder, 'state'),
  }
  const run = (args: readonly string[], stdin = '', more: Record<string, string> = {}): Promise<RunResult> =>
    runProgram(keymux, args, sandbox, { env: { ...env, ...more }, stdin, timeout: 120_000 })
  const json = async (args: readonly string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await run([...args, '--json'])
    if (code !== 0) throw new Error(`${code} ${stderr}`)
    return JSON.parse(stdout)
  }
  await expect(run(['init', '--key-file', env.KEYMUX_KEY_FILE])).resolves.toMatchObject({ code: 0 })
  const add = ['add', 'openai:base', '--stdin', '--base-url', `${upstream.url}/v1`]
  await expect(run(add, 'sk-base')).resolves.toMatchObject({ code: 0 })
  const key = join(folder, 'member.key')
  const { slot } = (await json(['vault', 'add-slot', '--key-file', key])) as { slot: { id: string } }
  const member = {
    env: { ...env, KEYMUX_KEY_FILE: key, XDG_STATE_HOME: join(folder, 'member-state') },
    slot: slot.id,
  }
  return { env, folder, member, run, json }
}

type Vault = Awaited<ReturnType<typeof freshVault>>

const trouble = (results: readonly RunResult[]): string[] =>
  results.filter(({ code }) => code !== 0).map(({ code, stderr }) => `${code} ${stderr}`)

/** A gateway on the vault, and a request through it. */
async function serve(env: Record<string, string>): Promise<{ ask(): Promise<number>; child: ChildProcess }> {
  const child = spawn(process.execPath, [keymux, 'serve', '--json', '--port', '0'], {
    cwd: sandbox,
    env: { PATH: process.env.PATH, HOME: sandbox, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  running.push(child)
  const [line] = await once(createInterface(child.stdout), 'line')
  const { url, token_file: tokenFile } = JSON.parse(String(line)) as { url: string; token_file: string }
  const token = readFileSync(tokenFile, 'utf8').trim()
  const ask = async (): Promise<number> => {
    const response = await fetch(`${url}/openai/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hello' }] }),
    })
    await response.arrayBuffer()
    return response.status
  }
  return { ask, child }
}

/** Many records at once, as an import brings them. */
async function fill(vault: Vault, count: number): Promise<void> {
  const profiles = Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      const [id, name] = [`openai:bulk${index}`, `bulk${index}`]
      const key = { key: `sk-bulk-${index}` }
      const more = { enabled: true, created_at: '2026-01-01T00:00:00Z', api_key: key }
      return [id, { id, provider: 'openai', name, mode: 'api_key', ...more }]
    }),
  )
  const path = join(vault.folder, 'bulk.json')
  writeFileSync(path, JSON.stringify({ version: 1, profiles }))
  expect(await vault.run(['import', 'json', path])).toMatchObject({ code: 0 })
}

describe('processes at work while the vault is rotated', () => {
  test('8 that write go on: none fails, and counts are exact', async () => {
    const vault = await freshVault()
    let rotating = true
    const rotations = (async () => {
      const results: RunResult[] = []
      while (rotating) results.push(await vault.run(['vault', 'rotate']))
      return results
    })()
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      const results: RunResult[] = []
      for (let round = 0; round < 4; round++) {
        results.push(
          await vault.run(['add', `openai:p${writer}-${round}`, '--stdin'], `sk-${writer}-${round}`),
        )
        results.push(await vault.run(['report', 'failure', 'openai:base', '--reason', 'format']))
        results.push(await vault.run(['secret', 'set', `S${writer}-${round}`], 'value'))
      }
      return results
    })
    const written = (await Promise.all(writers)).flat()
    rotating = false
    const rotated = await rotations
    expect(trouble([...written, ...rotated])).toEqual([])
    const status = (await vault.json(['vault', 'status'])) as Record<string, unknown>
    expect(status).toMatchObject({ term: rotated.length + 1, profiles: 33, secrets: 32 })
    const { providers } = (await vault.json(['status'])) as {
      providers: { profiles: { id: string; failure_counts: object }[] }[]
    }
    const base = providers[0]?.profiles.find(({ id }) => id === 'openai:base')
    expect(base?.failure_counts).toEqual({ format: 32 })
    expect(trouble([await vault.run(['vault', 'check']), await vault.run(['audit', '--verify'])])).toEqual([])
  }, 240_000)

  test('a gateway follows and keeps answering', async () => {
    const vault = await freshVault()
    upstream.respond(ok(), 'sk-base')
    const { ask, child } = await serve(vault.env)
    expect(await ask()).toBe(200)
    const statuses = new Set<number>()
    let asking = true
    const asked = (async () => {
      while (asking) statuses.add(await ask())
    })()
    for (let round = 0; round < 5; round++) {
      expect(await vault.run(['vault', 'rotate'])).toMatchObject({ code: 0 })
      expect(await ask()).toBe(200)
    }
    asking = false
    await asked
    expect([...statuses]).toEqual([200])
    child.kill('SIGTERM')
    expect((await once(child, 'exit'))[0]).toBe(0)
    expect(await vault.run(['vault', 'check'])).toMatchObject({ code: 0 })
    expect(await vault.json(['vault', 'status'])).toMatchObject({ term: 6 })
  }, 120_000)

  test('a gateway whose slot is removed hands nothing out any more', async () => {
    const vault = await freshVault()
    const { ask } = await serve(vault.member.env)
    expect(await ask()).toBe(200)
    const removed = await vault.run(['vault', 'remove-slot', vault.member.slot, '--json'])
    expect(JSON.parse(removed.stdout)).toMatchObject({
      changed: [vault.member.slot],
      term: 2,
      seen: { profiles: [{ id: 'openai:base' }] },
    })
    const before = upstream.requests.length
    for (let round = 0; round < 3; round++) expect(await ask()).toBeGreaterThanOrEqual(400)
    expect(upstream.requests.length).toBe(before)
    expect(await vault.run(['list'], '', vault.member.env)).toMatchObject({ code: 3, stdout: '' })
    expect(await vault.run(['list'])).toMatchObject({ code: 0 })
  }, 120_000)
})

describe('kill -9', () => {
  test('in the middle of a rotation leaves one term or the other, 40 times', async () => {
    const vault = await freshVault()
    await fill(vault, 1_000)
    const random = seededRandom(7)
    const before = Date.now()
    expect(await vault.run(['vault', 'rotate'])).toMatchObject({ code: 0 })
    const whole = Date.now() - before
    const seen = { kept: 0, rotated: 0 }
    let term = 2
    for (let round = 0; round < 40; round++) {
      const child = spawn(process.execPath, [keymux, 'vault', 'rotate'], {
        cwd: sandbox,
        env: { PATH: process.env.PATH, HOME: sandbox, ...vault.env },
        stdio: 'ignore',
      })
      const ended = once(child, 'exit')
      await sleep(whole * (0.3 + 0.7 * random()))
      child.kill('SIGKILL')
      await ended
      const status = (await vault.json(['vault', 'status'])) as { term: number; profiles: number }
      expect(status.profiles).toBe(1_001)
      expect([term, term + 1]).toContain(status.term)
      seen[status.term === term ? 'kept' : 'rotated'] += 1
      term = status.term
      if (round % 8 === 7) expect(await vault.run(['vault', 'check'])).toMatchObject({ code: 0 })
    }
    expect(seen.kept).toBeGreaterThan(0)
    expect(await vault.run(['vault', 'rotate'])).toMatchObject({ code: 0 })
    expect(await vault.run(['resolve', 'openai:bulk7'])).toMatchObject({ stdout: 'sk-bulk-7\n' })
    expect(await vault.run(['vault', 'check'])).toMatchObject({ code: 0 })
  }, 300_000)
})

describe('a file put back from before a removal', () => {
  test('is exit 6 for who has seen it; accepted, it goes on with a number of its own', async () => {
    const vault = await freshVault()
    const copy = join(vault.folder, 'copy.db')
    expect(await vault.run(['vault', 'backup', copy])).toMatchObject({ code: 0 })
    expect(await vault.run(['vault', 'remove-slot', vault.member.slot])).toMatchObject({ code: 0 })
    for (const suffix of ['-wal', '-shm']) rmSync(`${vault.env.KEYMUX_VAULT}${suffix}`, { force: true })
    copyFileSync(copy, vault.env.KEYMUX_VAULT ?? '')
    expect(await vault.run(['resolve', 'openai:base'])).toMatchObject({ code: 6, stdout: '' })
    expect(await vault.run(['vault', 'rotate'])).toMatchObject({ code: 6, stdout: '' })
    expect(await vault.run(['vault', 'check', '--accept-rollback'])).toMatchObject({ code: 0 })
    expect(await vault.json(['vault', 'status'])).toMatchObject({ term: 3 })
    expect(await vault.run(['resolve', 'openai:base'])).toMatchObject({ code: 0 })
  }, 120_000)
})

describe('a rotation that takes longer than others wait', () => {
  test('is waited for, because it says so', async () => {
    const path = join(sandbox, `${randomUUID()}.db`)
    const rotating = await openSqliteStore(path, { create: true })
    const waiting = await openSqliteStore(path, { busyTimeoutMs: 20 })
    const holding = async (): Promise<() => Promise<void>> => {
      let end = (): void => {}
      const ended = new Promise<void>((resolve) => {
        end = resolve
      })
      let begun: Promise<void> | undefined
      await new Promise<void>((resolve) => {
        begun = rotating.write(async () => {
          resolve()
          await ended
        })
      })
      return async () => {
        end()
        await begun
      }
    }
    const release = await holding()
    await expect(waiting.write(async () => 'written')).rejects.toMatchObject({ code: 'storage_busy' })
    const announced = await rotating.locks.acquire(ROTATION_LOCK, { timeoutMs: 0 })
    const written = waiting.write(async () => 'written')
    const changed = waiting.writeState({ term: 0, writes: [] })
    await sleep(200)
    await release()
    await announced?.release()
    expect(await written).toBe('written')
    expect(await changed).toMatchObject({ conflicts: [] })
    await waiting.close()
    await rotating.close()
  })
})
