import { KeymuxError } from '../../../domain/errors.js'
import { parseMembers } from '../members.js'
import { environmentOf } from '../provider-env.js'
import { readSelection, SELECTION_OPTIONS } from '../selection.js'
import { isShell, renderEnvironment, SHELLS } from '../shells.js'
import type { CommandSpec } from '../spec.js'

/** `keymux env`: the same as `exec`, as lines for a shell. */
export const env: CommandSpec = {
  arguments: [
    { name: 'PROVIDER[:NAME]', summary: 'whose credentials', variadic: true, completes: 'provider' },
  ],
  options: [
    { flags: '--format <FORMAT>', summary: 'whose syntax; sh by default', choices: [...SHELLS] },
    ...SELECTION_OPTIONS,
  ],
  examples: [
    { line: 'eval "$(keymux env openai anthropic)"', does: 'sets them in this shell' },
    { line: 'keymux env openai --format dotenv', does: 'the same as a .env file' },
  ],
  async run(context, input) {
    const members = input.variadic('PROVIDER[:NAME]').flatMap((text) => parseMembers('PROVIDER', text))
    const format = context.output.json ? 'json' : (input.text('format') ?? 'sh')
    if (!isShell(format)) throw new KeymuxError('usage', `there is no format "${format}"`)
    const handle = await context.open()
    const variables = await environmentOf(handle, members, readSelection(input, context.signal))
    if (format === 'json') context.output.document(variables)
    else context.output.raw(renderEnvironment(variables, format))
    return undefined
  },
}
