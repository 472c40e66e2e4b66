import type { CommandEntry } from './spec.js'

/**
 * The table of contents: every command, in the order of the overview. Its file is loaded only when the
 * command is run, explained or completed.
 */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'config',
    summary: 'look at the configuration',
    section: 'Set-up',
    load: async () => (await import('./commands/config.js')).config,
  },
  {
    name: 'completion',
    summary: 'print a completion script for your shell',
    section: 'Set-up',
    load: async () => (await import('./commands/completion.js')).completion,
  },
]
