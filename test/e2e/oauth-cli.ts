import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Running } from '../faults/storage-lab.js'
import { start } from '../faults/storage-lab.js'
import {
  keymuxBinary,
  makeSandbox,
  type RunResult,
  removeSandbox,
  runInTerminal,
  runProgram,
  type TerminalSession,
} from '../transcripts/harness.js'

/** A home folder with a vault, and the built command line in it. */
export interface CliHome {
  readonly folder: string
  run(...args: string[]): Promise<RunResult>
  /** Starts a command that goes on while the test does something else. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Running
  /** Runs a command in a pseudo-terminal. */
  terminal(args: readonly string[]): TerminalSession
  dispose(): void
}

/** Makes a vault whose config declares the provider `corp`. */
export async function makeHome(corp: object): Promise<CliHome> {
  const binary = keymuxBinary()
  const folder = makeSandbox()
  const key = join(folder, 'key')
  const env = { KEYMUX_KEY_FILE: key }
  mkdirSync(join(folder, '.config', 'keymux'), { recursive: true })
  writeFileSync(join(folder, '.config', 'keymux', 'config.yaml'), JSON.stringify({ providers: { corp } }))
  const run = (...args: string[]): Promise<RunResult> => runProgram(binary, args, folder, { env })
  expect(await runProgram(binary, ['init', '--key-file', key], folder)).toMatchObject({ code: 0 })
  return {
    folder,
    run,
    start: (args, extra = {}) =>
      start(process.execPath, [binary, ...args], {
        cwd: folder,
        // A session of its own: no terminal can be asked anything.
        detached: true,
        env: { PATH: process.env.PATH, HOME: folder, TZ: 'UTC', LC_ALL: 'C.UTF-8', ...env, ...extra },
      }),
    terminal: (args) => runInTerminal(binary, args, folder, { env, columns: 300 }),
    dispose: () => removeSandbox(folder),
  }
}

/** The next JSON event of the wanted kind on standard output. */
export async function event(running: Running, kind: string): Promise<Record<string, unknown>> {
  const line = await running.line((text) => text.includes(`"event":"${kind}"`))
  return JSON.parse(line) as Record<string, unknown>
}
