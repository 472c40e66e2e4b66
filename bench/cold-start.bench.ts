import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { median, report, withFolder } from './support.js'

const RUNS = 21
const CLI = join(process.env.KEYMUX_BENCH_ROOT ?? '.', 'dist', 'cli.cjs')

await withFolder(async (folder) => {
  const env = { PATH: process.env.PATH, HOME: folder, KEYMUX_KEY_FILE: join(folder, 'key') }
  const run = (args: string[], input?: string): number => {
    const begin = performance.now()
    const { status, stderr } = spawnSync(process.execPath, args, {
      env,
      ...(input === undefined ? {} : { input }),
    })
    const took = performance.now() - begin
    if (status !== 0) throw new Error(`${args.join(' ')}: ${String(stderr)}`)
    return took
  }
  run([CLI, 'init', '--key-file', join(folder, 'key')])
  for (const name of ['a', 'b', 'c']) run([CLI, 'add', `openai:${name}`, '--stdin'], `sk-${name}`)
  const bare: number[] = []
  const resolve: number[] = []
  const version: number[] = []
  const help: number[] = []
  for (let index = 0; index < RUNS; index += 1) {
    bare.push(run(['-e', '0']))
    resolve.push(run([CLI, 'resolve', 'openai']))
    version.push(run([CLI, '--version']))
    help.push(run([CLI, '--help']))
  }
  report({ what: 'node -e 0', value: median(bare), unit: 'ms' })
  report({ what: 'keymux resolve from cold, key-file slot', value: median(resolve), unit: 'ms' })
  report({
    what: 'keymux resolve, over node -e 0',
    value: median(resolve) - median(bare),
    unit: 'ms',
    target: 50,
  })
  for (const [what, times] of [
    ['keymux --version, over node -e 0', version],
    ['keymux --help, over node -e 0', help],
  ] as const) {
    report({ what, value: median(times) - median(bare), unit: 'ms', target: 20 })
  }
})
