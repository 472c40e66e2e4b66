import { Renewer } from './compose-compat.js'
import type { EgressOwner } from './domain/egress.js'
import type { Clock, Logger, OAuthTokenRefresher } from './domain/ports.js'
import type { ProviderMetadata } from './domain/provider.js'
import type { Routes } from './egress/routes.js'
import type { LoginManager } from './logins/logins.js'
import { sleep } from './logins/sleep.js'
import type { Way } from './oauth/http.js'
import type { StoredProfiles } from './profiles/manager.js'
import type { ReferenceReader } from './profiles/references.js'
import type { ProviderRegistry } from './providers/registry.js'
import type { RefreshLocks } from './storage/locks.js'
import type { VaultHandle } from './vault/handle.js'
import type { SpillPlace } from './vault/unsaved-tokens.js'
import type { VaultCore } from './vault/vault.js'

/** Somebody renews the login at this moment: he stores its tokens. */
const UNSAVED_WAIT_MS = 1_000

/** What logins are made, renewed and ended with. */
export interface LoginContext {
  readonly core: VaultCore
  readonly vault: VaultHandle
  readonly profiles: StoredProfiles
  readonly providers: ProviderRegistry
  readonly locks: RefreshLocks
  readonly spill: SpillPlace | undefined
  readonly readReference: ReferenceReader
  readonly clock: Clock
  readonly jitter: number
  /** Renews them instead of keymux's own refresher. */
  readonly refresher: OAuthTokenRefresher | undefined
  /** The ways out of this machine. */
  readonly routes: () => Promise<Routes>
  readonly logger: Logger | undefined
}

/** The life of logins in an open vault. */
export interface ComposedLogins {
  readonly renewer: Renewer
  readonly logins: () => Promise<LoginManager>
  /** Stores renewed tokens that the vault did not take before. */
  readonly takeInUnsaved: () => Promise<void>
}

/** What speaks to authorization servers is loaded when it is first needed. */
export function composeLogins(context: LoginContext): ComposedLogins {
  const { core, vault, profiles, providers, locks, spill, readReference, clock, jitter, logger } = context
  const way =
    (owner: EgressOwner): Way =>
    async (url) =>
      (await context.routes()).way(url, owner)
  const refresher = lazily(async () => {
    const { ProviderRefresher } = await import('./oauth/refresher.js')
    const provider = (name: string): ProviderMetadata | undefined => providers.get(name)
    const now = (): Date => new Date(Number(clock.now()))
    return new ProviderRefresher({ provider, readReference, now, way })
  })
  const renewer = new Renewer({
    store: profiles,
    clock,
    jitter,
    refresher: context.refresher ?? {
      refreshToken: async (...call) => (await refresher()).refreshToken(...call),
    },
    locks,
    lockName: (id) => core.keyring.rowId('refresh', profiles.uidOf(id)).toString('hex'),
    spill,
    logger,
  })
  const logins = lazily(async () => {
    const { LoginManager } = await import('./logins/logins.js')
    const { agentHostId } = await import('./logins/agent-host.js')
    return new LoginManager({
      profiles,
      providers,
      refresher: await refresher(),
      way,
      secrets: vault,
      hostId: agentHostId(core.header.vaultId),
      readReference,
      clock,
      sleep: (ms, signal) => sleep(ms, clock, signal),
      exclusively: (id, waitMs, body) => renewer.exclusively(id, waitMs, body),
    })
  })
  return { renewer, logins, takeInUnsaved: () => takeInUnsaved(profiles, renewer, spill) }
}

async function takeInUnsaved(
  profiles: StoredProfiles,
  renewer: Renewer,
  spill: SpillPlace | undefined,
): Promise<void> {
  for (const { id } of spill === undefined ? [] : await profiles.views({ mode: 'oauth' })) {
    const login = (await profiles.get(id))?.oauth
    if (login === undefined || (await spill?.read(login)) === undefined) continue
    // What cannot be stored now can be read after the rotation too.
    await renewer.exclusively(id, UNSAVED_WAIT_MS, async () => {}).catch(() => undefined)
  }
}

/** Makes it when it is first asked for. */
function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
