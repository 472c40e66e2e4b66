import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type RecordedRequest,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../src/entries/testing.js'
import { keymuxBinary, removeSandbox, runProgram } from '../transcripts/harness.js'
import { AGENTS_FOLDER, type Agent, programOf, QUIET } from './agents.js'
import type { Scenario } from './scenarios.js'
import { asksModel, turns } from './turns.js'

/** What a run of an agent came to. */
export interface Run {
  /** `undefined` where it did not end in time. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
  /** Which account each request to a model was sent with: `1`, `2`, or `?` for a credential of neither. */
  readonly accounts: string
  /** What the agent sent to the gateway, as lines of `record-requests.cjs`. */
  readonly recorded: string
}

const PROMPT = 'Run the shell command you are told to, then reply with one short sentence.'
const KEYS: readonly string[] = ['sk-account-one-AAAAAAAAAAAAAAAA', 'sk-account-two-BBBBBBBBBBBBBBBB']
const BASES = { anthropic: '/anthropic', openai: '/openai/v1', gemini: '/gemini', qwen: '/qwen/v1' }

/** A vault with two accounts of a provider, and a home folder in which nothing is configured. */
export class World {
  // Not among temporary files: Gemini CLI trusts no settings in a folder that others may write to.
  readonly sandbox: string = mkdtempSync(join(AGENTS_FOLDER, 'run-'))
  readonly #program = keymuxBinary()
  readonly #agent: Agent
  #upstream: ScriptedUpstream | undefined

  constructor(agent: Agent) {
    this.#agent = agent
    for (const folder of ['home', 'work']) mkdirSync(join(this.sandbox, folder))
    writeFileSync(join(this.sandbox, 'work', 'README.md'), '# A project\n')
  }

  get env(): Record<string, string> {
    return {
      ...QUIET,
      HOME: join(this.sandbox, 'home'),
      SHELL: '/bin/bash',
      KEYMUX_VAULT: join(this.sandbox, 'vault.db'),
      KEYMUX_KEY_FILE: join(this.sandbox, 'vault.key'),
      XDG_STATE_HOME: join(this.sandbox, 'state'),
    }
  }

  /** The command line that starts the agent; behind `node`. */
  line(args: readonly string[]): string[] {
    const recorder = ['-r', join(import.meta.dirname, 'record-requests.cjs')]
    const { provider } = this.#agent
    const agent = programOf(this.#agent) ?? ''
    return [...recorder, this.#program, 'exec', '--gateway', provider, '--', agent, ...args]
  }

  async prepare(scenario: Scenario): Promise<void> {
    const { provider } = this.#agent
    const upstream = await startScriptedUpstream()
    this.#upstream = upstream
    const answer = turns(scenario.turns ?? 0, scenario.signs)
    const keyFile = join(this.sandbox, 'vault.key')
    await this.#keymux(['init', '--key-file', keyFile])
    for (const [index, key] of KEYS.entries()) {
      upstream.respond(scenario.accounts[index]?.(answer) ?? answer, key)
      const id = `${provider}:account-${index + 1}`
      const base = `${upstream.url}${BASES[provider]}`
      await this.#keymux(['add', id, '--stdin', '--priority', String(2 - index), '--base-url', base], key)
    }
  }

  /** Runs the agent once, without a terminal. */
  async run({ limitMs = 90_000 }: Scenario): Promise<Run> {
    const [out, err, record] = ['stdout', 'stderr', 'record'].map((name) => join(this.sandbox, name))
    const { env } = this
    const all = { PATH: process.env.PATH, LANG: 'C.UTF-8', TERM: 'dumb', ...env, RECORD_TO: record }
    const files = [openSync(out ?? '', 'w'), openSync(err ?? '', 'w')] as const
    const child = spawn(process.execPath, this.line(this.#agent.args(PROMPT)), {
      cwd: join(this.sandbox, 'work'),
      env: all,
      stdio: ['ignore', ...files],
      detached: true,
    })
    const code = await new Promise<number | undefined>((resolve) => {
      const limit = setTimeout(() => resolve(undefined), limitMs)
      child.once('exit', (status, signal) => {
        clearTimeout(limit)
        resolve(signal === null ? (status ?? 1) : 128)
      })
    })
    // Whatever the agent left behind in its process group.
    if (child.pid !== undefined) tryToKill(-child.pid)
    for (const file of files) closeSync(file)
    const text = (name: string | undefined): string =>
      name !== undefined && existsSync(name) ? readFileSync(name, 'utf8') : ''
    const accounts = this.#requests.filter(asksModel).map(({ credential = '' }) => accountOf(credential))
    return { code, stdout: text(out), stderr: text(err), accounts: accounts.join(''), recorded: text(record) }
  }

  async close(): Promise<void> {
    await this.#upstream?.close()
    removeSandbox(this.sandbox)
  }

  get #requests(): readonly RecordedRequest[] {
    return this.#upstream?.requests ?? []
  }

  async #keymux(args: readonly string[], stdin = ''): Promise<void> {
    const { code, stderr } = await runProgram(this.#program, args, this.sandbox, { env: this.env, stdin })
    if (code !== 0) throw new Error(`keymux ${args[0]} ended with ${code}: ${stderr}`)
  }
}

function accountOf(credential: string): string {
  const index = KEYS.indexOf(credential)
  return index < 0 ? '?' : String(index + 1)
}

function tryToKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
