import { Command, CommanderError, Option } from 'commander'
import { CommandInput, longFlag } from './input.js'
import { GLOBAL_OPTIONS } from './settings.js'
import { type CommandEntry, type CommandGroup, type CommandSpec, isGroup, type OptionSpec } from './spec.js'
import type { Style } from './style.js'
import { locate, usageProblem } from './usage.js'

/** Where help goes and how it looks. */
export interface HelpSink {
  readonly write: (text: string) => void
  readonly width: number | undefined
  readonly style: Style
}

/** A command line understood: which command, with what. */
export interface Invocation {
  readonly command: CommandSpec
  readonly input: CommandInput
  /** Global flags by long name, wherever they stood. */
  readonly flags: Readonly<Record<string, unknown>>
}

const ABOUT = `keymux keeps several accounts per AI provider in one encrypted vault, and always hands out a
credential that works: by priority, skipping what is rate-limited, unpaid, expired or revoked.`

const START: readonly (readonly [string, string])[] = [
  ['keymux init', 'create the vault'],
  ['keymux add openai:work', 'add an account; its key is asked for'],
  ['keymux status', 'see which accounts are usable now'],
  ['keymux exec openai -- my-program', 'run a program with a working key'],
]

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
  let invocation: Invocation | undefined
  const program = root(commands, help)
  let parent = program
  for (const [depth, entry] of located.path.entries()) {
    const here = child(parent, entry.name)
    const last = depth === located.path.length - 1
    const loaded = last ? located.command : await entry.load()
    if (loaded === undefined) break
    if (isGroup(loaded)) fillGroup(here, loaded, help)
    else {
      fillCommand(here, loaded, help, (args) => {
        invocation = {
          command: loaded,
          input: new CommandInput(loaded, args, values(here)),
          flags: flagsOf(here),
        }
      })
    }
    parent = here
  }
  if (located.path.length === 0 && asksVersion(located.argv)) {
    help.write(`${version()}\n`)
    return undefined
  }
  try {
    program.parse(located.argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0 || (error.code === 'commander.help' && words.length === 0)) return undefined
    if (error.code === 'commander.help') {
      throw usageProblem(`${words.join(' ')} wants a subcommand`, words)
    }
    throw usageProblem(error.message, words)
  }
  return invocation
}

function root(commands: readonly CommandEntry[], help: HelpSink): Command {
  const program = bare('keymux', help).description(ABOUT).usage('[options] COMMAND …')
  program.option('-V, --version', 'print the version')
  for (const entry of commands) stub(program, entry, help)
  program.addHelpText('after', () => `\n${help.style.bold('Start here:')}\n${aligned(START, help.style)}`)
  program.addHelpText('after', '\nkeymux COMMAND --help explains a command.')
  return program
}

/** A command with the global options and keymux's way of failing. */
function bare(name: string, help: HelpSink): Command {
  const command = new Command(name)
  command
    .exitOverride()
    .enablePositionalOptions()
    .helpCommand(false)
    .helpOption('-h, --help', 'explain the command')
    .configureOutput({
      writeOut: help.write,
      // Messages travel inside the error; help that commander would send there is for whoever asked.
      writeErr: (text) => {
        if (name === 'keymux' && !text.startsWith('error:')) help.write(text)
      },
      getOutHelpWidth: () => help.width ?? 100,
      getErrHelpWidth: () => help.width ?? 100,
      getOutHasColors: () => true,
      getErrHasColors: () => true,
    })
    .configureHelp({
      styleTitle: help.style.bold,
      styleCommandText: help.style.accent,
      styleSubcommandTerm: help.style.accent,
      styleOptionTerm: help.style.accent,
      styleArgumentTerm: help.style.accent,
      subcommandTerm: (subcommand) => subcommand.name(),
    })
  for (const option of GLOBAL_OPTIONS) command.addOption(toOption(option).helpGroup('Global options:'))
  return command
}

function stub(parent: Command, entry: CommandEntry, help: HelpSink): void {
  const command = bare(entry.name, help).summary(entry.summary)
  if (entry.section !== undefined) command.helpGroup(`${entry.section}:`)
  parent.addCommand(command)
}

function fillGroup(here: Command, group: CommandGroup, help: HelpSink): void {
  here.description(about(here.summary(), group.description)).usage('COMMAND … [options]')
  for (const entry of group.subcommands) stub(here, entry, help)
  here.addHelpText('after', () => examples(group.examples, help.style))
}

function fillCommand(
  here: Command,
  spec: CommandSpec,
  help: HelpSink,
  act: (args: readonly unknown[]) => void,
): void {
  here.description(about(here.summary(), spec.description))
  const terms = (spec.arguments ?? []).map(({ name, optional, variadic }) => {
    const term = variadic === true ? `${name}…` : name
    return optional === true ? `[${term}]` : term
  })
  here.usage([...terms, '[options]'].join(' '))
  for (const argument of spec.arguments ?? []) {
    const term = `${argument.name}${argument.variadic === true ? '...' : ''}`
    here.argument(argument.optional === true ? `[${term}]` : `<${term}>`, argument.summary)
  }
  for (const option of spec.options ?? []) here.addOption(toOption(option))
  here.addHelpText('after', () => examples(spec.examples, help.style))
  here.action(() => act(here.processedArgs))
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

/** The values of a command's own options, by long name. */
function values(command: Command): Record<string, unknown> {
  const byName: Record<string, unknown> = {}
  for (const option of command.options) {
    const name = longFlag(option.flags).slice(2).replace(/^no-/, '')
    byName[name] = command.getOptionValue(option.attributeName())
  }
  return byName
}

/** Global flags, those after the command's name stronger than those before it. */
function flagsOf(command: Command): Record<string, unknown> {
  const flags: Record<string, unknown> = {}
  for (let at: Command | null = command; at !== null; at = at.parent) {
    for (const option of GLOBAL_OPTIONS) {
      const name = longFlag(option.flags).slice(2).replace(/^no-/, '')
      const given = at.getOptionValueSource(
        name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      )
      if (given === 'cli') flags[name] ??= values(at)[name]
    }
  }
  return flags
}

function child(parent: Command, name: string): Command {
  const found = parent.commands.find((command) => command.name() === name)
  if (found === undefined) throw new Error(`command ${name} is not registered`)
  return found
}

function asksVersion(argv: readonly string[]): boolean {
  return argv.some((word) => word === '--version' || word === '-V')
}

function about(summary: string, description: string | undefined): string {
  const sentence = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`
  return description === undefined ? sentence : `${sentence}\n\n${description}`
}

function examples(list: CommandSpec['examples'], style: Style): string {
  if (list.length === 0) return ''
  const lines = list.map(({ line, does }) => [line, does] as const)
  return `\n${style.bold(list.length === 1 ? 'Example:' : 'Examples:')}\n${aligned(lines, style)}`
}

function aligned(lines: readonly (readonly [string, string])[], style: Style): string {
  const width = Math.max(...lines.map(([left]) => left.length))
  const long = width > 44
  return lines
    .map(([left, right]) =>
      long
        ? `  ${style.accent(left)}\n      ${right}`
        : `  ${style.accent(left)}${' '.repeat(width - left.length)}  ${right}`,
    )
    .join('\n')
}
