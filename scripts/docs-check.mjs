// Keeps the documentation true: the table of error codes, the commands and flags it shows, the environment
// variables, the links. `--write` brings the generated parts up to date.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import * as esbuild from 'esbuild'
import { commandSections, globalsTable, leafRows, readCli } from './docs-cli.mjs'
import { providersTable } from './docs-providers.mjs'
import { CLI, ROOT } from './entries.mjs'
import { runNode } from './processes.mjs'

const WRITE = process.argv.includes('--write')
const ERRORS_PAGE = 'docs/errors.md'
const CLI_PAGE = 'docs/cli.md'
const PROVIDERS_PAGE = 'docs/providers.md'
const END = '<!-- end: generated -->'
// Commands of npm itself that a page may show.
const NPM_COMMANDS = new Set(['ci', 'exec', 'init', 'install', 'pack', 'publish', 'start', 'test'])
const helpTexts = new Map()
const MANIFEST = JSON.parse(read('package.json'))

const pages = ['.', 'docs', 'docs/adr', 'docs/integrations', 'examples'].flatMap(markdownIn)
const problems = [
  ...(await errorProblems()),
  ...(await cliPageProblems()),
  ...(await providersPageProblems()),
  ...(await commandProblems()),
  ...environmentProblems(),
  ...pages.flatMap(linkProblems),
]
for (const problem of problems) process.stderr.write(`${problem}\n`)
process.exitCode = problems.length === 0 ? 0 : 1

function read(file) {
  return readFileSync(path.join(ROOT, file), 'utf8')
}

function markdownIn(folder) {
  if (!existsSync(path.join(ROOT, folder))) return []
  const names = readdirSync(path.join(ROOT, folder)).filter((name) => name.endsWith('.md'))
  return names.map((name) => path.posix.join(folder, name))
}

/** The table's codes and statuses come from the source; the meanings are written by hand and kept. */
async function errorProblems() {
  const codes = Object.entries(await errorCodes())
  const rows = codes.map(([code, status]) => ({ key: code, cells: [`\`${code}\``, `${status}`] }))
  const make = (before) => tableProblems(before, ['code', 'exit', 'meaning'], rows)
  return generated(
    ERRORS_PAGE,
    'begin: generated from src/domain/errors.ts, the meanings apart',
    make,
    'meaning',
  )
}

/** Commands and flags come from the source; what `--json` prints is written by hand and kept. */
async function cliPageProblems() {
  const cli = existsSync(path.join(ROOT, CLI_PAGE)) ? await readCli() : undefined
  if (cli === undefined) return []
  const made = (text) => () => ({ text, blank: [] })
  const json = (before) => tableProblems(before, ['command', 'with `--json`'], leafRows(cli))
  return [
    ...generated(CLI_PAGE, 'begin: global options', made(globalsTable(cli))),
    ...generated(CLI_PAGE, 'begin: commands', made(commandSections(cli))),
    ...generated(CLI_PAGE, 'begin: commands, the last column apart', json, 'JSON'),
  ]
}

/** The table of built-in providers comes from their definitions. */
async function providersPageProblems() {
  if (!existsSync(path.join(ROOT, PROVIDERS_PAGE))) return []
  const text = await providersTable()
  return generated(PROVIDERS_PAGE, 'begin: built-in providers', () => ({ text, blank: [] }))
}

/**
 * Compares the part of a page between two marks with what `make` makes of it (`{ text, blank }`), or writes
 * that. `blank` names rows of which somebody has to write `what`.
 */
function generated(page, begin, make, what) {
  const mark = `<!-- ${begin} -->\n`
  const text = read(page)
  const from = text.indexOf(mark) + mark.length
  const to = text.indexOf(END, from)
  if (from < mark.length || to < 0) return [`${page}: the marks around the generated part are missing`]
  const { text: part, blank } = make(text.slice(from, to))
  const wanted = `${text.slice(0, from)}${part}\n${text.slice(to)}`
  if (wanted !== text && WRITE) writeFileSync(path.join(ROOT, page), wanted)
  return [
    ...(wanted !== text && !WRITE ? [`${page} is not up to date; run: npm run fix`] : []),
    ...blank.map((key) => `${page}: ${key} has no ${what} yet, write one`),
  ]
}

/** A table whose rows are given, each with a last cell that stays as it was. */
function tableProblems(before, header, rows) {
  const last = new Map(
    [...before.matchAll(/^\| `([^`]+)` \|(?:.*\|)? (.*) \|$/gm)].map(([, key, cell]) => [key, cell.trim()]),
  )
  const lines = rows.map(({ key, cells }) => `| ${[...cells, last.get(key) ?? ''].join(' | ')} |`)
  return {
    text: [`| ${header.join(' | ')} |`, `|${'---|'.repeat(header.length)}`, ...lines].join('\n'),
    blank: rows.flatMap(({ key }) => ((last.get(key) ?? '') === '' ? [key] : [])),
  }
}

async function errorCodes() {
  const entryPoints = [path.join(ROOT, 'src/domain/errors.ts')]
  const { outputFiles } = await esbuild.build({ entryPoints, bundle: true, format: 'esm', write: false })
  const url = `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
  return (await import(url)).ERROR_CODES
}

/** Every command line in a code fence must be one that exists, with flags that exist. */
async function commandProblems() {
  const found = []
  for (const page of pages) {
    for (const { line, number } of fencedLines(page)) {
      const where = `${page}:${number}`
      for (const words of invocations(line, 'npm'))
        found.push(...npmProblems(words).map((what) => `${where}: ${what}`))
      for (const words of invocations(line, CLI.command)) {
        found.push(...(await cliProblems(words)).map((what) => `${where}: ${what}`))
      }
    }
  }
  return found
}

function fencedLines(page) {
  let fence
  let continued = ''
  return read(page)
    .split('\n')
    .flatMap((raw, index) => {
      const mark = /^\s*```(\w*)/.exec(raw)
      if (mark) {
        fence = fence === undefined ? mark[1] : undefined
        return []
      }
      if (!['sh', 'bash', 'shell', 'console', 'text', ''].includes(fence)) return []
      const line = continued + raw
      continued = line.endsWith('\\') ? line.slice(0, -1) : ''
      return continued === '' ? [{ line, number: index + 1 }] : []
    })
}

/** The arguments of each call of `program` in a line of shell. */
function invocations(line, program) {
  const call = new RegExp(
    `(?:^|[|&;(\`]|npx|exec|then|do)\\s*(?:\\$ )?(?:[A-Z_]+=\\S+ )*${program} ([^|&;()\`#]*)`,
    'g',
  )
  return [...line.matchAll(call)].map(([, rest]) =>
    rest
      .split(/\s+--(?:\s|$)/)[0]
      .split(/\s+/)
      .filter(Boolean),
  )
}

function npmProblems([command, script]) {
  if (command === 'run') return script in MANIFEST.scripts ? [] : [`there is no script ${script}`]
  return NPM_COMMANDS.has(command) ? [] : [`npm ${command} is not a command the pages use`]
}

async function cliProblems(words) {
  if (!existsSync(path.join(ROOT, CLI.output))) return []
  const overview = await help([])
  const commands = new Set([...overview.matchAll(/^ {2,}([a-z][a-z-]*)/gm)].map(([, name]) => name))
  const at = words.findIndex((word) => commands.has(word))
  const flags = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.split('=')[0])
  if (at < 0) {
    const stray = words.find((word) => /^[a-z]/.test(word))
    if (stray !== undefined) return [`keymux has no command ${stray}`]
  }
  const second = words[at + 1]
  const own = at < 0 ? '' : await help([words[at]])
  const sub = at >= 0 && /^[a-z][a-z-]*$/.test(second ?? '') ? await help([words[at], second]) : ''
  const known = overview + own + sub
  return flags
    .filter((flag) => !new RegExp(`${flag}(?![\\w-])`).test(known))
    .map((flag) => `keymux ${words[at] ?? ''} has no ${flag}`)
}

async function help(command) {
  const key = command.join(' ')
  if (!helpTexts.has(key)) {
    const { code, output } = await runNode([CLI.output, ...command, '--help'], { capture: true })
    helpTexts.set(key, code === 0 ? output : '')
  }
  return helpTexts.get(key)
}

/** What the program reads from the environment is documented, and what is documented it reads. */
function environmentProblems() {
  if (!pages.includes('README.md')) return []
  const documented = variablesOf(pages.map(read).join('\n'))
  const agents = ['test/agents/agents.ts'].filter((file) => existsSync(path.join(ROOT, file)))
  const used = variablesOf([...sourcesIn('src'), ...agents].map(read).join('\n'))
  return [
    ...[...used].filter((name) => !documented.has(name)).map((name) => `${name} is not documented anywhere`),
    ...[...documented]
      .filter((name) => !used.has(name))
      .map((name) => `${name} is documented, but nothing reads it`),
  ]
}

function variablesOf(text) {
  return new Set([...text.matchAll(/\bKEYMUX_[A-Z][A-Z_]*[A-Z]\b/g)].map(([name]) => name))
}

function sourcesIn(folder) {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = `${folder}/${entry.name}`
    if (entry.isDirectory()) return sourcesIn(file)
    return file.endsWith('.ts') && !file.endsWith('.test.ts') ? [file] : []
  })
}

function linkProblems(page) {
  const targets = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target.split('#')[0])
  return targets
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
    .filter((target) => !existsSync(path.join(ROOT, path.dirname(page), target)))
    .map((target) => `${page}: there is no ${target}`)
}
