import { KeymuxError } from '../../../domain/errors.js'
import { environmentOf } from '../../../operations/environment.js'
import { type Member, parseMembers } from '../../../operations/members.js'
import type { CliContext } from '../context.js'
import { gatewayEnvironment, refuseSelection, runningAccess } from '../gateway.js'
import type { CommandInput } from '../input.js'
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
    { flags: '--gateway', summary: 'the running gateway’s URL and token in place of keys' },
    ...SELECTION_OPTIONS,
  ],
  examples: [
    { line: 'eval "$(keymux env openai anthropic)"', does: 'sets them in this shell' },
    { line: 'keymux env openai --format dotenv', does: 'the same as a .env file' },
    { line: 'eval "$(keymux env --gateway openai)"', does: 'sends this shell’s programs through it' },
  ],
  async run(context, input) {
    const members = input.variadic('PROVIDER[:NAME]').flatMap((text) => parseMembers('PROVIDER', text))
    const format = context.output.json ? 'json' : (input.text('format') ?? 'sh')
    if (!isShell(format)) throw new KeymuxError('usage', `there is no format "${format}"`)
    const variables = input.flag('gateway')
      ? await gatewayVariables(context, input, members)
      : await environmentOf(await context.open(), members, readSelection(input, context.signal))
    if (format === 'json') context.output.document(variables)
    else context.output.raw(renderEnvironment(variables, format))
    return undefined
  },
}

async function gatewayVariables(
  context: CliContext,
  input: CommandInput,
  members: readonly Member[],
): Promise<Record<string, string>> {
  refuseSelection(input)
  const found = await runningAccess(context, members)
  if (found !== undefined) return gatewayEnvironment(members, found.find, found)
  throw new KeymuxError('gateway_not_found', 'no gateway of this vault is running', {
    hint: 'start one with keymux serve, or use keymux exec --gateway',
  })
}
