/** A program that starts another one, which its command line names. */
export interface Launcher {
  readonly names: readonly string[]
  /** What has to follow its name, one of these: `pnpm dlx`. Absent: nothing. */
  readonly words?: readonly string[]
  /** Options that take the next argument as their value. */
  readonly valued?: readonly string[]
  /** Arguments of its own before the program's name: the duration of `timeout`. */
  readonly own?: number
  /** `NAME=VALUE` arguments come before the program's name. */
  readonly assigns?: boolean
  /** What it starts: a program, one that a package brings, a script, or a command line in one argument. */
  readonly starts: 'program' | 'package' | 'script'
  /** Options whose value is a whole command line. */
  readonly line?: readonly string[]
  /** Options whose value is the name of a module or package to run. */
  readonly module?: readonly string[]
}

const NPM_VALUED = ['-p', '--package', '-w', '--workspace', '--prefix', '--registry', '--loglevel', '--cache']
const NODE_VALUED = [
  '-r',
  '--require',
  '--import',
  '--loader',
  '--experimental-loader',
  '-C',
  '--conditions',
  '--env-file',
  '--env-file-if-exists',
  '--title',
  '--config',
  '--tsconfig',
  '--preload',
  '--cwd',
]
const SHELLS = ['sh', 'bash', 'zsh', 'dash', 'ksh', 'fish', 'ash', 'busybox']

/** The launchers that are seen through. */
export const LAUNCHERS: readonly Launcher[] = [
  {
    names: ['env'],
    valued: ['-u', '--unset', '-C', '--chdir'],
    line: ['-S', '--split-string'],
    assigns: true,
    starts: 'program',
  },
  { names: ['nice'], valued: ['-n', '--adjustment'], starts: 'program' },
  { names: ['nohup', 'setsid', 'caffeinate', 'command', 'exec'], starts: 'program' },
  { names: ['time'], valued: ['-f', '--format', '-o', '--output'], starts: 'program' },
  { names: ['timeout'], valued: ['-k', '--kill-after', '-s', '--signal'], own: 1, starts: 'program' },
  {
    names: ['stdbuf'],
    valued: ['-i', '-o', '-e', '--input', '--output', '--error'],
    starts: 'program',
  },
  { names: ['ionice'], valued: ['-c', '--class', '-n', '--classdata'], starts: 'program' },
  { names: ['mise', 'rtx'], words: ['exec', 'x'], valued: ['-C', '--cd', '-c', '-j'], starts: 'program' },
  { names: ['volta'], words: ['run'], valued: ['--node', '--npm', '--pnpm', '--yarn'], starts: 'program' },
  { names: ['fnm'], words: ['exec'], valued: ['--using'], starts: 'program' },
  { names: ['direnv'], words: ['exec'], own: 1, starts: 'program' },
  { names: ['op', 'doppler', 'infisical', 'dotenvx'], words: ['run'], starts: 'program' },
  { names: ['npx', 'pnpx'], valued: NPM_VALUED, line: ['-c', '--call'], starts: 'package' },
  { names: ['npm'], words: ['exec', 'x'], valued: NPM_VALUED, line: ['-c', '--call'], starts: 'package' },
  { names: ['pnpm'], words: ['dlx', 'exec', 'x'], valued: ['--package', '-C', '--dir'], starts: 'package' },
  { names: ['yarn'], words: ['dlx', 'exec', 'run'], valued: ['-p', '--package'], starts: 'package' },
  { names: ['bunx'], valued: ['-p', '--package'], starts: 'package' },
  { names: ['bun'], words: ['x'], valued: ['-p', '--package'], starts: 'package' },
  { names: ['deno'], words: ['run', 'x'], valued: ['-c', '--config'], starts: 'package' },
  { names: ['uvx'], valued: ['--from', '--with', '-p', '--python'], starts: 'package' },
  { names: ['uv'], words: ['run'], valued: ['--with', '-p', '--python'], starts: 'package' },
  { names: ['pipx'], words: ['run'], valued: ['--spec', '--python'], starts: 'package' },
  {
    names: ['node', 'nodejs', 'tsx', 'bun'],
    valued: NODE_VALUED,
    starts: 'script',
  },
  { names: ['python', 'python3'], valued: ['-W', '-X'], module: ['-m'], starts: 'script' },
  { names: SHELLS, valued: ['-o', '+o', '--rcfile', '--init-file'], line: ['-c'], starts: 'script' },
]
