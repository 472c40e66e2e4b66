// What docs/cli.md says of commands and flags, made from the commands themselves.
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import * as esbuild from 'esbuild'
import { ROOT } from './entries.mjs'

const CLI_FOLDER = 'src/surfaces/cli'

/**
 * The command line as data: `{ globals, commands }`, where a command is `{ words, summary, spec }` or, for a
 * group, `{ words, summary, group }`, in the order of the overview. `undefined` while there is none.
 */
export async function readCli() {
  if (!existsSync(path.join(ROOT, CLI_FOLDER, 'registry.ts'))) return undefined
  const { COMMANDS, GLOBAL_OPTIONS } = await importSources(
    `export { COMMANDS } from './registry.js'\nexport { GLOBAL_OPTIONS } from './settings.js'\n`,
  )
  return { globals: GLOBAL_OPTIONS, commands: await walk(COMMANDS, 'keymux') }
}

async function walk(entries, before) {
  const found = []
  for (const { name, summary, load } of entries) {
    const words = `${before} ${name}`
    const loaded = await load()
    if ('subcommands' in loaded) {
      found.push({ words, summary, group: loaded }, ...(await walk(loaded.subcommands, words)))
    } else {
      found.push({ words, summary, spec: loaded })
    }
  }
  return found
}

/** Bundles TypeScript to where the packages it imports are found, and imports that. */
async function importSources(contents) {
  const folder = path.join(ROOT, 'node_modules', '.cache')
  const outfile = path.join(folder, `keymux-docs-${process.pid}.mjs`)
  mkdirSync(folder, { recursive: true })
  try {
    await esbuild.build({
      stdin: { contents, resolveDir: path.join(ROOT, CLI_FOLDER), loader: 'ts' },
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      packages: 'external',
      logLevel: 'warning',
    })
    return await import(pathToFileURL(outfile).href)
  } finally {
    rmSync(outfile, { force: true })
  }
}

/** The flags that every command takes. */
export function globalsTable({ globals }) {
  return optionTable(globals).join('\n')
}

/** Every command: what it is for, what it takes, examples. */
export function commandSections({ commands }) {
  return commands.map(section).join('\n\n')
}

/** The commands that run, as table rows of one cell: `{ key, cells }`. */
export function leafRows({ commands }) {
  return commands
    .filter(({ spec }) => spec !== undefined)
    .map(({ words }) => ({ key: words, cells: [`\`${words}\``] }))
}

function section({ words, summary, spec, group }) {
  const { description, examples, options = [], arguments: args = [] } = spec ?? group
  const preset = group?.defaultSubcommand
  const parts = [
    `### \`${[words, ...args.map(term)].join(' ')}\``,
    `${sentence(summary)}${preset === undefined ? '' : ` Without a subcommand: \`${words} ${preset}\`.`}`,
    // A description is wrapped by hand here and there.
    ...(description === undefined ? [] : [description.replaceAll(/ ?\n(?!\n)/g, ' ')]),
    ...(args.length === 0 ? [] : [argumentTable(args).join('\n')]),
    ...(options.length === 0 ? [] : [optionTable(options).join('\n')]),
    // Those of a group are examples of its subcommands, and stand there.
    ...(group === undefined ? [exampleFence(examples)] : []),
  ]
  return parts.join('\n\n')
}

function argumentTable(args) {
  return ['| argument | what |', '|---|---|', ...args.map(({ name, summary }) => row(`\`${name}\``, summary))]
}

function optionTable(options) {
  const rows = options.map(({ flags, summary, choices, repeatable }) => {
    const one = choices === undefined ? '' : `: ${choices.map((choice) => `\`${choice}\``).join(', ')}`
    const flag = flags.replaceAll(/[<>]/g, '')
    return row(`\`${flag}\``, `${summary}${one}${repeatable ? '; may be repeated' : ''}`)
  })
  return ['| option | what |', '|---|---|', ...rows]
}

function exampleFence(examples) {
  const longest = Math.max(...examples.map(({ line }) => line.length))
  return ['```sh', ...examples.map(({ line, does }) => `${line.padEnd(longest)}  # ${does}`), '```'].join(
    '\n',
  )
}

function row(...cells) {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('<', '&lt;')).join(' | ')} |`
}

function term({ name, optional, variadic }) {
  const text = variadic === true ? `${name}…` : name
  return optional === true ? `[${text}]` : text
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
