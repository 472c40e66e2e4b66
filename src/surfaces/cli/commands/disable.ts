import type { CommandSpec } from '../spec.js'
import { switchProfiles } from './switch.js'

/** `keymux disable`: switches profiles off. */
export const disable: CommandSpec = {
  arguments: [{ name: 'ID', summary: 'a profile, PROVIDER:NAME', variadic: true }],
  examples: [{ line: 'keymux disable openai:work', does: 'keeps it, and hands it out no more' }],
  run: (context, input) => switchProfiles(context, input.variadic('ID'), false),
}
