import { withoutUndefined } from '../domain/defined.js'
import { profileName, profileProvider } from '../domain/ids.js'
import { type JsonEntry, JsonReader, unexpected } from '../domain/json-reader.js'
import { usageToJson } from '../domain/profile-codec.js'
import { FAILURE_REASONS, type FailureReason, type ProfileUsageStats } from '../domain/usage.js'
import { Collector, type Reading } from './collector.js'
import { readObject } from './contents.js'
import type { ImportContext, Importer } from './draft.js'
import { enterpriseBaseUrl } from './hosts.js'
import { isEmail } from './jwt.js'
import { type ForeignLogin, profileNameOr, readEpoch, readLogin } from './login.js'
import { folder, joinPath } from './places.js'
import { knownProvider, UNKNOWN_PROVIDER } from './provider-names.js'
import { isVariableName, variableReferred } from './variables.js'

/** What the file says of its profiles besides their credentials, by the profile's id there. */
interface Standing {
  readonly priorities: ReadonlyMap<string, number>
  readonly lastGood: ReadonlySet<string>
  readonly usage: ReadonlyMap<string, ProfileUsageStats>
}

/** OpenClaw: profiles much like keymux's own, with their order, use and last good ones. */
export const openclaw: Importer = {
  name: 'openclaw',
  label: 'OpenClaw',
  defaultPaths: (home, env, platform) => {
    const state = folder(env, 'OPENCLAW_STATE_DIR', platform, home, '.openclaw')
    const agent = env.OPENCLAW_AGENT_DIR || joinPath(platform, state, 'agents', 'main', 'agent')
    return [joinPath(platform, agent, 'auth-profiles.json')]
  },
  parse: (contents, context) => {
    const file = readObject(contents)
    if (file.section('profiles') === undefined) throw file.wrong('profiles', 'an object')
    const found = new Collector()
    const standing = {
      priorities: readOrder(file),
      lastGood: readLastGood(file),
      usage: readUsage(file, found),
    }
    found.takeEach(file.entries('profiles'), (entry) => readProfile(entry, standing, context))
    return found.result()
  },
}

function readProfile({ key, value, path }: JsonEntry, standing: Standing, context: ImportContext): Reading {
  const fields = new JsonReader(value, path)
  const theirs = fields.optionalText('provider') ?? profileProvider(key)
  const provider = knownProvider(theirs, context)
  if (provider === undefined) return UNKNOWN_PROVIDER
  const common = { provider, name: profileName(key), source: 'openclaw' }
  const otherwise = profileNameOr(`${common.name}-${theirs}`, common.name)
  const extra = standingOf(standing, key)
  // Older files say `mode`.
  const type = fields.optionalText('type') ?? fields.optionalText('mode')
  if (type === 'oauth') {
    const login = { ...common, ...loginFields(fields), named: true, extra }
    return readLogin(login, context.takeOver, otherwise)
  }
  if (type !== 'api_key' && type !== 'token') {
    return { skipped: 'it is neither an API key, a token nor an OAuth login' }
  }
  const secret = readSecret(fields, type)
  if ('skipped' in secret) return secret
  const email = fields.optionalText('email')
  const details = withoutUndefined({
    email: isEmail(email) ? email : undefined,
    expiresAt: type === 'token' ? readEpoch(fields, 'expires') : undefined,
  })
  return { draft: { ...common, mode: type, ...secret, ...details, ...extra }, otherwise }
}

function standingOf(standing: Standing, id: string): NonNullable<ForeignLogin['extra']> {
  const usage = standing.usage.get(id)
  return withoutUndefined({
    priority: standing.priorities.get(id),
    usage: usage && usageToJson(usage),
    lastGood: standing.lastGood.has(id) || undefined,
  })
}

function loginFields(fields: JsonReader) {
  return {
    accessToken: fields.optionalText('access'),
    refreshToken: fields.optionalText('refresh'),
    expiresAt: readEpoch(fields, 'expires'),
    email: fields.optionalText('email'),
    account: fields.optionalText('accountId'),
    clientId: fields.optionalText('clientId'),
    metadata: { project_id: fields.optionalText('projectId') },
    baseUrl: enterpriseBaseUrl(fields),
  }
}

/** The secret or a reference to it, or why it is left out. */
function readSecret(
  fields: JsonReader,
  type: 'api_key' | 'token',
): { readonly secret: string } | { readonly reference: string } | { readonly skipped: string } {
  const [plain, reference] = type === 'api_key' ? ['key', 'keyRef'] : ['token', 'tokenRef']
  const ref = fields.section(reference)
  if (ref !== undefined) {
    if (ref.text('source') !== 'env')
      return { skipped: 'its secret is kept neither in the file nor in a variable' }
    const id = ref.text('id')
    if (!isVariableName(id)) throw ref.wrong('id', 'the name of a variable')
    return { reference: `env://${id}` }
  }
  const secret = fields.optionalText(plain)
  if (secret === undefined) return { skipped: 'it is empty' }
  const variable = variableReferred(secret)
  return variable === undefined ? { secret } : { reference: `env://${variable}` }
}

/** The first of n profiles in a provider's order gets priority n, the last one 1. */
function readOrder(file: JsonReader): Map<string, number> {
  const priorities = new Map<string, number>()
  const order = file.section('order')
  for (const { key } of file.entries('order')) {
    const ids = [...new Set(order?.optionalTexts(key))]
    for (const [index, id] of ids.entries()) priorities.set(id, ids.length - index)
  }
  return priorities
}

function readLastGood(file: JsonReader): Set<string> {
  return new Set(
    file.entries('lastGood').map(({ value, path }) => {
      if (typeof value !== 'string') throw unexpected(path, 'a profile id')
      return value
    }),
  )
}

/** Damaged statistics are reported and cost no credential. */
function readUsage(file: JsonReader, found: Collector): Map<string, ProfileUsageStats> {
  const usage = new Map<string, ProfileUsageStats>()
  for (const { key, value, path } of file.entries('usageStats')) {
    found.attempt(path, () => usage.set(key, readStats(new JsonReader(value, path))))
  }
  return usage
}

function readStats(fields: JsonReader): ProfileUsageStats {
  const disabled = fields.optionalText('disabledReason')
  return withoutUndefined({
    lastUsed: readEpoch(fields, 'lastUsed'),
    cooldownUntil: readEpoch(fields, 'cooldownUntil'),
    disabledUntil: readEpoch(fields, 'disabledUntil'),
    disabledReason: disabled === undefined ? undefined : knownReason(disabled),
    errorCount: fields.optionalInteger('errorCount', 0) ?? 0,
    failureCounts: readCounts(fields.section('failureCounts')),
    lastFailureAt: readEpoch(fields, 'lastFailureAt'),
  })
}

function knownReason(reason: string): FailureReason {
  return FAILURE_REASONS.find((known) => known === reason) ?? 'unknown'
}

function readCounts(fields: JsonReader | undefined): ProfileUsageStats['failureCounts'] {
  const counts: ProfileUsageStats['failureCounts'] = {}
  for (const reason of FAILURE_REASONS) {
    const count = fields?.optionalInteger(reason, 0)
    if (count !== undefined) counts[reason] = count
  }
  return counts
}
