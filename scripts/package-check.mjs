// Packs the package and looks at it the way a user meets it: publint, attw, every entry point imported and
// type-checked from outside, the command line started.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { CLI, hasCli, libraryEntries, ROOT } from './entries.mjs'
import { runNode, runNpm } from './processes.mjs'

const MANIFEST = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
// Inside node_modules, so that the packed package finds its dependencies without an installation.
const CONSUMER = path.join(ROOT, 'node_modules', '.cache', `keymux-consumer-${process.pid}`)
const INSTALLED = path.join(CONSUMER, 'node_modules', MANIFEST.name)

const failures = []
const scratch = mkdtempSync(path.join(os.tmpdir(), 'keymux-pack-'))
try {
  const tarball = await pack()
  const files = unpack(readFileSync(tarball))
  checkContents(files)
  await checkPublint(tarball)
  if (libraryEntries().length > 0) {
    await checkAttw(tarball)
    await checkImports()
    await checkTypes()
  }
  if (hasCli()) await checkCli()
} finally {
  rmSync(scratch, { recursive: true, force: true })
  rmSync(CONSUMER, { recursive: true, force: true })
}
for (const failure of failures) process.stderr.write(`${failure.trimEnd()}\n`)
process.exitCode = failures.length === 0 ? 0 : 1

async function pack() {
  const args = ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', scratch]
  const { code, output } = await runNpm(args, { capture: true })
  if (code !== 0) throw new Error(`npm pack failed:\n${output}`)
  return path.join(scratch, `${MANIFEST.name}-${MANIFEST.version}.tgz`)
}

/** Writes the tarball's files where a user would have them; gives their names. */
function unpack(tarball) {
  const archive = gunzipSync(tarball)
  const names = []
  for (let offset = 0; offset + 512 <= archive.length; ) {
    const field = (from, to) => archive.toString('utf8', offset + from, offset + to).split('\0', 1)[0]
    const size = Number.parseInt(field(124, 136) || '0', 8)
    const prefix = field(345, 500)
    const name = `${prefix === '' ? '' : `${prefix}/`}${field(0, 100)}`.replace(/^package\//, '')
    if (field(156, 157) === '0' && name !== '') {
      const target = path.join(INSTALLED, name)
      mkdirSync(path.dirname(target), { recursive: true })
      writeFileSync(target, archive.subarray(offset + 512, offset + 512 + size))
      names.push(name)
    }
    offset += 512 + Math.ceil(size / 512) * 512
  }
  return names
}

function checkContents(files) {
  for (const file of files) {
    if (/\.(map|tsbuildinfo|tmp)$|\.test\.|^dist\/\.|^(src|test|scripts)\//.test(file)) {
      failures.push(`the package holds ${file}, which is of no use to users`)
    }
  }
  for (const file of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md']) {
    if (!files.includes(file)) failures.push(`the package holds no ${file}`)
  }
  process.stdout.write(`${files.length} files\n`)
}

async function checkPublint(tarball) {
  const { messages, pkg } = await publint({
    pack: { tarball: new Uint8Array(readFileSync(tarball)).buffer },
    strict: true,
  })
  for (const message of messages) {
    // where the project is hosted is not for a clone to say
    if (message.code === 'USE_REPOSITORY_FIELD' || message.type === 'suggestion') continue
    failures.push(`publint: ${formatMessage(message, pkg, { color: false })}`)
  }
}

async function checkAttw(tarball) {
  const script = 'node_modules/@arethetypeswrong/cli/dist/index.js'
  const args = [script, tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-color', '--no-emoji']
  const { code, output } = await runNode(args, { capture: true })
  if (code !== 0) failures.push(`attw:\n${output}`)
}

function specifiers() {
  return libraryEntries().map(({ subpath }) => `${MANIFEST.name}${subpath.slice(1)}`)
}

async function checkImports() {
  const source = `
    import manifest from '${MANIFEST.name}/package.json' with { type: 'json' }
    if (manifest.version !== '${MANIFEST.version}') throw new Error('package.json cannot be imported')
    for (const name of ${JSON.stringify(specifiers())}) {
      if (Object.keys(await import(name)).length === 0) throw new Error(name + ' exports nothing')
    }`
  writeFileSync(path.join(CONSUMER, 'import.mjs'), source)
  const { code, output } = await runNode(['--no-warnings', 'import.mjs'], { capture: true, cwd: CONSUMER })
  if (code !== 0) failures.push(`importing the packed entry points failed:\n${output}`)
}

/** What the declarations need must come with them: no skipLibCheck here. */
async function checkTypes() {
  const lines = specifiers().map(
    (name, index) => `import * as entry${index} from '${name}'\nvoid entry${index}`,
  )
  writeFileSync(path.join(CONSUMER, 'consumer.mts'), lines.join('\n'))
  for (const [module, moduleResolution] of [
    ['node16', 'node16'],
    ['esnext', 'bundler'],
  ]) {
    const compilerOptions = {
      ...{ module, moduleResolution, target: 'es2022', lib: ['es2022', 'esnext.disposable'] },
      ...{
        strict: true,
        exactOptionalPropertyTypes: true,
        types: ['node'],
        noEmit: true,
        skipLibCheck: false,
      },
    }
    writeFileSync(
      path.join(CONSUMER, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['consumer.mts'] }),
    )
    const args = [path.join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.']
    const { code, output } = await runNode(args, { capture: true, cwd: CONSUMER })
    if (code !== 0) failures.push(`type-checking a consumer (${moduleResolution}) failed:\n${output}`)
  }
}

async function checkCli() {
  const script = path.join(INSTALLED, CLI.output)
  if (!readFileSync(script, 'utf8').startsWith('#!/usr/bin/env node\n'))
    failures.push(`${CLI.output} has no hashbang`)
  const version = await runNode([script, '--version'], { capture: true })
  if (version.code !== 0 || !version.output.includes(MANIFEST.version)) {
    failures.push(`${CLI.command} --version printed: ${version.output}`)
  }
  const help = await runNode([script, '--help'], { capture: true })
  if (help.code !== 0) failures.push(`${CLI.command} --help failed:\n${help.output}`)
}
