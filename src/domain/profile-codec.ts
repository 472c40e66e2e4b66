import { withoutUndefined } from './defined.js'
import { KeymuxError } from './errors.js'
import { checkToJson, evidenceToJson, readCheck, readEvidence } from './evidence-codec.js'
import { type ProfileId, parseProfileId } from './ids.js'
import { type JsonObject, JsonReader, type JsonValue, readInteger, unexpected } from './json-reader.js'
import type { ApiKeyCredential, AuthProfile, OAuthCredential, TokenCredential } from './profile.js'
import { AUTH_MODES } from './profile.js'
import { formatTime, GO_ZERO_TIME_MS } from './rfc3339.js'
import { compareText } from './text-order.js'
import type {
  BehindOthers,
  FailureRun,
  ModelCooldown,
  ProfileUsageStats,
  RefusedModel,
  RunClass,
} from './usage.js'
import { FAILURE_REASONS } from './usage.js'

const RUN_CLASSES: readonly RunClass[] = [
  'auth',
  'transient',
  'overloaded',
  'billing',
  'auth_permanent',
  'presumed',
]

/**
 * A profile in the stored format: the original's field names, order and omissions (empty optional fields
 * and priority 0), then keymux's own `account`, `models`, `base_url`, `pool`, `concurrency`, `weight`,
 * `headers`, `proxy`, and `client_secret_ref` of a login. It holds the
 * secrets in the clear.
 */
export function profileToJson(profile: AuthProfile): JsonObject {
  return withoutUndefined({
    id: profile.id,
    provider: profile.provider,
    name: profile.name,
    mode: profile.mode,
    priority: unlessZero(profile.priority),
    enabled: profile.enabled,
    created_at: formatTime(profile.createdAt),
    updated_at: formatTime(profile.updatedAt),
    last_used_at: optionalTime(profile.lastUsedAt),
    last_error: unlessEmpty(profile.lastError),
    last_error_at: optionalTime(profile.lastErrorAt),
    api_key: profile.apiKey && apiKeyToJson(profile.apiKey),
    oauth: profile.oauth && oauthToJson(profile.oauth),
    token: profile.token && tokenToJson(profile.token),
    account: unlessEmpty(profile.account),
    models: unlessNone(profile.models),
    base_url: unlessEmpty(profile.baseUrl),
    pool: profile.pool,
    concurrency: profile.concurrency,
    weight: profile.weight,
    headers: profile.headers && { ...profile.headers },
    proxy: profile.proxy,
  })
}

/**
 * Reads a profile in the stored format. Unknown fields are ignored. A missing `created_at` or
 * `updated_at` becomes Go's zero time, as the original would read it. The OAuth login belongs to the
 * profile that holds it, whatever provider and name it carries itself.
 *
 * @param path what the value is called in error messages, such as `profiles["openai:work"]`
 * @throws KeymuxError `invalid_import`
 */
export function profileFromJson(value: unknown, path = 'profile'): AuthProfile {
  const fields = new JsonReader(value, path)
  const { id, provider, name } = readIdentity(fields)
  const createdAt = fields.optionalTime('created_at') ?? new Date(GO_ZERO_TIME_MS)
  const oauth = fields.section('oauth')
  return withoutUndefined({
    id,
    provider,
    name,
    mode: fields.oneOf('mode', AUTH_MODES),
    priority: fields.optionalInteger('priority', Number.MIN_SAFE_INTEGER) ?? 0,
    enabled: fields.flag('enabled'),
    createdAt,
    updatedAt: fields.optionalTime('updated_at') ?? createdAt,
    lastUsedAt: fields.optionalTime('last_used_at'),
    lastError: fields.optionalText('last_error'),
    lastErrorAt: fields.optionalTime('last_error_at'),
    apiKey: readApiKey(fields.section('api_key')),
    oauth: oauth && readOAuth(oauth, provider, name),
    token: readToken(fields.section('token')),
    account: fields.optionalText('account'),
    models: fields.optionalTexts('models'),
    baseUrl: fields.optionalText('base_url'),
    pool: fields.optionalText('pool'),
    concurrency: fields.optionalInteger('concurrency', 1),
    weight: fields.optionalInteger('weight', 1),
    headers: readTexts(fields, 'headers'),
    proxy: fields.optionalText('proxy'),
  })
}

/** Usage statistics in the stored format: the original's fields, then keymux's own. Maps are sorted. */
export function usageToJson(stats: ProfileUsageStats): JsonObject {
  return withoutUndefined({
    last_used: optionalTime(stats.lastUsed),
    cooldown_until: optionalTime(stats.cooldownUntil),
    disabled_until: optionalTime(stats.disabledUntil),
    disabled_reason: stats.disabledReason,
    error_count: unlessZero(stats.errorCount),
    failure_counts: countsToJson(stats.failureCounts),
    last_failure_at: optionalTime(stats.lastFailureAt),
    cooldown_reason: stats.cooldownReason,
    cooldown_stated: stats.cooldownStated || undefined,
    cooldown_presumed: stats.cooldownPresumed || undefined,
    cooldown_since: optionalTime(stats.cooldownSince),
    disabled_stated: stats.disabledStated || undefined,
    disabled_presumed: stats.disabledPresumed || undefined,
    disabled_evidence: stats.disabledEvidence && evidenceToJson(stats.disabledEvidence),
    trial_at: optionalTime(stats.trialAt),
    check: stats.check && checkToJson(stats.check),
    check_wanted: optionalTime(stats.checkWanted),
    model_cooldowns: modelsToJson(stats.modelCooldowns ?? {}),
    behind: behindToJson(stats.behind ?? {}),
    refused: refusedToJson(stats.refused ?? {}),
    // Kept even when empty: without it the exponents are taken from the failure counts.
    runs: stats.runs && runsToJson(stats.runs),
    epoch: stats.epoch || undefined,
    generation: stats.generation,
    turn: stats.turn,
  })
}

/**
 * Reads usage statistics in the stored format. Unknown fields, and counts of reasons this version does
 * not know, are ignored.
 *
 * @param path what the value is called in error messages
 * @throws KeymuxError `invalid_import`
 */
export function usageFromJson(value: unknown, path = 'usage_stats'): ProfileUsageStats {
  const fields = new JsonReader(value, path)
  const runs = fields.section('runs')
  return withoutUndefined({
    lastUsed: fields.optionalTime('last_used'),
    cooldownUntil: fields.optionalTime('cooldown_until'),
    cooldownReason: fields.optionalOneOf('cooldown_reason', FAILURE_REASONS),
    cooldownStated: fields.optionalFlag('cooldown_stated') || undefined,
    cooldownPresumed: fields.optionalFlag('cooldown_presumed') || undefined,
    cooldownSince: fields.optionalTime('cooldown_since'),
    disabledUntil: fields.optionalTime('disabled_until'),
    disabledReason: fields.optionalOneOf('disabled_reason', FAILURE_REASONS),
    disabledStated: fields.optionalFlag('disabled_stated') || undefined,
    disabledPresumed: fields.optionalFlag('disabled_presumed') || undefined,
    disabledEvidence: readEvidence(fields.section('disabled_evidence')),
    trialAt: fields.optionalTime('trial_at'),
    check: readCheck(fields.section('check')),
    checkWanted: fields.optionalTime('check_wanted'),
    epoch: fields.optionalInteger('epoch', 0) || undefined,
    generation: fields.optionalInteger('generation', 0),
    turn: fields.optionalInteger('turn', 0),
    errorCount: fields.optionalInteger('error_count', 0) ?? 0,
    failureCounts: readCounts(fields),
    lastFailureAt: fields.optionalTime('last_failure_at'),
    modelCooldowns: readModels(fields),
    behind: readBehind(fields),
    refused: readRefused(fields),
    runs: runs && readRuns(runs),
  })
}

function apiKeyToJson(credential: ApiKeyCredential): JsonObject {
  return withoutUndefined({ key: unlessEmpty(credential.key), key_ref: unlessEmpty(credential.keyRef) })
}

function readApiKey(fields: JsonReader | undefined): ApiKeyCredential | undefined {
  return (
    fields && withoutUndefined({ key: fields.optionalText('key'), keyRef: fields.optionalText('key_ref') })
  )
}

function tokenToJson(credential: TokenCredential): JsonObject {
  return withoutUndefined({
    token: unlessEmpty(credential.token),
    token_ref: unlessEmpty(credential.tokenRef),
    expires_at: optionalTime(credential.expiresAt),
  })
}

function readToken(fields: JsonReader | undefined): TokenCredential | undefined {
  return (
    fields &&
    withoutUndefined({
      token: fields.optionalText('token'),
      tokenRef: fields.optionalText('token_ref'),
      expiresAt: fields.optionalTime('expires_at'),
    })
  )
}

function oauthToJson(credential: OAuthCredential): JsonObject {
  const metadata = Object.entries(credential.metadata ?? {})
  return withoutUndefined({
    provider: credential.provider,
    profile_name: credential.profileName,
    access_token: credential.accessToken,
    refresh_token: credential.refreshToken,
    expires_at: formatTime(credential.expiresAt),
    email: unlessEmpty(credential.email),
    client_id: unlessEmpty(credential.clientId),
    client_secret_ref: unlessEmpty(credential.clientSecretRef),
    scopes: unlessNone(credential.scopes),
    metadata: metadata.length === 0 ? undefined : sortedObject(metadata),
    login_needed: credential.loginNeeded || undefined,
  })
}

function readOAuth(fields: JsonReader, provider: string, profileName: string): OAuthCredential {
  fields.optionalText('provider')
  fields.optionalText('profile_name')
  return withoutUndefined({
    provider,
    profileName,
    accessToken: fields.optionalText('access_token') ?? '',
    refreshToken: fields.optionalText('refresh_token') ?? '',
    expiresAt: fields.optionalTime('expires_at') ?? new Date(GO_ZERO_TIME_MS),
    email: fields.optionalText('email'),
    clientId: fields.optionalText('client_id'),
    clientSecretRef: fields.optionalText('client_secret_ref'),
    scopes: fields.optionalTexts('scopes'),
    metadata: readTexts(fields, 'metadata'),
    loginNeeded: fields.optionalFlag('login_needed') || undefined,
  })
}

function readTexts(fields: JsonReader, name: string): Record<string, string> | undefined {
  const entries = fields.entries(name).map(({ key, value, path }): [string, string] => {
    if (typeof value !== 'string') throw unexpected(path, 'a text')
    return [key, value]
  })
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

function readIdentity(fields: JsonReader): { id: ProfileId; provider: string; name: string } {
  const identity = readProfileId(fields.text('id'), `${fields.path}.id`)
  if (fields.text('provider').toLowerCase() !== identity.provider) {
    throw fields.wrong('provider', `${identity.provider}, as in the id`)
  }
  if (fields.text('name') !== identity.name) throw fields.wrong('name', 'the same name as in the id')
  return identity
}

/** Reads `provider:name`, both parts written out. @throws KeymuxError `invalid_import` */
export function readProfileId(text: string, path: string): { id: ProfileId; provider: string; name: string } {
  try {
    if (text.includes(':')) return parseProfileId(text)
  } catch (error) {
    if (!(error instanceof KeymuxError)) throw error
  }
  throw unexpected(path, 'a profile id, provider:name')
}

function countsToJson(counts: ProfileUsageStats['failureCounts']): JsonObject | undefined {
  const entries = Object.entries(counts).filter(([, count]) => count > 0)
  return entries.length === 0 ? undefined : sortedObject(entries)
}

function readCounts(fields: JsonReader): ProfileUsageStats['failureCounts'] {
  const counts: ProfileUsageStats['failureCounts'] = {}
  for (const { key, value, path } of fields.entries('failure_counts')) {
    const count = readInteger(value, path, 0)
    const reason = FAILURE_REASONS.find((known) => known === key)
    if (reason !== undefined) counts[reason] = count
  }
  return counts
}

/** Whoever reads these refuses `__proto__` for a key; a request may name such a model all the same. */
function nameable<T>(models: Record<string, T>): [string, T][] {
  return Object.entries(models).filter(([model]) => model !== '__proto__')
}

function modelsToJson(windows: Record<string, ModelCooldown>): JsonObject | undefined {
  const entries = nameable(windows).map(
    ([model, { until, reason, stated, presumed, since }]): [string, JsonValue] => [
      model,
      withoutUndefined({
        until: formatTime(until),
        reason,
        stated: stated || undefined,
        presumed: presumed || undefined,
        since: optionalTime(since),
      }),
    ],
  )
  return entries.length === 0 ? undefined : sortedObject(entries)
}

function readModels(fields: JsonReader): Record<string, ModelCooldown> | undefined {
  const entries = fields.entries('model_cooldowns').map(({ key, value, path }): [string, ModelCooldown] => {
    const window = new JsonReader(value, path)
    const cooldown = {
      until: window.time('until'),
      reason: window.oneOf('reason', FAILURE_REASONS),
      stated: window.optionalFlag('stated') || undefined,
      presumed: window.optionalFlag('presumed') || undefined,
      since: window.optionalTime('since'),
    }
    return [key, withoutUndefined(cooldown)]
  })
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

function behindToJson(models: Record<string, BehindOthers>): JsonObject | undefined {
  const entries = nameable(models).map(([model, { until, count }]): [string, JsonValue] => [
    model,
    { until: formatTime(until), count },
  ])
  return entries.length === 0 ? undefined : sortedObject(entries)
}

function readBehind(fields: JsonReader): Record<string, BehindOthers> | undefined {
  const entries = fields.entries('behind').map(({ key, value, path }): [string, BehindOthers] => {
    const behind = new JsonReader(value, path)
    return [key, { until: behind.time('until'), count: behind.integer('count', 1) }]
  })
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

function refusedToJson(models: Record<string, RefusedModel>): JsonObject | undefined {
  const entries = nameable(models).map(
    ([model, { conversations, lastAt, until, count }]): [string, JsonValue] => [
      model,
      withoutUndefined({
        conversations: [...conversations],
        last_at: formatTime(lastAt),
        until: optionalTime(until),
        count: unlessZero(count),
      }),
    ],
  )
  return entries.length === 0 ? undefined : sortedObject(entries)
}

function readRefused(fields: JsonReader): Record<string, RefusedModel> | undefined {
  const entries = fields.entries('refused').map(({ key, value, path }): [string, RefusedModel] => {
    const refused = new JsonReader(value, path)
    const model = {
      conversations: [...(refused.optionalTexts('conversations') ?? [])],
      lastAt: refused.time('last_at'),
      until: refused.optionalTime('until'),
      count: refused.optionalInteger('count', 0) ?? 0,
    }
    return [key, withoutUndefined(model)]
  })
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

function runsToJson(runs: NonNullable<ProfileUsageStats['runs']>): JsonObject {
  const entries = Object.entries(runs).map(([run, { count, lastAt }]): [string, JsonValue] => [
    run,
    { count, last_at: formatTime(lastAt) },
  ])
  return sortedObject(entries)
}

function readRuns(fields: JsonReader): Partial<Record<RunClass, FailureRun>> {
  const runs: Partial<Record<RunClass, FailureRun>> = {}
  for (const name of RUN_CLASSES) {
    const run = fields.section(name)
    if (run !== undefined) runs[name] = { count: run.integer('count', 1), lastAt: run.time('last_at') }
  }
  return runs
}

/** An object with its keys in code-point order. */
export function sortedObject(entries: readonly (readonly [string, JsonValue])[]): JsonObject {
  return Object.fromEntries([...entries].sort(([a], [b]) => compareText(a, b)))
}

function optionalTime(time: Date | undefined): string | undefined {
  return time && formatTime(time)
}

function unlessEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

function unlessZero(count: number): number | undefined {
  return count === 0 ? undefined : count
}

function unlessNone(texts: readonly string[] | undefined): readonly string[] | undefined {
  return texts?.length === 0 ? undefined : texts
}
