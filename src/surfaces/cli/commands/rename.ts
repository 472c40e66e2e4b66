import { parseProfileId } from '../../../domain/ids.js'
import type { CommandSpec } from '../spec.js'

/** `keymux rename`: another name within the provider. */
export const rename: CommandSpec = {
  description: 'Its secret, usage, cooldowns and place stay as they are.',
  arguments: [
    { name: 'ID', summary: 'a profile, PROVIDER:NAME' },
    { name: 'NAME', summary: 'the new name, without the provider' },
  ],
  examples: [{ line: 'keymux rename openai:default work', does: 'makes it openai:work' }],
  async run(context, input) {
    const { profiles } = await context.open()
    const from = parseProfileId(input.argument('ID')).id
    const { id } = await profiles.rename(from, input.argument('NAME'), { signal: context.signal })
    context.output.result({ changed: [id], profile_id: id, previous_id: from }, () =>
      context.output.isTTY ? `${from} is ${id} now.` : id,
    )
    return undefined
  },
}
