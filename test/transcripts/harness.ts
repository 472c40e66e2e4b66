import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawn as spawnPty } from '@lydell/node-pty'
import { build } from 'esbuild'

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

const CONTROL_SEQUENCE = new RegExp(`${'\u001b'}\\[[0-9;?]*[A-Za-z]`, 'g')

/** A program to run: an ES module for this Node. */
export type Program = string

/** How to run it. */
export interface RunOptions {
  /** Bytes for standard input, which then ends. Absent: an empty one. */
  readonly stdin?: string | Uint8Array
  /** Added to a bare environment: PATH and a home folder of its own. `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** Text that file descriptor 3 gives. */
  readonly fd3?: string
  /** Milliseconds after which it is killed; 30,000 by default. */
  readonly timeout?: number
}

/** What a program left behind. */
export interface RunResult {
  /** Its exit status; 128 and the number of the signal that ended it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A program in a pseudo-terminal. Nothing but what `screen` holds tells what it is doing. */
export interface TerminalSession {
  /** Everything it wrote so far. */
  readonly screen: () => string
  readonly pid: number
  /** Resolves when what it writes from here on matches; rejects when it ends or `timeout` passes first. */
  waitFor(pattern: RegExp | string): Promise<void>
  /** Types. A return is `\r`. */
  type(text: string): void
  resize(columns: number): void
  kill(signal: NodeJS.Signals): void
  /** Resolves when it has ended. */
  readonly ended: Promise<{ readonly code: number; readonly screen: string }>
}

/** Options of a program in a pseudo-terminal. */
export interface TerminalOptions extends Pick<RunOptions, 'env' | 'cwd' | 'timeout'> {
  /** 80 by default. */
  readonly columns?: number
}

/** A folder for one test file: homes of the programs it runs. Removed by {@link removeSandbox}. */
export function makeSandbox(): string {
  return mkdtempSync(path.join(tmpdir(), 'keymux-test-'))
}

/** Removes what {@link makeSandbox} made. */
export function removeSandbox(sandbox: string): void {
  rmSync(sandbox, { recursive: true, force: true })
}

/** The built command line; builds it first when the sources have changed since. */
export function keymuxBinary(): Program {
  const script = path.join(ROOT, 'scripts/build.mjs')
  const { status, stderr } = spawnSync(process.execPath, [script, '--if-stale', '--js-only'], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`the command line cannot be built:\n${stderr}`)
  return path.join(ROOT, 'dist/cli.cjs')
}

/** Bundles a few lines of TypeScript that import from `src/…` into a program, for tests of single parts. */
export async function bundleProgram(source: string, folder: string): Promise<Program> {
  const file = path.join(folder, `program-${Math.abs(hash(source))}.mjs`)
  mkdirSync(folder, { recursive: true })
  await build({
    stdin: { contents: source, resolveDir: ROOT, loader: 'ts' },
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Loaded when a vault is opened, which single parts do not; native files cannot be bundled.
    external: ['@node-rs/argon2', '@photostructure/sqlite'],
    logLevel: 'silent',
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
  })
  return file
}

/** Runs a program without a terminal and waits for its end. */
export function runProgram(
  program: Program,
  args: readonly string[],
  sandbox: string,
  options: RunOptions = {},
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: options.cwd ?? sandbox,
      env: environment(sandbox, options.env),
      stdio: ['pipe', 'pipe', 'pipe', options.fd3 === undefined ? 'ignore' : 'pipe'],
      // A session of its own: no terminal of the developer's can be asked anything.
      detached: true,
      timeout: options.timeout ?? 30_000,
      killSignal: 'SIGKILL',
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(options.stdin ?? '')
    const third = child.stdio[3]
    if (options.fd3 !== undefined && third instanceof Object && 'end' in third) third.end(options.fd3)
    child.once('error', reject)
    child.once('close', (code, signal) =>
      resolve({
        code: code ?? 128 + (signalNumber(signal) ?? 0),
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    )
  })
}

/** Runs a program in a pseudo-terminal. */
export function runInTerminal(
  program: Program,
  args: readonly string[],
  sandbox: string,
  options: TerminalOptions = {},
): TerminalSession {
  return terminalSession(process.execPath, [program, ...args], sandbox, options)
}

/** Runs any command, such as a shell, in a pseudo-terminal. */
export function terminalSession(
  command: string,
  args: readonly string[],
  sandbox: string,
  options: TerminalOptions = {},
): TerminalSession {
  const pty = spawnPty(command, [...args], {
    cols: options.columns ?? 80,
    rows: 24,
    cwd: options.cwd ?? sandbox,
    env: environment(sandbox, { TERM: 'xterm-256color', ...options.env }),
  })
  let screen = ''
  let seen = 0
  let over = false
  const waiting = new Set<() => void>()
  const wake = (): void => {
    for (const check of [...waiting]) check()
  }
  pty.onData((data) => {
    screen += data
    wake()
  })
  const timeout = options.timeout ?? 30_000
  const ended = new Promise<{ code: number; screen: string }>((resolve) => {
    const killer = setTimeout(() => pty.kill('SIGKILL'), timeout)
    pty.onExit(({ exitCode, signal }) => {
      clearTimeout(killer)
      over = true
      wake()
      resolve({ code: signal !== undefined && signal > 0 ? 128 + signal : exitCode, screen })
    })
  })
  return {
    screen: () => screen,
    pid: pty.pid,
    ended,
    type: (text) => pty.write(text),
    resize: (columns) => pty.resize(columns, 24),
    kill: (signal) => process.kill(pty.pid, signal),
    waitFor(pattern) {
      return new Promise((resolve, reject) => {
        const check = (): void => {
          const found =
            typeof pattern === 'string' ? literal(screen, pattern, seen) : matched(screen, pattern, seen)
          if (found === undefined && !over) return
          waiting.delete(check)
          if (found === undefined) {
            reject(new Error(`it ended without ${pattern}; after:\n${screen.slice(seen)}`))
          } else {
            seen = found
            resolve()
          }
        }
        waiting.add(check)
        check()
      })
    },
  }
}

/** The screen without colours and cursor movements, lines ending in a line feed. */
export function plainScreen(screen: string): string {
  return screen.replaceAll(CONTROL_SEQUENCE, '').replaceAll('\r\n', '\n')
}

function environment(sandbox: string, extra: RunOptions['env'] = {}): Record<string, string> {
  const all = { PATH: process.env.PATH, HOME: sandbox, TZ: 'UTC', LC_ALL: 'C.UTF-8', ...extra }
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

function literal(screen: string, text: string, from: number): number | undefined {
  const at = screen.indexOf(text, from)
  return at < 0 ? undefined : at + text.length
}

function matched(screen: string, pattern: RegExp, from: number): number | undefined {
  const match = pattern.exec(screen.slice(from))
  return match === null ? undefined : from + match.index + match[0].length
}

function signalNumber(signal: NodeJS.Signals | null): number | undefined {
  const numbers: Partial<Record<NodeJS.Signals, number>> = {
    SIGHUP: 1,
    SIGINT: 2,
    SIGKILL: 9,
    SIGPIPE: 13,
    SIGTERM: 15,
  }
  return signal === null ? undefined : numbers[signal]
}

function hash(text: string): number {
  let value = 0
  for (let at = 0; at < text.length; at += 1) value = (value * 31 + text.charCodeAt(at)) | 0
  return value
}
