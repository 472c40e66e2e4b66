import { Command, CommanderError, Option } from 'commander'
import { commandHelp, groupHelp, type HelpLook, overview } from './help.js'
import { CommandInput, longFlag } from './input.js'
import type { OptionSpec } from './parameters.js'
import { GLOBAL_OPTIONS } from './settings.js'
import { type CommandEntry, type CommandSpec, isGroup } from './spec.js'
import { type Located, locate, usageProblem } from './usage.js'

/** Where help goes and how it looks. */
export interface HelpSink extends HelpLook {
  readonly write: (text: string) => void
}

/** A command line understood: which command, with what. */
export interface Invocation {
  readonly command: CommandSpec
  readonly input: CommandInput
  /** Global flags by long name, wherever they stood. */
  readonly flags: Readonly<Record<string, unknown>>
}

/**
 * Understands a command line. Gives `undefined` when it asked for help or the version, which then has been
 * printed.
 *
 * @throws KeymuxError `usage`, `secret_in_argv`
 */
export async function parseInvocation(
  argv: readonly string[],
  commands: readonly CommandEntry[],
  version: () => string,
  help: HelpSink,
): Promise<Invocation | undefined> {
  const located = await locate(argv, commands)
  const words = located.path.map(({ name }) => name)
  const program = bare('keymux', help, () => overview(commands, help))
  program.option('-V, --version', 'print the version')
  stubs(program, commands, located.path[0], help)
  if (words.length === 0 && asksVersion(located.argv)) {
    help.write(`${version()}\n`)
    return undefined
  }
  const { line, after } = await atDashes(located)
  const grown = await grow(program, located.path, help, after)
  try {
    program.parse(line, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return undefined
    if (error.code !== 'commander.help') throw usageProblem(error.message, words)
    // No command was named: keymux alone explains itself, a group wants one of its own.
    if (words.length > 0) throw usageProblem(`${words.join(' ')} wants a subcommand`, words)
    help.write(overview(commands, help))
    return undefined
  }
  const invocation = grown()
  if (invocation === undefined) throw usageProblem('no command was named', words)
  return invocation
}

/** A command line before the `--` of a command that takes all that follows for itself, and what follows. */
async function atDashes({ argv, path }: Located): Promise<{
  readonly line: readonly string[]
  readonly after: readonly string[]
}> {
  const command = await path.at(-1)?.load()
  const at = argv.indexOf('--')
  const takes = command !== undefined && !isGroup(command) && command.arguments?.at(-1)?.afterDashes === true
  return takes && at >= 0 ? { line: argv.slice(0, at), after: argv.slice(at + 1) } : { line: argv, after: [] }
}

/** Fills in the commands on the path; what it gives back tells what the last one was given. */
async function grow(
  program: Command,
  path: readonly CommandEntry[],
  help: HelpSink,
  after: readonly string[],
): Promise<() => Invocation | undefined> {
  let invocation: Invocation | undefined
  let parent = program
  let words = 'keymux'
  for (const [depth, entry] of path.entries()) {
    const here = parent.commands.find((command) => command.name() === entry.name)
    if (here === undefined) throw new Error(`command ${entry.name} is not registered`)
    const loaded = await entry.load()
    words = `${words} ${entry.name}`
    const title = words
    if (isGroup(loaded)) {
      stubs(here, loaded.subcommands, path[depth + 1], help)
      here.configureHelp({ formatHelp: () => groupHelp(title, entry.summary, loaded, help) })
    } else {
      takeSpec(here, loaded)
      here.configureHelp({ formatHelp: () => commandHelp(title, entry.summary, loaded, help) })
      here.action(() => {
        const input = new CommandInput(loaded, [...here.processedArgs, after], valuesOf(here))
        invocation = { command: loaded, input, flags: flagsOf(here) }
      })
    }
    parent = here
  }
  return () => invocation
}

/** A command with the global options, keymux's help and keymux's way of failing. */
function bare(name: string, help: HelpSink, formatHelp: () => string): Command {
  const command = new Command(name)
    .exitOverride()
    .enablePositionalOptions()
    .helpCommand(false)
    .helpOption('-h, --help', 'explain the command')
    // Messages travel inside the errors that are thrown.
    .configureOutput({ writeOut: help.write, writeErr: () => {}, getOutHasColors: () => true })
    .configureHelp({ formatHelp })
  for (const option of GLOBAL_OPTIONS) command.addOption(toOption(option))
  return command
}

/** Makes the command that is named; all of them where none is, for suggestions. */
function stubs(
  parent: Command,
  entries: readonly CommandEntry[],
  named: CommandEntry | undefined,
  help: HelpSink,
): void {
  for (const { name } of named === undefined ? entries : [named])
    parent.addCommand(bare(name, help, () => ''))
}

function takeSpec(command: Command, spec: CommandSpec): void {
  for (const { name, optional, variadic, afterDashes } of spec.arguments ?? []) {
    if (afterDashes === true) continue
    const term = variadic === true ? `${name}...` : name
    command.argument(optional === true ? `[${term}]` : `<${term}>`)
  }
  for (const option of spec.options ?? []) command.addOption(toOption(option))
}

function toOption({ flags, summary, choices, repeatable }: OptionSpec): Option {
  const option = new Option(flags, summary)
  if (choices !== undefined) option.choices([...choices])
  if (repeatable === true) {
    const check = option.parseArg
    option.argParser((text: string, before: readonly string[] | undefined): string[] => {
      check?.call(option, text, undefined)
      return [...(before ?? []), text]
    })
  }
  return option
}

/** The values of a command's own options, by long name without the dashes and without `no-`. */
function valuesOf(command: Command): Record<string, unknown> {
  return Object.fromEntries(
    command.options.map((option) => [nameOf(option.flags), command.getOptionValue(option.attributeName())]),
  )
}

/** Global flags, those after the command's name stronger than those before it. */
function flagsOf(command: Command): Record<string, unknown> {
  const flags: Record<string, unknown> = {}
  const globals = new Set(GLOBAL_OPTIONS.map(({ flags: given }) => nameOf(given)))
  for (let at: Command | null = command; at !== null; at = at.parent) {
    for (const option of at.options) {
      const name = nameOf(option.flags)
      const attribute = option.attributeName()
      if (globals.has(name) && at.getOptionValueSource(attribute) === 'cli')
        flags[name] ??= at.getOptionValue(attribute)
    }
  }
  return flags
}

function nameOf(flags: string): string {
  return longFlag(flags).slice(2).replace(/^no-/, '')
}

function asksVersion(argv: readonly string[]): boolean {
  return argv.some((word) => word === '--version' || word === '-V')
}
