import { KeymuxError } from '../../../domain/errors.js'
import type { CommandSpec } from '../spec.js'
import { printChanged } from './changed.js'
import { viewsOf } from './ids.js'

/** `keymux reset`: lifts cooldowns and disables. */
export const reset: CommandSpec = {
  description: 'Counters of what happened stay.',
  arguments: [{ name: 'ID', summary: 'a profile, PROVIDER:NAME', optional: true, variadic: true }],
  options: [{ flags: '--all', summary: 'all profiles' }],
  examples: [
    { line: 'keymux reset openai:work', does: 'makes it available again, for instance after paying' },
    { line: 'keymux reset --all', does: 'the same for everything that is set aside' },
  ],
  async run(context, input) {
    const ids = input.variadic('ID')
    if (input.flag('all') === ids.length > 0) {
      throw new KeymuxError('usage', ids.length > 0 ? '--all takes no ids' : 'which profile?', {
        hint: 'name profiles, or use --all',
      })
    }
    const { profiles } = await context.open()
    const { signal } = context
    if (ids.length === 0) {
      printChanged(context, await profiles.reset(undefined, { signal }), (id) => `${id} is free again.`)
      return undefined
    }
    const views = await viewsOf(profiles, ids, signal)
    const changed: string[] = []
    for (const { id } of views) changed.push(...(await profiles.reset(id, { signal })))
    printChanged(context, changed, (id) => `${id} is free again.`)
    if (changed.length === 0) context.output.note('There was nothing to lift.')
    return undefined
  },
}
