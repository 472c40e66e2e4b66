import type {
  GatewayConfig,
  HealthConfig,
  HoldConfig,
  KeymuxConfig,
  KeymuxConfigInput,
  ProviderDeclaration,
  ReferencesConfig,
} from '../domain/config.js'
import { withoutUndefined } from '../domain/defined.js'
import type { OwnFailureRule } from '../domain/failure-rule.js'
import { PROFILE_PREFERENCES } from '../domain/ports.js'
import { NO_PROXY, PROXY_HINT, parseProxySetting } from '../domain/proxy.js'
import { redactSecrets } from '../domain/redact.js'
import type { ProfileCooldownConfig, ProviderCooldownOverride } from '../domain/usage.js'
import { readOwnRule, ruleToJson } from '../rules/read.js'
import {
  boolean,
  type ConfigProblem,
  dictionary,
  keyed,
  listOf,
  matching,
  number,
  oneOf,
  type Parser,
  type Path,
  passed,
  providerKey,
  record,
  type Spot,
} from './parsers.js'

const DEFAULT_GATEWAY: GatewayConfig = {
  port: 7878,
  host: '127.0.0.1',
  firstByteTimeoutSeconds: 30,
  idleTimeoutSeconds: 300,
  deadlineSeconds: 600,
  maxWaitSeconds: 20,
  replayLimitMb: 10,
  hold: { requests: 256, megabytes: 64 },
  health: true,
  privacy: false,
}
const MAX_HOURS = 10_000
// Nobody reads more, and finding the line of each takes time.
const MAX_PROBLEMS = 20
const CHAIN_NAME = /^[a-z0-9._-]{1,64}$/
// A model may hold anything printable, colons and slashes too: `openrouter:vendor/model:free`.
const CHAIN_MEMBER = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})(:[\p{L}\p{N}\p{P}\p{S}]{1,256})?$/u
const HOST = /^[A-Za-z0-9.:%_-]{1,255}$/

const seconds = number('a number of seconds', { min: 0, max: MAX_HOURS * 3600 })
const hours = number('a number of hours', { min: 0, max: MAX_HOURS })
const positiveSeconds = number('a number of seconds', { above: 0, max: 86_400 })

const override = record<ProviderCooldownOverride>({ rateLimitSeconds: seconds, billingBackoffHours: hours })

const member = matching('`provider` or `provider:model`', CHAIN_MEMBER, (text) => {
  const provider = text.split(':', 1)[0] ?? ''
  return provider.toLowerCase() + text.slice(provider.length)
})

/** A rule of the owner's own, as {@link readOwnRule} reads it. */
const failureRule: Parser<OwnFailureRule> = (value, spot) =>
  readOwnRule(value, { spell: spot.key, where: spot.where(spot.path) }, ({ key, message, atKey }) => {
    const path = key === undefined ? spot.path : [...spot.path, key]
    spot.report(withoutUndefined({ path, message, atKey }))
  })

/** What is read, in keymux's own terms. */
type Read = Omit<KeymuxConfigInput, 'failureRules'> & { readonly failureRules?: readonly OwnFailureRule[] }

const healthKey = matching(
  'a provider, or a profile as PROVIDER:NAME',
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?::[^\p{Cc}:]{1,128})?$/u,
  (text) => {
    const provider = text.split(':', 1)[0] ?? ''
    return provider.toLowerCase() + text.slice(provider.length)
  },
)
const healthByName = keyed(healthKey, boolean)

/** For everybody, or by name. */
const health: Parser<HealthConfig> = (value, spot) =>
  typeof value === 'object' && value !== null ? healthByName(value, spot) : boolean(value, spot)

/** A text is not repeated: it may hold a password. */
const proxy: Parser<string> = (value, spot) => {
  const setting = typeof value === 'string' ? parseProxySetting(value) : undefined
  if (setting === undefined) spot.report({ path: spot.path, message: `expected a proxy: ${PROXY_HINT}` })
  return setting
}

const percent = number('a percentage', { min: 0, max: 100 })
const reserveByProvider = keyed(
  matching('a provider name, or "*" for all others', /^(?:\*|[A-Za-z0-9][A-Za-z0-9._-]{0,63})$/, (text) =>
    text.toLowerCase(),
  ),
  percent,
)
const reserve: Parser<number | Readonly<Record<string, number>>> = (value, spot) =>
  typeof value === 'object' && value !== null ? reserveByProvider(value, spot) : percent(value, spot)

const root = record<Read>({
  defaultPreference: oneOf(PROFILE_PREFERENCES),
  cooldown: record<ProfileCooldownConfig>({
    rateLimitSeconds: seconds,
    billingBackoffHours: hours,
    billingMaxHours: hours,
    failureWindowHours: hours,
    byProvider: keyed(providerKey, override),
  }),
  reserve,
  providers: keyed(providerKey, passed),
  chains: keyed(
    matching('a chain name of 1 to 64 of a-z 0-9 . _ -', CHAIN_NAME),
    listOf(member, { min: 1, max: 100 }),
  ),
  gateway: record<NonNullable<KeymuxConfigInput['gateway']>>({
    port: number('a port', { min: 0, max: 65_535, whole: true }),
    host: matching('a host name or an IP address', HOST),
    firstByteTimeoutSeconds: positiveSeconds,
    idleTimeoutSeconds: positiveSeconds,
    deadlineSeconds: positiveSeconds,
    maxWaitSeconds: number('a number of seconds', { min: 0, max: 86_400 }),
    replayLimitMb: number('a number of megabytes', { min: 0, max: 1_000 }),
    hold: record<HoldConfig>({
      requests: number('a number of requests', { min: 0, max: 100_000, whole: true }),
      megabytes: number('a number of megabytes', { min: 0, max: 10_000 }),
    }),
    health,
    privacy: boolean,
  }),
  references: record<ReferencesConfig>({ exec: boolean }),
  failureRules: listOf(failureRule, { min: 0, max: 1_000 }),
  proxy,
})

/** How the keys of a source are written: as in memory, or as in YAML. */
export type Naming = 'camelCase' | 'snake_case'

/** Checks a configuration; with problems the config is whatever could be read. */
export function readConfig(
  value: unknown,
  naming: Naming,
  where: (path: Path) => string,
): { config: KeymuxConfig; problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = []
  const spot: Spot = {
    path: [],
    key: naming === 'snake_case' ? snakeCase : (name) => name,
    where,
    report: (problem) => {
      if (problems.length < MAX_PROBLEMS) problems.push(problem)
    },
  }
  return { config: complete(root(value, spot) ?? {}, where), problems }
}

function complete(input: Read, where: (path: Path) => string): KeymuxConfig {
  const declare = ([name, settings]: [string, Readonly<Record<string, unknown>>]): [
    string,
    ProviderDeclaration,
  ] => [name, { settings, where: (...path) => where(['providers', name, ...path]) }]
  return {
    defaultPreference: input.defaultPreference ?? 'valid',
    cooldown: input.cooldown ?? {},
    reserve: input.reserve ?? 0,
    providers: dictionary(Object.entries(input.providers ?? {}).map(declare)),
    chains: input.chains ?? dictionary([]),
    gateway: {
      ...DEFAULT_GATEWAY,
      ...input.gateway,
      hold: { ...DEFAULT_GATEWAY.hold, ...input.gateway?.hold },
    },
    references: { exec: false, ...input.references },
    failureRules: input.failureRules ?? [],
    ...(input.proxy !== undefined && { proxy: input.proxy }),
  }
}

const NOTHING = (): readonly string[] => []

/** Of each section the settings that say where keys and callers go, or what is run. */
const STEERING: Readonly<Record<keyof Required<KeymuxConfig>, (config: KeymuxConfig) => readonly string[]>> =
  {
    defaultPreference: NOTHING,
    cooldown: NOTHING,
    reserve: NOTHING,
    // The members of a chain are providers that are known, each with keys of its own.
    chains: NOTHING,
    providers: ({ providers }) => (Object.keys(providers).length === 0 ? [] : ['providers']),
    // Whoever listens where callers look for the gateway is sent its token.
    gateway: ({ gateway }) =>
      (['host', 'port'] as const)
        .filter((key) => gateway[key] !== DEFAULT_GATEWAY[key])
        .map((key) => `gateway.${key}`),
    references: ({ references }) => (references.exec ? ['references.exec'] : []),
    failureRules: NOTHING,
    proxy: ({ proxy }) => (proxy === undefined || proxy === NO_PROXY ? [] : ['proxy']),
  }

/** The settings in a configuration that nobody else may make, as YAML names them. */
export function steeringKeys(config: KeymuxConfig): readonly string[] {
  return Object.values(STEERING).flatMap((keysOf) => keysOf(config))
}

/** The configuration as YAML or JSON would say it. */
export function describeConfig(config: KeymuxConfig): Record<string, unknown> {
  const { byProvider, ...cooldown } = config.cooldown
  const perProvider = mapValues(byProvider ?? {}, snakeCaseKeys)
  return {
    default_preference: config.defaultPreference,
    cooldown: {
      ...snakeCaseKeys(cooldown),
      ...(Object.keys(perProvider).length > 0 && { by_provider: perProvider }),
    },
    reserve: typeof config.reserve === 'number' ? config.reserve : { ...config.reserve },
    providers: mapValues(config.providers, (declaration) => shownSettings(declaration.settings)),
    chains: { ...config.chains },
    gateway: snakeCaseKeys(config.gateway),
    references: { ...config.references },
    ...(config.failureRules.length > 0 && {
      failure_rules: config.failureRules.map(ruleToJson),
    }),
    ...(config.proxy !== undefined && { proxy: config.proxy }),
  }
}

/** A provider's declaration as it may be shown: it is not checked yet, and may have a secret in the wrong place. */
function shownSettings(value: unknown, key = ''): unknown {
  if (typeof value === 'string') {
    const isReference = /^(?:vault|env|file|exec):\/\//.test(value)
    const isSecret = /secret|password|token$|_key$/i.test(key) && !/_env_|^env_|env_key$/i.test(key)
    return isSecret && !isReference ? '[redacted]' : redactSecrets(value)
  }
  if (Array.isArray(value)) return value.map((one) => shownSettings(one, key))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shownSettings(inner, name)]))
}

function snakeCaseKeys(value: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snakeCase(key), inner]))
}

function mapValues<T, U>(value: Readonly<Record<string, T>>, change: (inner: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, change(inner)]))
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
}
