import { KeymuxError } from '../../../domain/errors.js'
import { environmentOf } from '../../../operations/environment.js'
import { type Member, parseMembers } from '../../../operations/members.js'
import { providerEnvNames } from '../../../providers/request.js'
import type { CliContext } from '../context.js'
import {
  aroundProxies,
  type FindProvider,
  gatewayEnvironment,
  onlyMember,
  refuseSelection,
  runningAccess,
} from '../gateway.js'
import type { CommandInput } from '../input.js'
import { tellPassedOver } from '../passed-over.js'
import { readSelection, SELECTION_OPTIONS } from '../selection.js'
import { isShell, renderEnvironment, SHELLS } from '../shells.js'
import type { CommandSpec } from '../spec.js'

/** `keymux env`: the same as `exec`, as lines for a shell. */
export const env: CommandSpec = {
  arguments: [
    {
      name: 'PROVIDER[:NAME][,…]',
      summary: 'whose credentials; of several separated by commas the first that can serve',
      variadic: true,
      completes: 'provider',
    },
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
    const chains = input.variadic('PROVIDER[:NAME][,…]').map((text) => parseMembers('PROVIDER', text))
    const format = context.output.json ? 'json' : (input.text('format') ?? 'sh')
    if (!isShell(format)) throw new KeymuxError('usage', `there is no format "${format}"`)
    const { variables, find } = input.flag('gateway')
      ? await gatewayVariables(context, input, chains.map(onlyMember))
      : await keyVariables(context, input, chains)
    if (format === 'json') context.output.document(variables)
    else {
      const others = strangers(context, chains.flat(), find, variables)
      context.output.raw(renderEnvironment({ ...others, ...variables }, format))
    }
    return undefined
  },
}

/** What is to be set, and what is known of providers. */
interface Found {
  readonly variables: Record<string, string>
  readonly find: FindProvider
}

/** Variables of this shell that would lead the credentials to another address or account. */
function strangers(
  { host }: CliContext,
  members: readonly Member[],
  find: FindProvider,
  set: Readonly<Record<string, string>>,
): Record<string, undefined> {
  const names = members.flatMap(({ provider }) => {
    const metadata = find(provider)
    return metadata === undefined ? [] : providerEnvNames(metadata)
  })
  const present = names.filter((name) => host.env[name] !== undefined && !(name in set))
  return Object.fromEntries(present.map((name) => [name, undefined]))
}

async function keyVariables(
  context: CliContext,
  input: CommandInput,
  chains: readonly (readonly Member[])[],
): Promise<Found> {
  const handle = await context.open()
  const selection = readSelection(input, context.signal)
  const variables = await environmentOf(handle, chains, selection, (named, used) =>
    tellPassedOver(context, handle, named, used),
  )
  return { variables, find: (provider) => handle.providers.get(provider) }
}

async function gatewayVariables(
  context: CliContext,
  input: CommandInput,
  members: readonly Member[],
): Promise<Found> {
  refuseSelection(input)
  const found = await runningAccess(context, members)
  if (found !== undefined) {
    const variables = gatewayEnvironment(members, found.find, found)
    return { variables: { ...variables, ...aroundProxies(context.host.env) }, find: found.find }
  }
  throw new KeymuxError('gateway_not_found', 'no gateway of this vault is running', {
    hint: 'start one with keymux serve, or use keymux exec --gateway',
  })
}
