import { parseProviderName } from '../../../domain/ids.js'
import { toStatusJson } from '../../../profiles/json-views.js'
import type { CliContext } from '../context.js'
import { renderStatus } from '../render/status.js'
import type { CommandSpec } from '../spec.js'
import { tick } from '../watch.js'

const REDRAW_EVERY_MS = 1_000

/** `keymux status`: who is available, who is not, until when and why. */
export const status: CommandSpec = {
  arguments: [{ name: 'PROVIDER', summary: 'only this provider', optional: true, completes: 'provider' }],
  options: [{ flags: '-w, --watch', summary: 'redraw every second until Ctrl-C' }],
  examples: [
    { line: 'keymux status', does: 'all providers' },
    { line: 'keymux status openai --watch', does: 'counts down until the keys are back' },
  ],
  async run(context, input) {
    const provider = input.optionalArgument('PROVIDER')
    const filter = provider === undefined ? {} : { provider: parseProviderName(provider) }
    const watching = input.flag('watch')
    do {
      await print(context, filter, watching)
    } while (watching && !context.output.closed && (await tick(REDRAW_EVERY_MS, context.signal)))
    return undefined
  },
}

async function print(context: CliContext, filter: { provider?: string }, watching: boolean): Promise<void> {
  const { profiles } = await context.open()
  const { output, style, host } = context
  const views = await profiles.views(filter, { signal: context.signal })
  if (output.json) {
    if (watching) output.event(toStatusJson(views))
    else output.document(toStatusJson(views))
    return
  }
  const text = renderStatus(views, { style, width: output.width, now: host.clock.now() })
  if (watching) output.clear()
  output.text(text)
}
