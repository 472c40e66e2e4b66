import type { CliContext } from './context.js'
import type { CommandInput } from './input.js'

/** What a shell may offer for an argument: provider names, files, environment variables, or fixed words. */
export type Completion = 'provider' | 'file' | 'env' | readonly string[]

/** One positional argument. */
export interface ArgumentSpec {
  /** As shown in the help, in capitals: `ID`, `PROVIDER[:NAME]`. */
  readonly name: string
  readonly summary: string
  readonly optional?: boolean
  /** Takes all that follow; only the last argument can. */
  readonly variadic?: boolean
  readonly completes?: Completion
  /** Set where long random text is legitimate, such as another program's arguments: it is not taken for a key. */
  readonly anyText?: boolean
}

/** One option. */
export interface OptionSpec {
  /** As commander writes them: `--priority <N>`, `-q, --quiet`, `--no-browser`. */
  readonly flags: string
  readonly summary: string
  /** The only values allowed. */
  readonly choices?: readonly string[]
  readonly completes?: Completion
  /** May be given several times. */
  readonly repeatable?: boolean
}

/** A line to try, and what it does. */
export interface Example {
  readonly line: string
  readonly does: string
}

/** One command: what it takes, how it is explained, what it does. */
export interface CommandSpec {
  /** Paragraphs that follow the summary in the command's own help. */
  readonly description?: string
  readonly arguments?: readonly ArgumentSpec[]
  readonly options?: readonly OptionSpec[]
  readonly examples: readonly Example[]
  /**
   * Does the work. Errors are thrown, not printed; what was opened through the context is closed by the
   * caller. Gives the exit status where it is not 0.
   */
  run(context: CliContext, input: CommandInput): Promise<number | undefined>
}

/** A command that only holds others, such as `vault`. */
export interface CommandGroup {
  readonly description?: string
  readonly subcommands: readonly CommandEntry[]
  /** The one that runs when none is named. */
  readonly defaultSubcommand?: string
  readonly examples: readonly Example[]
}

/** A line of the table of contents: enough for the overview, without loading the command. */
export interface CommandEntry {
  readonly name: string
  readonly summary: string
  /** The heading it stands under in the overview. */
  readonly section?: string
  readonly load: () => Promise<CommandSpec | CommandGroup>
}

/** Whether a loaded command holds others. */
export function isGroup(command: CommandSpec | CommandGroup): command is CommandGroup {
  return 'subcommands' in command
}
