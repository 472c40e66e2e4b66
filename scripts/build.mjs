// Builds dist. `--js-only` leaves the declarations out, `--if-stale` does nothing when dist is up to date.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import * as esbuild from 'esbuild'
import { BESIDE_CLI, BUNDLED_IN_CLI, CLI, hasCli, libraryEntries, ROOT } from './entries.mjs'
import { withLock } from './lock.mjs'
import { isBuildFresh, STAMP, sourceDigest } from './stamp.mjs'

const DIST = path.join(ROOT, 'dist')
const NOTICES = path.join(DIST, 'THIRD-PARTY-NOTICES.txt')

const COMMON = {
  absWorkingDir: ROOT,
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  write: false,
}

async function main() {
  if (process.argv.includes('--if-stale') && isBuildFresh()) return 0
  const declarations = !process.argv.includes('--js-only')
  const startedAt = performance.now()
  const digest = sourceDigest()
  const results = [await buildLibrary(), await buildCli()].filter((result) => result !== undefined)
  if (results.length === 0) {
    process.stderr.write('build: there is no entry point yet, nothing to do\n')
    return 0
  }
  const written = new Set(results.flatMap(writeOutputs))
  writeNotices(results, written)
  if (declarations && emitDeclarations(written) !== 0) return 1
  removeStale(written, declarations)
  writeAtomically(STAMP, `${digest}\n`)
  report(results, performance.now() - startedAt)
  return 0
}

/** The library: readable code, every package left to the user's node_modules. */
async function buildLibrary() {
  const entries = libraryEntries()
  if (entries.length === 0) return undefined
  return esbuild.build({
    ...COMMON,
    entryPoints: entries.map(({ source }) => source),
    outbase: 'src',
    chunkNames: 'chunks/[name]-[hash]',
    packages: 'external',
  })
}

/**
 * The command line, apart from the library: one CommonJS file, because Node loads that in a third of the time
 * that it takes for as many ES modules, and a cold start is most of what a command costs. Code of commands
 * that are not run is in the file and is not evaluated.
 */
async function buildCli() {
  if (!hasCli()) return undefined
  const [main, ...beside] = await Promise.all([
    esbuild.build({
      ...CLI_OPTIONS,
      entryPoints: [CLI.source],
      outfile: CLI.output,
      define: { 'import.meta.url': '__fileUrl' },
      banner: {
        js: '#!/usr/bin/env node\nconst __fileUrl=require("node:url").pathToFileURL(__filename).href;',
      },
      plugins: [externalPackages],
    }),
    ...BESIDE_CLI.map((name) =>
      esbuild.build({ ...CLI_OPTIONS, entryPoints: [name], outfile: besideCli(name) }),
    ),
  ])
  return {
    outputFiles: [main, ...beside].flatMap((result) => result.outputFiles),
    metafile: {
      inputs: Object.assign({}, ...[main, ...beside].map((result) => result.metafile.inputs)),
      outputs: Object.assign({}, ...[main, ...beside].map((result) => result.metafile.outputs)),
    },
  }
}

const CLI_OPTIONS = {
  ...COMMON,
  outdir: undefined,
  splitting: false,
  format: 'cjs',
  minifySyntax: true,
  minifyWhitespace: true,
  // Otherwise a line of a shell script inside a text begins with `export`, and the file looks like a module.
  supported: { 'template-literal': false },
}

function besideCli(name) {
  return CLI.output.replace(/\.cjs$/, `-${name}.cjs`)
}

/** Leaves every package outside the bundle except the listed ones and what those import. */
const externalPackages = {
  name: 'external-packages',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, ({ path: specifier, kind, importer }) => {
      if (kind === 'entry-point' || path.isAbsolute(specifier)) return undefined
      const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
      if (BUNDLED_IN_CLI.includes(name) || importer.includes('node_modules')) return undefined
      if (BESIDE_CLI.includes(name)) return { path: `./${path.basename(besideCli(name))}`, external: true }
      return { path: specifier, external: true }
    })
  },
}

/** Chunks first, entry points last and each by renaming: a reader never meets half a build. */
function writeOutputs(result) {
  const entries = new Set(
    Object.entries(result.metafile.outputs)
      .filter(([, output]) => output.entryPoint !== undefined && !output.entryPoint.includes('node_modules'))
      .map(([file]) => path.join(ROOT, file)),
  )
  const files = [...result.outputFiles].sort(
    (a, b) => Number(entries.has(a.path)) - Number(entries.has(b.path)),
  )
  for (const file of files) {
    writeAtomically(file.path, file.text, file.path === path.join(ROOT, CLI.output) ? 0o755 : 0o644)
  }
  return files.map((file) => file.path)
}

function writeAtomically(file, text, mode = 0o644) {
  mkdirSync(path.dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}.tmp`
  writeFileSync(temporary, text, { mode })
  renameSync(temporary, file)
}

/** The licences of the packages that the command line carries. */
function writeNotices(results, written) {
  const packages = new Set()
  for (const input of results.flatMap((result) => Object.keys(result.metafile.inputs))) {
    const match = /^(node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)
    if (match) packages.add(match[1])
  }
  if (packages.size === 0) return
  const sections = [...packages].sort().map((folder) => {
    const { name, version } = JSON.parse(readFileSync(path.join(ROOT, folder, 'package.json'), 'utf8'))
    const licence = readdirSync(path.join(ROOT, folder)).find((file) => /^licen[cs]e/i.test(file))
    if (licence === undefined) throw new Error(`${name} has no licence file, so it cannot be bundled`)
    return `${name} ${version}\n\n${readFileSync(path.join(ROOT, folder, licence), 'utf8').trim()}\n`
  })
  writeAtomically(NOTICES, sections.join(`\n${'-'.repeat(72)}\n\n`))
  written.add(NOTICES)
}

function emitDeclarations(written) {
  if (libraryEntries().length === 0) return 0
  const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc')
  const result = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--listEmittedFiles'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  const lines = (result.stdout ?? '').split(/\r?\n/)
  for (const line of lines) {
    if (line.startsWith('TSFILE: ')) written.add(path.resolve(ROOT, line.slice('TSFILE: '.length)))
    else if (line !== '') process.stderr.write(`${line}\n`)
  }
  return result.status ?? 1
}

/** Removes what an earlier build left. Declarations stay when this build made none. */
function removeStale(written, declarations) {
  for (const entry of readdirSync(DIST, { withFileTypes: true, recursive: true })) {
    const file = path.join(entry.parentPath ?? entry.path, entry.name)
    if (!entry.isFile() || written.has(file) || file === STAMP) continue
    if (!declarations && file.endsWith('.d.ts')) continue
    rmSync(file, { force: true })
  }
}

function report(results, milliseconds) {
  const outputs = results.flatMap((result) => Object.values(result.metafile.outputs))
  const kilobytes = Math.round(outputs.reduce((sum, { bytes }) => sum + bytes, 0) / 1024)
  const seconds = (milliseconds / 1000).toFixed(1)
  process.stderr.write(`build: ${outputs.length} files, ${kilobytes} kB, ${seconds} s\n`)
}

try {
  process.exitCode = await withLock(main)
} catch (error) {
  // esbuild has printed its own diagnostics already
  if (!Array.isArray(error?.errors)) process.stderr.write(`build: ${error?.message ?? error}\n`)
  process.exitCode = 1
}
