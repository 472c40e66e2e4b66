import { isKeymuxError } from '../domain/errors.js'
import type { JsonObject } from '../domain/json-reader.js'
import type { Keymux } from '../domain/keymux.js'
import { type AuthProfile, vaultReferenceName } from '../domain/profile.js'
import { usageToJson } from '../domain/profile-codec.js'
import { ProfileStore } from '../domain/profile-store.js'
import type { NamedSecret } from '../interchange/draft.js'
import type { ExportContents, ExportedProvider } from '../interchange/json.js'
import { customProviderToJson } from '../providers/custom.js'

/** What an export holds, and what it has to do without. */
export interface Gathered {
  readonly contents: ExportContents
  /** Ids of profiles and `vault://NAME` of secrets that cannot be read any more; `profile/…` where not even the id can. */
  readonly damaged: readonly string[]
}

/** Everything that can be exported, secrets opened. One damaged record does not keep the others here. */
export async function gather(
  handle: Pick<Keymux, 'profiles' | 'vault' | 'providers' | 'providerShelf'>,
  signal: AbortSignal,
): Promise<Gathered> {
  const { profiles, vault } = handle
  const store = new ProfileStore()
  const damaged = [...profiles.damaged()]
  for (const profile of await profiles.list({ signal })) {
    const opened = await unlessDamaged(profile.id, damaged, async () => withSecrets(profile))
    if (opened === undefined) continue
    store.set(opened)
    const stats = await profiles.stats(profile.id, { signal })
    if (Object.keys(usageToJson(stats)).length > 0) store.usageStats[profile.id] = stats
  }
  for (const { id, provider, lastGood } of await profiles.views({}, { signal })) {
    if (lastGood && store.get(id) !== undefined) store.markAuthProfileGood(provider, id)
  }
  const secrets: NamedSecret[] = []
  for (const name of await vault.list({ signal })) {
    const value = await unlessDamaged(`vault://${name}`, damaged, () => vault.get(name, { signal }))
    if (value !== undefined) secrets.push({ name, value })
  }
  return { contents: { store, secrets, providers: await declaredProviders(handle) }, damaged }
}

async function unlessDamaged<T>(
  id: string,
  damaged: string[],
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (!isKeymuxError(error, 'vault_corrupt')) throw error
    damaged.push(id)
    return undefined
  }
}

/** The profile with its secrets as values: as it comes from the vault they are opened when they are read. */
function withSecrets(profile: AuthProfile): AuthProfile {
  const { apiKey, token, oauth } = profile
  return {
    ...profile,
    ...(apiKey === undefined ? {} : { apiKey: { ...apiKey } }),
    ...(token === undefined ? {} : { token: { ...token } }),
    ...(oauth === undefined ? {} : { oauth: { ...oauth } }),
  }
}

async function declaredProviders({
  providers,
  providerShelf,
}: Pick<Keymux, 'providers' | 'providerShelf'>): Promise<ExportedProvider[]> {
  return (await providerShelf.names()).flatMap((name) => {
    const provider = providers.get(name)
    return provider === undefined ? [] : [{ name, declaration: customProviderToJson(provider) as JsonObject }]
  })
}

/** A vault file that DevClaw opens. What DevClaw has no place for goes along and is ignored there. */
export async function toDevclaw(
  { store, secrets }: ExportContents,
  passphrase: string | Uint8Array,
): Promise<string> {
  const { DEVCLAW_STORE_ENTRY, writeDevclawVault } = await import('../interchange/devclaw-vault.js')
  const entries = new Map(secrets.map(({ name, value }) => [name, value]))
  const theirs = new ProfileStore()
  for (const profile of store.list()) theirs.set(withBareReferences(profile))
  Object.assign(theirs.usageStats, store.usageStats)
  Object.assign(theirs.lastGood, store.lastGood)
  entries.set(DEVCLAW_STORE_ENTRY, JSON.stringify(theirs.toJSON()))
  return writeDevclawVault(entries, passphrase)
}

/** DevClaw writes the bare name of a secret. */
function withBareReferences(profile: AuthProfile): AuthProfile {
  const { apiKey, token } = profile
  return {
    ...profile,
    ...(apiKey?.keyRef === undefined ? {} : { apiKey: { ...apiKey, keyRef: bare(apiKey.keyRef) } }),
    ...(token?.tokenRef === undefined ? {} : { token: { ...token, tokenRef: bare(token.tokenRef) } }),
  }
}

function bare(reference: string): string {
  return vaultReferenceName(reference) ?? reference
}
