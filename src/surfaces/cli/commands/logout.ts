import { parseProfileId } from '../../../domain/ids.js'
import type { CommandSpec } from '../spec.js'

/** `keymux logout`: ends an OAuth login. */
export const logout: CommandSpec = {
  description:
    'Asks the provider to void the tokens (it is given 10 seconds), then drops them. The profile stays and needs a login, unless --remove is given.',
  arguments: [{ name: 'ID', summary: 'a profile, PROVIDER:NAME' }],
  options: [{ flags: '--remove', summary: 'remove the profile too' }],
  examples: [
    { line: 'keymux logout gemini:me@example.com', does: 'ends the login and keeps the profile' },
    { line: 'keymux logout gemini:old --remove', does: 'ends the login and forgets the profile' },
  ],
  async run(context, input) {
    const { id } = parseProfileId(input.argument('ID'))
    const { profiles, logins } = await context.open()
    const { signal, output, style } = context
    const { revoked } = await (await logins()).logout(id, { signal })
    const removed = input.flag('remove')
    if (removed) await profiles.delete(id, { signal })
    output.result({ profile_id: id, revoked, removed }, () =>
      output.isTTY ? `${style.good('✓')} ${id} is logged out${removed ? ' and removed' : ''}.` : id,
    )
    if (!revoked) output.note('the provider did not confirm that the tokens are void: they end by themselves')
    return undefined
  },
}
