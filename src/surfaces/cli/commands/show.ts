import { parseProfileId } from '../../../domain/ids.js'
import type { AuthProfile } from '../../../domain/profile.js'
import { toShowJson } from '../../../profiles/json-views.js'
import { renderShow } from '../render/show.js'
import type { CommandSpec } from '../spec.js'

/** `keymux show`: all that is known of one profile. */
export const show: CommandSpec = {
  description: 'Its secret is printed only with --reveal, which the audit records.',
  arguments: [{ name: 'ID', summary: 'a profile, PROVIDER:NAME' }],
  options: [{ flags: '--reveal', summary: 'print the secret too' }],
  examples: [
    { line: 'keymux show openai:work', does: 'state, usage, limits' },
    {
      line: 'keymux show gemini:me --reveal --json',
      does: 'every secret of the profile, refresh token included',
    },
  ],
  async run(context, input) {
    const { id } = parseProfileId(input.argument('ID'))
    const { profiles } = await context.open()
    const view = await profiles.view(id, { signal: context.signal })
    const { output, style, host } = context
    const options = { style, width: output.width, now: host.clock.now() }
    if (!input.flag('reveal')) {
      output.result(toShowJson(view), () => renderShow(view, options))
      return undefined
    }
    const profile = await profiles.get(id, { signal: context.signal })
    const secrets = profile === undefined ? {} : secretsOf(profile)
    await profiles.noteRevealed(id, 'revealed', { signal: context.signal })
    output.result({ ...toShowJson(view), ...secrets }, () =>
      [
        renderShow(view, options),
        '',
        ...Object.entries(secrets).map(([name, text]) => `${name}: ${text}`),
      ].join('\n'),
    )
    return undefined
  },
}

function secretsOf(profile: AuthProfile): Record<string, string> {
  const found: Record<string, string | undefined> = {
    key: profile.apiKey?.key,
    token: profile.token?.token,
    access_token: profile.oauth?.accessToken,
    refresh_token: profile.oauth?.refreshToken,
  }
  const present = Object.entries(found).filter((entry): entry is [string, string] => Boolean(entry[1]))
  return Object.fromEntries(present)
}
