import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, extname, join } from 'node:path'
import { isatty } from 'node:tty'
import { KeymuxError } from '../../domain/errors.js'
import { quote } from '../../domain/ids.js'
import { type Interrupts, signalStatus } from './interrupts.js'

/** A program to run in place of keymux. */
export interface ChildRequest {
  readonly command: string
  readonly args: readonly string[]
  /** The child's whole environment. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly interrupts: Interrupts
}

/** Sent on whoever sent them. */
const FORWARDED: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']
/** A terminal sends these to every process in its foreground, the child included. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGWINCH']
/** Windows knows the others by name only; a console's Ctrl-C reaches the child by itself. */
const ON_WINDOWS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGHUP', 'SIGBREAK']

/**
 * Runs a program with keymux's own standard streams, never through a shell, and gives the exit status to
 * end with: the child's own, or 128 and the number of the signal that ended it. Signals pass through.
 *
 * @throws KeymuxError `program_not_found` (127), `program_not_runnable` (126)
 */
export async function runChild({ command, args, env, interrupts }: ChildRequest): Promise<number> {
  if (command === '') throw new KeymuxError('program_not_found', 'the name of the program is empty')
  if ([command, ...args].some((text) => text.includes('\0'))) {
    throw new KeymuxError('program_not_runnable', 'a NUL character cannot be passed to a program')
  }
  const shim = process.platform === 'win32' ? findShim(command, env, existsSync) : undefined
  if (shim !== undefined) throw shimError(shim)
  // Before the start, so that no signal falls in between.
  let child: ChildProcess | undefined
  const release = passSignals(interrupts, (signal) => child?.kill(signal))
  try {
    return await new Promise<number>((resolve, reject) => {
      child = spawn(command, args, { env, stdio: 'inherit', shell: false, windowsHide: false })
      child.once('error', reject)
      child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : signalStatus(signal)))
    })
  } catch (error) {
    throw startError(command, error)
  } finally {
    release()
  }
}

function passSignals(interrupts: Interrupts, kill: (signal: NodeJS.Signals) => void): () => void {
  if (process.platform === 'win32') return interrupts.take(ON_WINDOWS, () => {})
  const releases = [
    interrupts.take(FORWARDED, kill),
    interrupts.take(FROM_TERMINAL, (signal) => {
      if (!inForeground()) kill(signal)
    }),
  ]
  return () => {
    for (const release of releases) release()
  }
}

/**
 * Whether this process is in the foreground of a terminal: Ctrl-C then reaches the child without our help,
 * and a second SIGINT would count as a second Ctrl-C.
 */
function inForeground(): boolean {
  if (process.platform !== 'linux') return isatty(0) || isatty(2)
  try {
    return isForeground(readFileSync('/proc/self/stat', 'utf8'))
  } catch {
    return false
  }
}

/** Reads proc_pid_stat(5): fields 5 and 8 are our process group and the terminal's foreground one. */
export function isForeground(stat: string): boolean {
  // The second field, in parentheses, may itself contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [group, foreground] = [fields[2], fields[5]]
  return group !== undefined && group === foreground
}

function startError(command: string, error: unknown): KeymuxError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  if (code === 'ENOENT') {
    return new KeymuxError('program_not_found', `there is no program ${quote(command)}`, {
      hint: 'check its name and PATH; a script may name a missing interpreter',
      cause: error,
    })
  }
  return new KeymuxError('program_not_runnable', `${quote(command)} cannot be run (${code})`, {
    ...(code === 'EACCES' ? { hint: 'is it a file that may be executed?' } : {}),
    cause: error,
  })
}

/**
 * The batch file that a name stands for on Windows, where no program of that name comes before it. Batch
 * files run in cmd.exe, which reads their arguments as commands: they are refused.
 */
export function findShim(
  command: string,
  env: Readonly<Record<string, string | undefined>>,
  exists: (path: string) => boolean,
): string | undefined {
  if (/\.(cmd|bat)$/i.test(command)) return command
  const folders = /[\\/]/.test(command) ? [''] : (env.PATH ?? env.Path ?? '').split(delimiter)
  for (const folder of folders) {
    const base = folder === '' ? command : join(folder, command)
    if (extname(base) !== '' && exists(base)) return undefined
    if (['.com', '.exe'].some((extension) => exists(base + extension))) return undefined
    const batch = ['.cmd', '.bat'].map((extension) => base + extension).find(exists)
    if (batch !== undefined) return batch
  }
  return undefined
}

function shimError(path: string): KeymuxError {
  return new KeymuxError(
    'program_not_runnable',
    `${quote(path)} is a batch file, which cannot be run safely`,
    {
      hint: 'name the program behind it, such as node PATH\\TO\\SCRIPT.js',
    },
  )
}
