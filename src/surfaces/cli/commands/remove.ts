import { confirmed } from '../confirm.js'
import type { CommandSpec } from '../spec.js'
import { printChanged } from './changed.js'
import { viewsOf } from './ids.js'

/** `keymux remove`: deletes profiles. */
export const remove: CommandSpec = {
  description: 'On a terminal it asks first, unless --yes is given.',
  arguments: [{ name: 'ID', summary: 'a profile, PROVIDER:NAME', variadic: true }],
  options: [{ flags: '-y, --yes', summary: 'do not ask' }],
  examples: [
    { line: 'keymux remove openai:old', does: 'deletes one profile and all that is known of its use' },
  ],
  async run(context, input) {
    const { profiles } = await context.open()
    const views = await viewsOf(profiles, input.variadic('ID'), context.signal)
    const ids = views.map((view) => view.id)
    const question = `Remove ${ids.join(', ')}? Its secret cannot be brought back.`
    if (!(await confirmed(context, input.flag('yes'), question, 'Nothing was removed.'))) return 1
    for (const id of ids) await profiles.delete(id, { signal: context.signal })
    printChanged(context, ids, (id) => `Removed ${id}.`)
    return undefined
  },
}
