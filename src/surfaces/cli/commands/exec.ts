import { KeymuxError } from '../../../domain/errors.js'
import { newProfileId } from '../../../domain/ids.js'
import type { Keymux } from '../../../domain/keymux.js'
import { environmentOf } from '../../../operations/environment.js'
import { type Member, parseMembers } from '../../../operations/members.js'
import { providerEnvNames } from '../../../providers/request.js'
import { agentOf, type Child, tellUnled, withRecipe } from '../agents/agent-child.js'
import type { Recognised } from '../agents/recognise.js'
import type { CliContext } from '../context.js'
import { runChild } from '../exec-child.js'
import {
  aroundProxies,
  type FindProvider,
  type GatewayAccess,
  gatewayEndpoints,
  gatewayEnvironment,
  gatewayFolder,
  onlyMember,
  refuseSelection,
  runningAccess,
} from '../gateway.js'
import type { CommandInput } from '../input.js'
import { tellPassedOver } from '../passed-over.js'
import { readSelection, SELECTION_OPTIONS } from '../selection.js'
import type { GatewayRequest } from '../services.js'
import type { CommandSpec } from '../spec.js'

/** Never passed on: who can read the child's environment must not be able to open the vault. */
const OWN_VARIABLES = [
  'KEYMUX_PASSPHRASE',
  'KEYMUX_NEW_PASSPHRASE',
  'KEYMUX_EXPORT_PASSPHRASE',
  'KEYMUX_KEY_FILE',
  'KEYMUX_GATEWAY_TOKEN',
  'DEVCLAW_VAULT_PASSWORD',
]

const NO_LOG =
  'keymux: the log is left out of the terminal that the program draws on; 2> FILE writes both to a file'

/** `keymux exec`: runs a program with credentials in its environment. */
export const exec: CommandSpec = {
  description:
    'Sets the variables that the provider’s own SDKs read, runs the program without a shell, passes signals on and ends with its exit status. Other variables for the same provider are removed, and so is the vault’s passphrase.',
  arguments: [
    {
      name: 'PROVIDER[:NAME][,…]',
      summary: 'whose credentials; of several separated by commas the first that can serve',
      variadic: true,
      completes: 'provider',
    },
    { name: 'CMD', summary: 'the program and its arguments', afterDashes: true, anyText: true },
  ],
  options: [
    {
      flags: '--gateway',
      summary: 'hand out a gateway’s URL and token in place of keys: failover inside the program',
    },
    {
      flags: '--no-recipe',
      summary: 'with --gateway: set variables alone, also for a coding agent that needs more',
    },
    ...SELECTION_OPTIONS,
  ],
  examples: [
    { line: 'keymux exec openai -- python ask.py', does: 'runs it with OPENAI_API_KEY set' },
    { line: 'keymux exec openai:work anthropic -- make eval', does: 'sets the variables of both' },
    { line: 'keymux exec openai:work,groq -- make eval', does: 'of Groq where OpenAI cannot serve' },
    { line: 'keymux exec --gateway openai -- python ask.py', does: 'survives a rate limit half-way' },
    { line: 'keymux exec --gateway anthropic -- claude', does: 'the same for a coding agent' },
  ],
  async run(context, input) {
    const { words, command } = lineOf(input)
    const chains = words.map((word) => parseMembers('PROVIDER', word))
    if (input.flag('gateway')) {
      refuseSelection(input)
      const members = chains.map(onlyMember)
      const agent = agentOf(context, command)
      return throughGateway(context, { members, command, agent, bare: input.flag('no-recipe') })
    }
    if (input.flag('no-recipe')) {
      throw new KeymuxError('usage', '--no-recipe goes with --gateway alone', { hint: 'leave it out' })
    }
    const handle = await context.open()
    const find: FindProvider = (provider) => handle.providers.get(provider)
    const selection = readSelection(input, context.signal)
    const variables = await environmentOf(handle, chains, selection, (named, used) =>
      tellPassedOver(context, handle, named, used),
    )
    const env = childEnvironment(context, chains.flat(), find, variables)
    // The use is written down and the vault locked before a program runs that may run for days.
    await context.close()
    return start(context, command, env)
  },
}

/** What stands before and after `--`. Without one the first word names the provider, and the rest is the program. */
function lineOf(input: CommandInput): {
  readonly words: readonly string[]
  readonly command: readonly string[]
} {
  const [words, command] = [input.variadic('PROVIDER[:NAME][,…]'), input.variadic('CMD')]
  if (command.length > 0) return { words, command }
  if (words.length > 1) return { words: words.slice(0, 1), command: words.slice(1) }
  throw new KeymuxError('usage', 'exec wants a program to run', {
    hint: 'write keymux exec PROVIDER -- CMD',
  })
}

type Environment = Readonly<Record<string, string | undefined>>

/** What is to be run, with whose accounts. */
interface Task {
  readonly members: readonly Member[]
  readonly command: readonly string[]
  /** The coding agent that it starts, if it is one that keymux knows. */
  readonly agent: Recognised | undefined
  /** Variables are all that is set for it. */
  readonly bare: boolean
}

/** Uses the running gateway of this vault; without one, starts one that ends with the program. */
async function throughGateway(context: CliContext, task: Task): Promise<number> {
  const { members } = task
  const found = await runningAccess(context, members)
  if (found !== undefined) {
    // What the program leaves behind, or another program reads of it, opens nothing afterwards.
    const child = await context.host.services.childToken(found, providersOf(members))
    try {
      const access = { url: found.url, token: child.token }
      return await startAgainst(context, task, found.find, access, { url: found.url, runs: true })
    } finally {
      child.release()
    }
  }
  const request = { ...(await privateGateway(context, task)), providers: providersOf(members) }
  const { logger } = request
  const handle = await context.open(logger === undefined ? { longLived: true } : { logger, longLived: true })
  const find: FindProvider = (provider) => handle.providers.get(provider)
  // Refuses what a gateway would be started in vain for.
  gatewayEnvironment(members, find, undefined, reachedBy(task))
  await refuseEmpty(handle, members)
  const gateway = await context.host.services.startGateway(handle, request)
  try {
    const { url = '', token } = gateway
    const { host, port } = handle.config.gateway
    const served = { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, runs: false }
    return await startAgainst(context, task, find, { url, token }, served)
  } finally {
    await gateway.close({ drainMs: 0 })
  }
}

function providersOf(members: readonly Member[]): string[] {
  return [...new Set(members.map(({ provider }) => provider))]
}

/**
 * Starts the program with a gateway that runs.
 *
 * @param served What is there after the program: the address of `keymux serve`, and whether it runs.
 */
function startAgainst(
  context: CliContext,
  task: Task,
  find: FindProvider,
  access: GatewayAccess,
  served: { readonly url: string; readonly runs: boolean },
): Promise<number> {
  const { members, command, agent, bare } = task
  const variables = gatewayEnvironment(members, find, access, reachedBy(task))
  const around = aroundProxies(context.host.env)
  const child = {
    line: command,
    env: childEnvironment(context, members, find, { ...variables, ...around }),
  }
  const run = ({ line, env }: Child): Promise<number> => start(context, line, env)
  if (agent === undefined) return run(child)
  const endpoints = gatewayEndpoints(members, find, access.url)
  const lasting = { endpoints: gatewayEndpoints(members, find, served.url), runs: served.runs }
  const offer = { endpoints, lasting, token: access.token }
  if (!bare) return withRecipe(context, agent, child, offer, run)
  tellUnled(context, agent, offer, Object.keys(variables))
  return run(child)
}

/** Providers that the program is led to by other means than a variable for the base URL. */
function reachedBy({ agent, bare }: Task): (provider: string) => boolean {
  return (provider) => !bare && agent !== undefined && Object.hasOwn(agent.recipe.providers, provider)
}

/** A gateway on a free port of loopback, with a token of its own, that nobody else is told of. */
async function privateGateway(context: CliContext, { agent }: Task): Promise<GatewayRequest> {
  const { host, settings } = context
  const request = { host: '127.0.0.1', port: 0, announce: false, stateFolder: gatewayFolder(context) }
  // Standard error is the program's own, unless its user wants to see what happens.
  if (!settings.verbose) return request
  if (agent !== undefined && host.stderr.isTTY === true) {
    context.output.detail(NO_LOG)
    return request
  }
  const logger = await host.services.createLogger('debug', host.clock, (line) => host.stderr.write(line))
  return { ...request, logger }
}

async function refuseEmpty(
  { profiles }: Pick<Keymux, 'profiles'>,
  members: readonly Member[],
): Promise<void> {
  for (const { provider, name, text } of members) {
    if ((await profiles.views({ provider })).length === 0) {
      throw new KeymuxError('no_usable_profile', `there is no profile of ${provider}`, {
        hint: `run keymux add ${text}`,
      })
    }
    // The gateway would answer each request for one that is not there with 404.
    if (name !== undefined) await profiles.view(newProfileId(provider, name))
  }
}

/** The program's environment: ours without the vault's secrets and the providers' other keys. */
function childEnvironment(
  context: CliContext,
  members: readonly Member[],
  find: FindProvider,
  variables: Readonly<Record<string, string>>,
): Environment {
  const env: Record<string, string | undefined> = { ...context.host.env }
  for (const { provider } of members) {
    const metadata = find(provider)
    for (const name of metadata === undefined ? [] : providerEnvNames(metadata)) delete env[name]
  }
  for (const name of OWN_VARIABLES) delete env[name]
  return Object.assign(env, variables)
}

function start(context: CliContext, line: readonly string[], env: Environment): Promise<number> {
  const [command = '', ...args] = line
  return runChild({ command, args, env, interrupts: context.host.interrupts })
}
