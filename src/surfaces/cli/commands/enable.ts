import type { CommandSpec } from '../spec.js'
import { switchProfiles } from './switch.js'

/** `keymux enable`: switches profiles on. */
export const enable: CommandSpec = {
  arguments: [{ name: 'ID', summary: 'a profile, PROVIDER:NAME', variadic: true }],
  examples: [{ line: 'keymux enable openai:work', does: 'lets it be handed out again' }],
  run: (context, input) => switchProfiles(context, input.variadic('ID'), true),
}
