import { KeymuxError } from '../../domain/errors.js'
import { looksLikeSecret } from '../../domain/redact.js'
import { longFlag, takesValue } from './input.js'
import type { OptionSpec } from './parameters.js'
import { secretInArgv } from './secret-input.js'
import { GLOBAL_OPTIONS } from './settings.js'
import { type CommandEntry, type CommandGroup, type CommandSpec, isGroup } from './spec.js'

/** Which command a command line means, before its options are understood. */
export interface Located {
  /** The arguments, with `help X` turned into `X --help` and a group's default subcommand filled in. */
  readonly argv: readonly string[]
  /** From the first word of the command to the last. */
  readonly path: readonly CommandEntry[]
}

const HELP_FLAGS = ['-h', '--help']

/**
 * Finds the command among the global flags and loads it.
 *
 * @throws KeymuxError `secret_in_argv` when a positional argument looks like a key
 */
export async function locate(argv: readonly string[], commands: readonly CommandEntry[]): Promise<Located> {
  const args = withoutHelpWord([...argv])
  const path: CommandEntry[] = []
  let entries: readonly CommandEntry[] = commands
  let command: CommandSpec | CommandGroup | undefined
  let valued = valuedFlags(GLOBAL_OPTIONS)
  let position = 0
  let unknown = false
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at] ?? ''
    if (word === '--') {
      if (command !== undefined && !isGroup(command)) break
      // Nothing to keep apart yet, and commander would not look for a command behind it.
      args.splice(at, 1)
      at -= 1
      continue
    }
    if (word.startsWith('-') && word !== '-') {
      if (valued.has(word)) at += 1
      continue
    }
    const entry = entries.find(({ name }) => name === word)
    if (entry === undefined) {
      if (!takesAnyText(command, position) && looksLikeSecret(word)) throw secretInArgv()
      position += 1
      if (entries.length > 0) unknown = true
      // Whatever comes next is not the name of a command any more.
      entries = []
      continue
    }
    path.push(entry)
    command = await entry.load()
    if (isGroup(command)) {
      entries = command.subcommands
      const fallback = command.defaultSubcommand
      if (fallback !== undefined && !namesSubcommand(args.slice(at + 1))) args.splice(at + 1, 0, fallback)
    } else {
      entries = []
      valued = valuedFlags([...GLOBAL_OPTIONS, ...(command.options ?? [])])
    }
  }
  // Commander would rather explain the parent than say that there is no such command to explain.
  return { argv: unknown ? args.filter((word) => !HELP_FLAGS.includes(word)) : args, path }
}

/** Whether a flag stands among the words before `--`. Good enough to shape errors about the words themselves. */
export function hasFlag(argv: readonly string[], flag: string): boolean {
  const end = argv.indexOf('--')
  return (end < 0 ? argv : argv.slice(0, end)).includes(flag)
}

/** Turns what commander throws into an error in keymux's own shape, without echoing a value. */
export function usageProblem(message: string, words: readonly string[]): KeymuxError {
  const [first = '', second] = message.replace(/^error: /, '').split('\n')
  const command = ['keymux', ...words].join(' ')
  const flag = /^unknown option '(--?[^'=]*)/.exec(first)?.[1]
  if (flag !== undefined && carriesSecret(flag)) {
    return new KeymuxError(
      'usage',
      `there is no option ${flag}: secrets are not taken from the command line`,
      {
        hint: 'use --stdin, --from-env VAR or the prompt',
      },
    )
  }
  const shown = flag === undefined ? first.replaceAll("'", '"') : `unknown option ${shownFlag(flag)}`
  const suggestion = /\(Did you mean (.*)\?\)/.exec(second ?? '')?.[1]
  return new KeymuxError('usage', shown.replace(/\.$/, ''), {
    hint: suggestion === undefined ? `see ${command} --help` : `did you mean ${suggestion}?`,
  })
}

/** `keymux help add` and `keymux help` mean `keymux add --help` and `keymux --help`. */
function withoutHelpWord(args: string[]): string[] {
  const at = args.findIndex((word, index) => !word.startsWith('-') && !isValueOfGlobal(args, index))
  if (args[at] !== 'help') return args
  return [...args.slice(0, at), ...args.slice(at + 1), '--help']
}

function isValueOfGlobal(args: readonly string[], index: number): boolean {
  return valuedFlags(GLOBAL_OPTIONS).has(args[index - 1] ?? '')
}

/** Whether a subcommand, rightly or wrongly named, or a question for help follows a group's name. */
function namesSubcommand(rest: readonly string[]): boolean {
  if (HELP_FLAGS.some((flag) => hasFlag(rest, flag))) return true
  return rest.some((word, index) => !word.startsWith('-') && !isValueOfGlobal(rest, index))
}

function valuedFlags(options: readonly OptionSpec[]): ReadonlySet<string> {
  return new Set(options.filter(({ flags }) => takesValue(flags)).map(({ flags }) => longFlag(flags)))
}

function takesAnyText(command: CommandSpec | CommandGroup | undefined, position: number): boolean {
  if (command === undefined || isGroup(command)) return false
  const declared =
    command.arguments?.[position] ?? command.arguments?.findLast((each) => each.variadic || each.afterDashes)
  return declared?.anyText === true
}

function carriesSecret(flag: string): boolean {
  return /^--?(.*-)?(api-?key|key|token|secret|password|passphrase|credential)$/i.test(flag)
}

/** An unknown flag as far as it is surely no value: `-pSECRET` is shown as `-p`. */
function shownFlag(flag: string): string {
  if (/^--[a-z][a-z-]{0,30}$/i.test(flag)) return flag
  return flag.startsWith('--') ? 'with an unusual name' : flag.slice(0, 2)
}
