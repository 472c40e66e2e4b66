import { mkdirSync } from 'node:fs'
import path from 'node:path'
import {
  keymuxBinary,
  makeSandbox,
  type RunOptions,
  type RunResult,
  removeSandbox,
  runInTerminal,
  runProgram,
  type TerminalOptions,
  type TerminalSession,
} from './harness.js'

/** A person with a home folder of his own, at the real command line. */
export interface Home {
  readonly folder: string
  /** Where the vault is unless told otherwise. */
  readonly vault: string
  /** The key file that opens it; in the environment of every command line. */
  readonly keyFile: string
  readonly at: (...parts: string[]) => string
  run(args: readonly string[], options?: RunOptions): Promise<RunResult>
  /** Runs it with `--json`, expects exit 0, and gives the document. */
  json(args: readonly string[], options?: RunOptions): Promise<unknown>
  terminal(args: readonly string[], options?: TerminalOptions): TerminalSession
}

/** Homes of one test file. */
export interface Homes {
  make(): Home
  dispose(): void
}

/** Builds the command line if need be. */
export function makeHomes(): Homes {
  const sandbox = makeSandbox()
  const binary = keymuxBinary()
  let made = 0
  return {
    make() {
      made += 1
      const folder = path.join(sandbox, `home-${made}`)
      mkdirSync(folder)
      return home(binary, folder)
    },
    dispose: () => removeSandbox(sandbox),
  }
}

function home(binary: string, folder: string): Home {
  const keyFile = path.join(folder, 'vault.key')
  const withKey = <T extends Pick<RunOptions, 'env'>>(options: T): T => ({
    ...options,
    env: { KEYMUX_KEY_FILE: keyFile, ...options.env },
  })
  const run: Home['run'] = (args, options = {}) => runProgram(binary, args, folder, withKey(options))
  return {
    folder,
    keyFile,
    vault: path.join(folder, '.local/share/keymux/vault.db'),
    at: (...parts) => path.join(folder, ...parts),
    run,
    async json(args, options) {
      const { code, stdout, stderr } = await run([...args, '--json'], options)
      if (code !== 0 || stderr !== '') throw new Error(`exit ${code}: ${stderr}${stdout}`)
      return JSON.parse(stdout) as unknown
    },
    terminal: (args, options = {}) => runInTerminal(binary, args, folder, withKey(options)),
  }
}

/** What a command line that fails leaves: nothing on standard output, one line of error. */
export function failure(code: number, line: unknown): RunResult {
  return { code, stdout: '', stderr: line as string }
}
