import { KeymuxError } from '../../../domain/errors.js'
import { parseProviderName } from '../../../domain/ids.js'
import { AUTH_MODES, type AuthMode } from '../../../domain/profile.js'
import { toListJson } from '../../../profiles/json-views.js'
import { renderList } from '../render/list.js'
import type { CommandSpec } from '../spec.js'

/** `keymux list`: profiles by provider, with state. */
export const list: CommandSpec = {
  arguments: [{ name: 'PROVIDER', summary: 'only this provider', optional: true, completes: 'provider' }],
  options: [
    { flags: '--mode <MODE>', summary: 'only profiles of this mode', choices: [...AUTH_MODES] },
    { flags: '--enabled', summary: 'only those switched on' },
    { flags: '--disabled', summary: 'only those switched off' },
  ],
  examples: [
    { line: 'keymux list', does: 'all profiles, in the order in which they are tried' },
    { line: 'keymux list openai --json', does: 'the same for programs' },
  ],
  async run(context, input) {
    const provider = input.optionalArgument('PROVIDER')
    const mode = input.text('mode') as AuthMode | undefined
    const [enabled, disabled] = [input.flag('enabled'), input.flag('disabled')]
    if (enabled && disabled)
      throw new KeymuxError('usage', '--enabled and --disabled cannot be used together')
    const filter = {
      ...(provider === undefined ? {} : { provider: parseProviderName(provider) }),
      mode,
      ...(enabled || disabled ? { enabled } : {}),
    }
    const { profiles } = await context.open()
    const views = await profiles.views(filter, { signal: context.signal })
    const { output, style, host } = context
    output.result(toListJson(views), () =>
      renderList(views, { style, width: output.width, now: host.clock.now() }),
    )
    const damaged = profiles.damaged().length
    if (damaged > 0) output.note(`${damaged} damaged record(s) cannot be read: see keymux vault check`)
    return undefined
  },
}
