import type { CliContext } from './context.js'
import type { CommandInput } from './input.js'
import type { Parameters } from './parameters.js'

/** A line to try, and what it does. */
export interface Example {
  readonly line: string
  readonly does: string
}

/** One command: what it takes, how it is explained, what it does. */
export interface CommandSpec extends Parameters {
  /** Paragraphs that follow the summary in the command's own help. */
  readonly description?: string
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
