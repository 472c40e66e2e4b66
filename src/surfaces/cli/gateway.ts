import { keymuxFolder } from '../../config/paths.js'
import { KeymuxError } from '../../domain/errors.js'
import type { ProviderMetadata } from '../../domain/provider.js'
import type { Member } from '../../operations/members.js'
import { providerEnv } from '../../providers/request.js'
import type { CliContext } from './context.js'
import type { CommandInput } from './input.js'
import { inspectLocked } from './vault-facts.js'

/** What a program needs to use a gateway. */
export interface GatewayAccess {
  readonly url: string
  readonly token: string
}

/** Where gateways leave their tokens and records. */
export function gatewayFolder({ host }: CliContext): string {
  return keymuxFolder('state', host)
}

/**
 * The gateway of this vault that runs now, and what is known of providers. The vault stays locked, unless
 * one of the providers is known to it alone.
 *
 * @throws KeymuxError `vault_not_found`
 */
export async function runningAccess(
  context: CliContext,
  members: readonly Member[],
): Promise<(GatewayAccess & { readonly find: FindProvider }) | undefined> {
  const { host, settings } = context
  const { header } = await inspectLocked(context)
  const access = await host.services.findGateway(gatewayFolder(context), header.vaultId.toString('hex'))
  if (access === undefined) return undefined
  const known = await host.services.providers(settings.config, settings.configSource !== 'default')
  const registry = members.every(({ provider }) => known.isValid(provider))
    ? known
    : (await context.open()).providers
  return { ...access, find: (provider) => registry.get(provider) }
}

/** What is known of a provider. */
export type FindProvider = (provider: string) => ProviderMetadata | undefined

/**
 * A gateway goes from account to account by itself, and between providers as the config says.
 *
 * @throws KeymuxError `usage` for a chain
 */
export function onlyMember(chain: readonly Member[]): Member {
  const [member] = chain
  if (member !== undefined && chain.length === 1) return member
  throw new KeymuxError('usage', 'a gateway does not choose between providers by a comma', {
    hint: 'name several providers as separate words, or declare a chain in the config',
  })
}

/** The gateway chooses by itself, for each request anew. @throws KeymuxError `usage` */
export function refuseSelection(input: CommandInput): void {
  for (const name of ['mode', 'model', 'prefer'] as const) {
    if (input.text(name) !== undefined) throw notTogether(name)
  }
  if (input.flag('strict')) throw notTogether('strict')
}

function notTogether(name: string): KeymuxError {
  return new KeymuxError('usage', `--gateway and --${name} cannot be used together`, {
    hint: 'the gateway chooses an account for each request',
  })
}

const PROXY_VARIABLE = /^(?:https?|all|ftp|wss?)_proxy$/i
const LOOPBACK = ['127.0.0.1', 'localhost', '::1']

/**
 * Keeps requests to the gateway, on loopback, away from a proxy that the environment names, whichever variable a program
 * reads. What is exempt already stays exempt.
 */
export function aroundProxies(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  if (!Object.entries(env).some(([name, value]) => PROXY_VARIABLE.test(name) && value)) return {}
  return {
    NO_PROXY: withLoopback(env.NO_PROXY || env.no_proxy),
    no_proxy: withLoopback(env.no_proxy || env.NO_PROXY),
  }
}

function withLoopback(list = ''): string {
  const given = list.split(/[\s,]+/).filter((entry) => entry !== '')
  // For many programs an asterisk is everything only where it stands alone.
  return given.includes('*') ? list : [...new Set([...given, ...LOOPBACK])].join(',')
}

/**
 * The variables that send a program's requests through a gateway: base URL and, in place of a key, the
 * gateway's token.
 *
 * @param access absent to see only whether they can be had
 * @param reached providers of which the program learns the base URL by other means; default none
 * @throws KeymuxError `unknown_provider`; `usage` for a provider whose SDKs read no base URL
 */
export function gatewayEnvironment(
  members: readonly Member[],
  find: FindProvider,
  access?: GatewayAccess,
  reached: (provider: string) => boolean = () => false,
): Record<string, string> {
  const { url = '', token = '' } = access ?? {}
  const variables: Record<string, string> = {}
  for (const member of members) {
    const { provider } = member
    const metadata = find(provider)
    if (metadata === undefined) {
      throw new KeymuxError('unknown_provider', `there is no provider "${provider}"`, {
        hint: 'see keymux providers',
      })
    }
    const base = baseOf(url, member)
    if (metadata.baseUrlEnv === undefined && !reached(provider)) {
      throw new KeymuxError('usage', `programs read no base URL for ${provider} from the environment`, {
        hint:
          access === undefined
            ? 'start keymux serve, and set its base URL and token in the program itself'
            : `set the base URL ${base} and the token in the program itself`,
      })
    }
    Object.assign(variables, providerEnv(metadata, 'api_key', token, base))
  }
  return variables
}

/** Where a gateway answers for each member, and the variable that its token is handed out in. */
export function gatewayEndpoints(
  members: readonly Member[],
  find: FindProvider,
  url: string,
): readonly { readonly provider: string; readonly base: string; readonly key: string }[] {
  return members.map((member) => {
    const { provider } = member
    return { provider, base: baseOf(url, member), key: find(provider)?.envKey ?? '' }
  })
}

function baseOf(url: string, { provider, name }: Member): string {
  return `${url}/${provider}${name === undefined ? '' : `:${encodeURIComponent(name)}`}`
}
