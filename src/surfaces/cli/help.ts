import { longFlag } from './input.js'
import type { ArgumentSpec, OptionSpec } from './parameters.js'
import { GLOBAL_OPTIONS } from './settings.js'
import type { CommandEntry, CommandGroup, CommandSpec, Example } from './spec.js'
import type { Style } from './style.js'

/** How help looks. */
export interface HelpLook {
  /** Cells of the terminal; undefined where it is none. */
  readonly width: number | undefined
  readonly style: Style
}

interface Section {
  readonly title: string
  readonly rows: readonly (readonly [term: string, does: string])[]
}

const ABOUT =
  'keymux keeps several accounts per AI provider in one encrypted vault, and always hands out a credential that works: by priority, skipping what is rate-limited, unpaid, expired or revoked.'

const START: readonly Example[] = [
  { line: 'keymux init', does: 'create the vault' },
  { line: 'keymux add openai:work', does: 'add an account; its key is asked for' },
  { line: 'keymux status', does: 'see which accounts are usable now' },
  { line: 'keymux exec openai -- my-program', does: 'run a program with a working key' },
]

const ENVIRONMENT: readonly Example[] = [
  { line: 'KEYMUX_PASSPHRASE', does: 'unlocks the vault; without it and a key file, keymux asks' },
  { line: 'KEYMUX_KEY_FILE', does: 'a file that unlocks the vault' },
]

const HELP_ROW = ['-h, --help', 'explain the command'] as const
const VERSION_ROW = ['-V, --version', 'print the version'] as const
/** Longer lines are hard to read, however wide the terminal. */
const WIDEST = 100
const USUAL = 80
/** Terms longer than this have their explanation on the next line. */
const LONGEST_TERM = 36

/** The overview: `keymux --help`. */
export function overview(commands: readonly CommandEntry[], look: HelpLook): string {
  const titles = [...new Set(commands.map(({ section }) => section))]
  const sections = titles.map((title) => ({
    title: title ?? 'Commands',
    rows: commands
      .filter(({ section }) => section === title)
      .map(({ name, summary }) => [name, summary] as const),
  }))
  return page(
    'keymux COMMAND … [options]',
    [ABOUT],
    [
      exampleSection('Start here', START),
      ...sections,
      {
        title: 'Options, before or after the command',
        rows: [...GLOBAL_OPTIONS.map(optionRow), HELP_ROW, VERSION_ROW],
      },
      exampleSection('Environment', ENVIRONMENT),
    ],
    'keymux COMMAND --help explains a command.',
    look,
  )
}

/** Help of a command that holds others. */
export function groupHelp(words: string, summary: string, group: CommandGroup, look: HelpLook): string {
  const named = group.defaultSubcommand === undefined ? 'COMMAND' : '[COMMAND]'
  const rows = group.subcommands.map(
    ({ name, summary: does }) =>
      [name, name === group.defaultSubcommand ? `${does} (the default)` : does] as const,
  )
  return page(
    `${words} ${named} … [options]`,
    [sentence(summary), ...paragraphs(group.description)],
    [{ title: 'Commands', rows }, exampleSection('Examples', group.examples)],
    globalLine(),
    look,
  )
}

/** Help of a command. */
export function commandHelp(words: string, summary: string, spec: CommandSpec, look: HelpLook): string {
  const args = spec.arguments ?? []
  return page(
    [words, ...args.map(usageTerm), '[options]'].join(' '),
    [sentence(summary), ...paragraphs(spec.description)],
    [
      { title: 'Arguments', rows: args.map(({ name, summary: does }) => [name, does] as const) },
      { title: 'Options', rows: [...(spec.options ?? []).map(optionRow), HELP_ROW] },
      exampleSection('Examples', spec.examples),
    ],
    globalLine(),
    look,
  )
}

function page(
  usage: string,
  about: readonly string[],
  sections: readonly Section[],
  closing: string,
  { width, style }: HelpLook,
): string {
  const room = Math.min(width ?? USUAL, WIDEST)
  const parts = [
    `${style.bold('Usage:')} ${usage}`,
    ...about.map((text) => wrap(text, room).join('\n')),
    ...sections.filter(({ rows }) => rows.length > 0).map((section) => sectionText(section, room, style)),
    wrap(closing, room).join('\n'),
  ]
  return `${parts.join('\n\n')}\n`
}

function sectionText({ title, rows }: Section, room: number, style: Style): string {
  const widest = Math.max(...rows.map(([term]) => term.length).filter((length) => length <= LONGEST_TERM), 0)
  const lines = rows.flatMap(([term, does]) => {
    const [first = '', ...more] = wrap(does, Math.max(room - widest - 4, 20))
    const indent = ' '.repeat(widest + 4)
    const following = more.map((line) => indent + line)
    if (term.length > widest) return [`  ${style.accent(term)}`, `${indent}${first}`, ...following]
    return [`  ${style.accent(term)}${' '.repeat(widest - term.length)}  ${first}`, ...following]
  })
  return [style.bold(`${title}:`), ...lines].join('\n')
}

function exampleSection(title: string, examples: readonly Example[]): Section {
  return { title, rows: examples.map(({ line, does }) => [line, does] as const) }
}

function optionRow({ flags, summary, choices, repeatable }: OptionSpec): readonly [string, string] {
  const notes = [
    ...(choices === undefined ? [] : [`one of ${choices.join(', ')}`]),
    ...(repeatable === true ? ['may be repeated'] : []),
  ]
  return [flags, notes.length === 0 ? summary : `${summary} (${notes.join('; ')})`]
}

function usageTerm({ name, optional, variadic, afterDashes }: ArgumentSpec): string {
  if (afterDashes === true) return `-- ${name}…`
  const term = variadic === true ? `${name}…` : name
  return optional === true ? `[${term}]` : term
}

function globalLine(): string {
  return `Every command also takes ${GLOBAL_OPTIONS.map(({ flags }) => longFlag(flags)).join(', ')}: see keymux --help.`
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`
}

/** Paragraphs are separated by an empty line; line feeds inside them are only layout of the source. */
function paragraphs(text: string | undefined): string[] {
  return (text ?? '').split(/\n\s*\n/).filter((paragraph) => paragraph.trim() !== '')
}

function wrap(text: string, room: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}
