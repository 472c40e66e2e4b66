// Builds dist. `--js-only` leaves the declarations out, `--if-stale` does nothing when dist is up to date.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import * as esbuild from 'esbuild'
import { BUNDLED_IN_CLI, CLI, hasCli, libraryEntries, ROOT } from './entries.mjs'
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
 * The command line, apart from the library so that it has chunks of its own: few, small, and with the
 * packages of {@link BUNDLED_IN_CLI} inside.
 */
async function buildCli() {
  if (!hasCli()) return undefined
  const out = path.basename(CLI.output, '.js')
  const result = await esbuild.build({
    ...COMMON,
    entryPoints: [{ in: CLI.source, out }],
    chunkNames: 'cli/[name]-[hash]',
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [externalPackages],
    // the same parser as ES modules: smaller, and `await import('yaml')` keeps its named exports
    alias: { yaml: './node_modules/yaml/browser/index.js' },
  })
  const outputFiles = result.outputFiles.map((file) => ({
    path: file.path,
    text: withRuntime(file.path, file.text),
  }))
  return { ...result, outputFiles }
}

/** Leaves every package outside the bundle except the listed ones and what those import. */
const externalPackages = {
  name: 'external-packages',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, ({ path: specifier, kind, importer }) => {
      if (kind === 'entry-point' || path.isAbsolute(specifier)) return undefined
      const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
      if (BUNDLED_IN_CLI.includes(name) || importer.includes('node_modules')) return undefined
      return { path: specifier, external: true }
    })
  },
}

/** Bundled CommonJS packages ask for Node's own modules with `require`, which ES modules lack. */
function withRuntime(file, text) {
  const needsRequire = /\btypeof require\b/.test(text)
  const hashbang = file === path.join(ROOT, CLI.output) ? '#!/usr/bin/env node\n' : ''
  const require_ = needsRequire
    ? 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);\n'
    : ''
  return hashbang + require_ + text.replace(/^#!.*\n/, '')
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
