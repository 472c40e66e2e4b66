import { withoutUndefined } from '../domain/defined.js'
import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import { newProfileId } from '../domain/ids.js'
import type { Keymux } from '../domain/keymux.js'
import type { AuthProfile } from '../domain/profile.js'
import { profileToJson, usageFromJson } from '../domain/profile-codec.js'
import type { ProfileStore } from '../domain/profile-store.js'
import type { ImportedUsage } from '../domain/profiles.js'
import type { Providers } from '../domain/providers.js'
import type { ImportDraft, ImportNote, NamedSecret } from '../interchange/draft.js'
import type { ExportedProvider } from '../interchange/json.js'
import { renewalObstacle } from '../oauth/renewable.js'
import { buildProfile } from '../profiles/validate.js'
import { customProviderToJson, parseCustomProvider } from '../providers/custom.js'
import { loginNotes } from './import-notes.js'
import { droppedNote, refuseProfile, refuseProvider, untrusted } from './import-trust.js'

/** Everything that a source holds for the vault, and what it holds besides. */
export interface Arrivals {
  /** Complete profiles, or credentials to make profiles of. */
  readonly profiles: readonly (ArrivingProfile | ImportDraft)[]
  readonly secrets: readonly NamedSecret[]
  readonly providers: readonly ExportedProvider[]
  readonly skipped: readonly ImportNote[]
  readonly failed: readonly ImportNote[]
  /** Something that the person should know about the source. */
  readonly note?: string
}

/** A profile as another keymux, or DevClaw, keeps it. */
export interface ArrivingProfile {
  readonly profile: AuthProfile
  readonly usage: ImportedUsage
}

/** What became of everything that arrived. */
export interface ImportReport {
  /** Ids of profiles, `vault://NAME` of secrets, `provider/NAME` of custom providers. */
  readonly imported: readonly string[]
  readonly skipped: readonly ImportNote[]
  readonly failed: readonly ImportNote[]
  /** What the person should know about it: sentences. */
  readonly notes: readonly string[]
}

/** How what arrived is put into the vault. */
export interface SettleOptions {
  readonly replace: boolean
  /** The person has looked at addresses and references that the source brings. */
  readonly trustEndpoints: boolean
  readonly now: Date
  readonly signal: AbortSignal
}

const ALREADY_THERE = 'already there'
const DIFFERENT = 'is there and differs; --replace overwrites it'

/** Every profile of a store, with what is remembered of its use. */
export function arrivalsOfStore(store: ProfileStore): ArrivingProfile[] {
  return store.list().map((profile) => ({
    profile,
    usage: {
      stats: store.getUsageStats(profile.id),
      lastGood: store.lastGood[profile.provider] === profile.id,
    },
  }))
}

/**
 * Puts what arrived into the vault, each piece in a transaction of its own. What is there already stays as
 * it is, unless it differs and `replace` is set.
 *
 * @throws KeymuxError what keeps the vault from being written; what is wrong with one piece is reported
 */
export async function settle(
  handle: Pick<Keymux, 'profiles' | 'providers' | 'providerShelf' | 'vault'>,
  arrivals: Arrivals,
  options: SettleOptions,
): Promise<ImportReport> {
  const imported: string[] = []
  const skipped = [...arrivals.skipped]
  const failed = [...arrivals.failed]
  const drafts: ImportDraft[] = []
  const dropped: string[] = []
  const one = async (id: string, place: () => Promise<string | undefined>): Promise<void> => {
    options.signal.throwIfAborted()
    try {
      const reason = await place()
      if (reason === undefined) imported.push(id)
      else skipped.push({ id, reason })
    } catch (error) {
      const reason = skipReason(error)
      if (reason !== undefined) skipped.push({ id, reason })
      else if (error instanceof KeymuxError && isOfPiece(error)) {
        failed.push({ id, reason: error.message })
      } else throw error
    }
  }
  for (const provider of arrivals.providers) {
    await one(`provider/${provider.name}`, () => placeProvider(handle, provider, options))
  }
  for (const secret of arrivals.secrets) {
    await one(`vault://${secret.name}`, () => placeSecret(handle, secret, options))
  }
  for (const arriving of arrivals.profiles) {
    const id = 'profile' in arriving ? arriving.profile.id : newProfileId(arriving.provider, arriving.name)
    await one(id, () => placeProfile(handle, arriving, options, dropped))
    if ('source' in arriving && imported.at(-1) === id) drafts.push(arriving)
  }
  const { note } = arrivals
  const notes = [...loginNotes(drafts, handle.providers), ...dropped, ...(note === undefined ? [] : [note])]
  return { imported, skipped, failed, notes }
}

function skipReason(error: unknown): string | undefined {
  if (isKeymuxError(error, 'unknown_provider')) {
    return 'its provider is unknown; declare it with keymux providers add'
  }
  return isKeymuxError(error, 'profile_exists') || isKeymuxError(error, 'provider_exists')
    ? 'somebody else added it at the same time'
    : undefined
}

/** Whether an error lies in the piece itself rather than in the vault. */
function isOfPiece({ code, exitCode }: KeymuxError): boolean {
  return exitCode === USAGE || code === 'endpoint_refused'
}

const USAGE = 2

async function placeProvider(
  { providers, providerShelf }: Pick<Keymux, 'providers' | 'providerShelf'>,
  { name, declaration }: ExportedProvider,
  { replace, trustEndpoints, signal }: SettleOptions,
): Promise<string | undefined> {
  const arriving = parseCustomProvider(name, declaration)
  const present = providers.get(name)
  if (present !== undefined) {
    if (sameJson(customProviderToJson(present), customProviderToJson(arriving))) return ALREADY_THERE
    if (!(await providerShelf.names()).includes(present.name))
      return 'a provider of this name is built in or configured'
    if (!replace) return DIFFERENT
  }
  if (!trustEndpoints) refuseProvider(arriving)
  await providerShelf.add(name, declaration, { replace, signal })
  return undefined
}

async function placeSecret(
  { vault }: Pick<Keymux, 'vault'>,
  { name, value }: NamedSecret,
  { replace, signal }: SettleOptions,
): Promise<string | undefined> {
  if (await vault.has(name, { signal })) {
    if ((await vault.get(name, { signal })) === value) return ALREADY_THERE
    if (!replace) return DIFFERENT
  }
  await vault.set(name, value, { signal })
  return undefined
}

async function placeProfile(
  { profiles, providers }: Pick<Keymux, 'profiles' | 'providers'>,
  arriving: ArrivingProfile | ImportDraft,
  { replace, trustEndpoints, now, signal }: SettleOptions,
  notes: string[],
): Promise<string | undefined> {
  const { profile: whole, usage } =
    'profile' in arriving
      ? { profile: adapted(arriving.profile, now), usage: arriving.usage }
      : { profile: ofDraft(arriving, providers, now), usage: usageOf(arriving) }
  // The person himself has named the secret of a draft's client.
  const { profile, dropped } = trustEndpoints
    ? { profile: whole, dropped: [] }
    : untrusted(whole, !('profile' in arriving))
  const present = await profiles.get(profile.id, { signal })
  if (present !== undefined) {
    if (sameProfile(present, profile) || sameProfile(present, whole)) return ALREADY_THERE
    if (!replace) return DIFFERENT
  }
  if (!trustEndpoints) refuseProfile(profile, providers.get(profile.provider))
  await profiles.importProfile(profile, usage, { replace, signal })
  if (dropped.length > 0) notes.push(droppedNote(profile.id, dropped))
  return undefined
}

/** @throws KeymuxError `unsupported_mode` for a login that nobody could renew, and those of {@link buildProfile} */
function ofDraft(draft: ImportDraft, providers: Providers, now: Date): AuthProfile {
  const { provider, oauth } = draft
  const obstacle = oauth && renewalObstacle(provider, providers.get(provider), oauth.clientId)
  if (obstacle === undefined) return buildProfile(draft, providers, now)
  const client =
    obstacle.missing === 'client_id' ? ' name the client that it was made with by --client-id, or' : ''
  throw new KeymuxError(
    'unsupported_mode',
    `it cannot be taken over, for ${obstacle.problem};${client} leave --take-over out to import its access token`,
  )
}

function usageOf({ usage, lastGood }: ImportDraft): ImportedUsage | undefined {
  if (usage === undefined && lastGood !== true) return undefined
  return { stats: usageFromJson(usage ?? {}), lastGood: lastGood === true }
}

/**
 * A bare reference names a secret, as in DevClaw; a time that was never set is now. Credentials of another mode than
 * the profile's own are left out, as they are when it is stored.
 */
function adapted({ apiKey, token, oauth, ...rest }: AuthProfile, now: Date): AuthProfile {
  const { mode, createdAt, updatedAt } = rest
  const real = (time: Date): Date => (time.getTime() > 0 ? time : now)
  return withoutUndefined({
    ...rest,
    createdAt: real(createdAt),
    updatedAt: real(updatedAt),
    apiKey:
      mode === 'api_key'
        ? apiKey && withoutUndefined({ ...apiKey, keyRef: reference(apiKey.keyRef) })
        : undefined,
    token:
      mode === 'token'
        ? token && withoutUndefined({ ...token, tokenRef: reference(token.tokenRef) })
        : undefined,
    oauth: mode === 'oauth' ? oauth : undefined,
  })
}

function reference(text: string | undefined): string | undefined {
  return text === undefined || text === '' || text.includes('://') ? text : `vault://${text}`
}

/** Whether two profiles are the same but for their history. */
function sameProfile(one: AuthProfile, other: AuthProfile): boolean {
  return sameJson(withoutHistory(one), withoutHistory(other))
}

function withoutHistory(profile: AuthProfile): unknown {
  const { created_at, updated_at, last_used_at, last_error, last_error_at, ...rest } = profileToJson(profile)
  return rest
}

/** Whether two JSON values are equal, whatever the order of their keys. */
function sameJson(one: unknown, other: unknown): boolean {
  return canonical(one) === canonical(other)
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
