import { parseProfileId } from '../../../domain/ids.js'
import { parseInteger } from '../input.js'
import type { CommandSpec } from '../spec.js'
import { printChanged } from './changed.js'

/** `keymux priority`: who goes first. */
export const priority: CommandSpec = {
  arguments: [
    { name: 'ID', summary: 'a profile, PROVIDER:NAME' },
    { name: 'N', summary: 'higher goes first; may be negative' },
  ],
  examples: [{ line: 'keymux priority openai:work 10', does: 'tries it before those with less' }],
  async run(context, input) {
    const priority = parseInteger('N', input.argument('N'))
    const { profiles } = await context.open()
    const { id } = await profiles.update(parseProfileId(input.argument('ID')).id, { priority })
    printChanged(context, [id], () => `${id} has priority ${priority}.`)
    return undefined
  },
}
