import type { OwnFailureRule, TextPattern } from './failure-rule.js'
import type { ProfilePreference } from './ports.js'
import type { ProfileCooldownConfig } from './usage.js'

/** Settings of the gateway. */
export interface GatewayConfig {
  /** 0 picks a free port. Default 7878. */
  readonly port: number
  /** The address to listen on. Default 127.0.0.1. */
  readonly host: string
  /** How long an upstream may take to begin its answer, in seconds. Default 30. */
  readonly firstByteTimeoutSeconds: number
  /** How long a stream that has begun may be silent, in seconds. Default 300. */
  readonly idleTimeoutSeconds: number
  /** How long a request may take with all its tries, in seconds. Default 600. */
  readonly deadlineSeconds: number
  /** How long a request may wait for an account when all are busy for a while, in seconds. Default 20; 0 is never. */
  readonly maxWaitSeconds: number
  /** The largest request body that can be sent a second time, in MB of 1,000,000 bytes. Default 10. */
  readonly replayLimitMb: number
  readonly hold: HoldConfig
  /** Whether profiles that are set aside are asked about with their provider's cheap check. Default true. */
  readonly health: HealthConfig
  /** Whether user ids in requests are replaced by pseudonyms, others for each profile. Default false. */
  readonly privacy: boolean
}

/** For all profiles; or by provider (`openai`) and profile (`openai:work`), which then go before the default of true. */
export type HealthConfig = boolean | Readonly<Record<string, boolean>>

/** Whether a profile may be checked by itself: what is said of it goes before what is said of its provider. */
export function mayCheck(health: HealthConfig, provider: string, id: string): boolean {
  if (typeof health === 'boolean') return health
  const said = (name: string): boolean | undefined => (Object.hasOwn(health, name) ? health[name] : undefined)
  return said(id) ?? said(provider) ?? true
}

/** How many requests may wait for an account at a time; what is beyond is answered at once. */
export interface HoldConfig {
  /** Default 256. */
  readonly requests: number
  /** The bodies of those that wait, together, in MB of 1,000,000 bytes. Default 64. */
  readonly megabytes: number
}

/** Which kinds of references are allowed beyond the harmless ones. */
export interface ReferencesConfig {
  /** Whether `exec://` references may run commands. Default false. */
  readonly exec: boolean
}

/** A custom provider as declared: its settings are judged by the providers, not here. */
export interface ProviderDeclaration {
  readonly settings: Readonly<Record<string, unknown>>
  /** Names a setting for a message: `FILE:LINE:COL: providers.corp.base_url`. */
  readonly where: (...path: readonly (string | number)[]) => string
}

/** The whole configuration, defaults filled in. Cooldown defaults are the policy's own. */
export interface KeymuxConfig {
  /** Default `valid`. */
  readonly defaultPreference: ProfilePreference
  readonly cooldown: ProfileCooldownConfig
  /**
   * How much of a quota window is kept back, in percent: a profile with no more than that left goes last. For all
   * providers, or by lower-case name, `*` for those that are not named. Default 0.
   */
  readonly reserve: number | Readonly<Record<string, number>>
  /** By lower-case name. */
  readonly providers: Readonly<Record<string, ProviderDeclaration>>
  /** Members are `provider` or `provider:model`, in the order of trial; the provider is lower-case. */
  readonly chains: Readonly<Record<string, readonly string[]>>
  readonly gateway: GatewayConfig
  readonly references: ReferencesConfig
  /** Rules of the owner's own about failures, which go before keymux's. */
  readonly failureRules: readonly OwnFailureRule[]
  /** The proxy of every request: a URL without a login, a reference to one with, or `none`. Default: the environment's. */
  readonly proxy?: string
}

/** A rule as a program passes it: a pattern may be a text too. */
export type OwnFailureRuleInput = Omit<OwnFailureRule, 'pattern' | 'where'> & {
  readonly pattern?: string | TextPattern
}

/** How much of a quota window is kept back at a provider, in percent. */
export function reserveOf({ reserve }: Pick<KeymuxConfig, 'reserve'>, provider: string): number {
  if (typeof reserve === 'number') return reserve
  return (Object.hasOwn(reserve, provider) ? reserve[provider] : reserve['*']) ?? 0
}

/** What a program may pass as configuration: every part optional, keys in camelCase. */
export interface KeymuxConfigInput {
  readonly defaultPreference?: ProfilePreference
  readonly cooldown?: ProfileCooldownConfig
  readonly reserve?: number | Readonly<Record<string, number>>
  readonly providers?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly chains?: Readonly<Record<string, readonly string[]>>
  readonly gateway?: Partial<Omit<GatewayConfig, 'hold'>> & { readonly hold?: Partial<HoldConfig> }
  readonly references?: Partial<ReferencesConfig>
  readonly failureRules?: readonly OwnFailureRuleInput[]
  readonly proxy?: string
}
