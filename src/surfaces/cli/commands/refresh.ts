import { parseProfileId } from '../../../domain/ids.js'
import { formatTime } from '../../../domain/rfc3339.js'
import { formatUntil } from '../render/time.js'
import type { CommandSpec } from '../spec.js'

/** `keymux refresh`: new tokens now. */
export const refresh: CommandSpec = {
  description:
    'Logins are renewed by themselves when it is time. Where another process has renewed this one meanwhile, its tokens are taken and nothing is sent.',
  arguments: [{ name: 'ID', summary: 'a profile, PROVIDER:NAME' }],
  examples: [{ line: 'keymux refresh gemini:me@example.com', does: 'renews the access token now' }],
  async run(context, input) {
    const { id } = parseProfileId(input.argument('ID'))
    const { oauth } = await context.open()
    const { signal, output, style, host } = context
    const { expiresAt, generation } = await oauth.renew(id, { signal })
    output.result(
      {
        profile_id: id,
        expires_at: formatTime(expiresAt),
        ...(generation === undefined ? {} : { generation }),
      },
      () =>
        output.isTTY
          ? `${style.good('✓')} ${id} is renewed; the token expires ${formatUntil(expiresAt, host.clock.now())}.`
          : id,
    )
    return undefined
  },
}
