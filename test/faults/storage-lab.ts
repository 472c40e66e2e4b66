import {
  type ChildProcessWithoutNullStreams,
  type SpawnOptionsWithoutStdio,
  spawn,
  spawnSync,
} from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** A folder of its own for one test file, and the programs that its tests run as other processes. */
export interface Lab {
  readonly folder: string
  /** Bundles `programs/NAME.ts` for node, once. */
  program(name: string): Promise<string>
  dispose(): void
}

export function makeLab(): Lab {
  const folder = mkdtempSync(join(tmpdir(), 'keymux-faults-'))
  // Another user runs a program of it in one of the tests.
  chmodSync(folder, 0o711)
  const bundles = new Map<string, Promise<string>>()
  return {
    folder,
    program(name) {
      const bundle = bundles.get(name) ?? bundleProgram(name, folder)
      bundles.set(name, bundle)
      return bundle
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  }
}

async function bundleProgram(name: string, folder: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`)
  await build({
    entryPoints: [fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'silent',
    plugins: [
      {
        name: 'packages stay where they are',
        setup(context) {
          context.onResolve({ filter: /^(?:@|undici$|socks$)/ }, ({ path }) => ({
            path: import.meta.resolve(path),
            external: true,
          }))
        },
      },
    ],
  })
  return outfile
}

/** What a finished program said. */
export interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly lines: readonly string[]
  readonly errors: string
}

/** A program under way. */
export interface Running {
  readonly child: ChildProcessWithoutNullStreams
  /** Every line it has printed so far. */
  readonly lines: readonly string[]
  /** Resolves with the next line that `wanted` holds for, past ones included. Rejects when the program ends without. */
  line(wanted: (line: string) => boolean): Promise<string>
  readonly ended: Promise<Outcome>
}

/** Starts a command and collects what it prints. */
export function start(
  command: string,
  args: readonly string[],
  options: SpawnOptionsWithoutStdio = {},
): Running {
  const child = spawn(command, args, options)
  const lines: string[] = []
  const waiting = new Set<() => void>()
  let errors = ''
  let over = false
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  child.stdin.on('error', () => undefined)
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    for (const look of [...waiting]) look()
  })
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      over = true
      for (const look of [...waiting]) look()
      resolve({ code, signal, lines, errors })
    })
  })
  const line = (wanted: (line: string) => boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = lines.find(wanted)
        if (found === undefined && !over) return
        waiting.delete(look)
        if (found === undefined) reject(new Error(`the program ended: ${lines.join(' | ')} ${errors}`))
        else resolve(found)
      }
      waiting.add(look)
      look()
    })
  return { child, lines, line, ended }
}

/** A store in another process. */
export interface RemoteStore {
  readonly child: ChildProcessWithoutNullStreams
  /** Sends a command of `programs/storage-shell.ts` and gives the answer: `ok VALUE` or `error CODE`. */
  run(command: string): Promise<string>
  /** Lets it end by itself. */
  end(): Promise<Outcome>
}

/** Starts a store in another process, behind `prefix` where it needs a place of its own. */
export async function startRemote(
  lab: Lab,
  prefix: readonly string[] = [],
  options: SpawnOptionsWithoutStdio = {},
): Promise<RemoteStore> {
  const program = await lab.program('storage-shell')
  const [command = '', ...args] = [...prefix, process.execPath, program]
  const running = start(command, args, options)
  let asked = 0
  return {
    child: running.child,
    async run(line) {
      const turn = asked++
      running.child.stdin.write(`${line}\n`)
      await running.line(() => running.lines.length > turn)
      return running.lines[turn] ?? ''
    },
    end() {
      running.child.stdin.end()
      return running.ended
    },
  }
}

/** How to run a command in mount points of its own, or why that is not possible here. */
export function privateMounts(): { readonly command: readonly string[] } | { readonly missing: string } {
  if (process.platform !== 'linux') return { missing: 'private mount points need Linux' }
  for (const command of [
    ['unshare', '-m'],
    ['unshare', '-rm'],
  ]) {
    const [program = '', ...args] = command
    const probe = spawnSync(program, [...args, 'sh', '-c', 'mount -t tmpfs none /mnt'], { stdio: 'ignore' })
    if (probe.status === 0) return { command }
  }
  return { missing: 'this user may not make private mount points' }
}

/** Repeatable pseudo-random numbers in [0, 1) (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
