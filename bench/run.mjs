// Prints every figure that keymux promises, measured here and now. `--json` prints one JSON document,
// names select: `npm run bench -- resolve write`.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const HERE = path.dirname(fileURLToPath(import.meta.url))
const ROOT = path.resolve(HERE, '..')
const args = process.argv.slice(2)
const json = args.includes('--json')
const wanted = args.filter((arg) => !arg.startsWith('-'))

const names = readdirSync(HERE)
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.replace('.bench.ts', ''))
  .sort()
const usage = `npm run bench -- [--json] [NAME...]: all of ${names.join(', ')}, or those that are named`
if (args.includes('--help')) {
  console.log(usage)
  process.exit(0)
}
for (const arg of args) {
  if (arg === '--json' || names.includes(arg)) continue
  console.error(`bench: there is no "${arg}"; ${usage}`)
  process.exit(2)
}

// Inside node_modules, so that the bundles find the packages they import.
const folder = mkdtempSync(path.join(ROOT, 'node_modules', '.keymux-bench-'))
try {
  await build({
    entryPoints: names.map((name) => path.join(HERE, `${name}.bench.ts`)),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
  })
  const rows = []
  for (const name of wanted.length > 0 ? wanted : names) rows.push(...(await measure(name)))
  if (json) console.log(JSON.stringify({ machine: machine(), rows }, null, 2))
  else print(rows)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Runs one file in a process of its own; it prints one JSON row a line. */
function measure(name) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--expose-gc', path.join(folder, `${name}.bench.mjs`)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, KEYMUX_BENCH_ROOT: ROOT },
    })
    let out = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code !== 0) return reject(new Error(`${name} ended with ${code}`))
      const lines = out.split('\n').filter((line) => line.startsWith('{'))
      resolve(lines.map((line) => ({ bench: name, ...JSON.parse(line) })))
    })
  })
}

function machine() {
  return {
    node: process.version,
    cores: os.cpus().length,
    cpu: os.cpus()[0]?.model ?? 'unknown',
    load: os.loadavg()[0],
  }
}

function print(rows) {
  const { node, cores, cpu, load } = machine()
  console.log(`Node ${node}, ${cores} cores, ${cpu}, load ${load?.toFixed(2)}\n`)
  const cells = rows.map((row) => [
    row.bench,
    row.what,
    `${format(row.value)} ${row.unit}`,
    row.target === undefined ? '' : `${row.atLeast ? '>=' : '<='} ${format(row.target)} ${row.unit}`,
    row.target === undefined
      ? ''
      : (row.atLeast ? row.value >= row.target : row.value <= row.target)
        ? 'reached'
        : 'missed',
  ])
  const head = ['bench', 'what', 'median', 'target', '']
  const widths = head.map((text, column) => Math.max(text.length, ...cells.map((row) => row[column].length)))
  for (const row of [head, ...cells])
    console.log(
      row
        .map((text, column) => text.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
}

function format(value) {
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(2) : value.toPrecision(3)
}
