import type { JsonObject } from '../../domain/json-reader.js'
import { type AuthProfile, vaultReferenceName } from '../../domain/profile.js'
import { usageToJson } from '../../domain/profile-codec.js'
import { ProfileStore } from '../../domain/profile-store.js'
import type { NamedSecret } from '../../interchange/draft.js'
import type { ExportContents } from '../../interchange/json.js'
import { customProviderToJson } from '../../providers/custom.js'
import type { CliHandle } from './services.js'

/** Everything that an export holds, secrets opened. */
export async function gather(
  { profiles, vault, providers, providerShelf }: CliHandle,
  signal: AbortSignal,
): Promise<ExportContents> {
  const store = new ProfileStore()
  for (const profile of await profiles.list({ signal })) {
    store.set(profile)
    const stats = await profiles.stats(profile.id, { signal })
    if (Object.keys(usageToJson(stats)).length > 0) store.usageStats[profile.id] = stats
  }
  for (const { id, provider, lastGood } of await profiles.views({}, { signal })) {
    if (lastGood) store.markAuthProfileGood(provider, id)
  }
  const secrets: NamedSecret[] = []
  for (const name of await vault.list({ signal }))
    secrets.push({ name, value: await vault.get(name, { signal }) })
  const declared = (await providerShelf.names()).flatMap((name) => {
    const provider = providers.get(name)
    return provider === undefined ? [] : [{ name, declaration: customProviderToJson(provider) as JsonObject }]
  })
  return { store, secrets, providers: declared }
}

/** A vault file that DevClaw opens. What DevClaw has no place for goes along and is ignored there. */
export async function toDevclaw(
  { store, secrets }: ExportContents,
  passphrase: string | Uint8Array,
): Promise<string> {
  const { DEVCLAW_STORE_ENTRY, writeDevclawVault } = await import('../../interchange/devclaw-vault.js')
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
