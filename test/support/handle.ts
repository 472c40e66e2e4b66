import type { OAuthTokenRefresher } from '../../src/domain/ports.js'
import type { ProfileCooldownConfig } from '../../src/domain/usage.js'
import { Renewer } from '../../src/logins/renewal.js'
import type { RenewalTiming } from '../../src/logins/renewal-timing.js'
import { StoredProfiles } from '../../src/profiles/manager.js'
import { decodeMeta } from '../../src/profiles/record-codec.js'
import { createReferenceReader } from '../../src/profiles/references.js'
import { SealedBackend } from '../../src/profiles/sealed-backend.js'
import { defaultRegistry } from '../../src/providers/registry.js'
import { Resolver } from '../../src/resolver/resolver.js'
import type { Store } from '../../src/storage/contract.js'
import type { RefreshLocks } from '../../src/storage/locks.js'
import { createMemoryStore } from '../../src/storage/memory/index.js'
import type { FakeClock } from '../../src/testing/fake-clock.js'
import { createFakeClock } from '../../src/testing/fake-clock.js'
import { VaultHandle } from '../../src/vault/handle.js'
import { createVault, hasVault, openVault } from '../../src/vault/open.js'
import type { PinStore } from '../../src/vault/pin-keeper.js'
import type { SpillFiles } from '../../src/vault/unsaved-tokens.js'
import { SealedSpill } from '../../src/vault/unsaved-tokens.js'

/** The key that opens every vault of these tests. */
export const TEST_KEY: Uint8Array = new Uint8Array(32).fill(7)

export interface TestHandle {
  readonly profiles: StoredProfiles
  readonly resolver: Resolver
  /** There when a refresher is given. */
  readonly renewer: Renewer | undefined
  readonly vault: VaultHandle
  readonly clock: FakeClock
  readonly env: Record<string, string | undefined>
  close(): Promise<void>
}

export interface TestOptions {
  readonly store?: Store
  readonly clock?: FakeClock
  readonly cooldown?: ProfileCooldownConfig
  /** Percent of a quota window that is kept back. */
  readonly reserve?: number
  readonly refresher?: OAuthTokenRefresher
  /** The store's own by default. */
  readonly locks?: RefreshLocks
  readonly timing?: Partial<RenewalTiming>
  readonly spill?: SpillFiles
  readonly pins?: PinStore
  readonly lenient?: boolean
}

/** A handle on a memory vault (or the given store), put together as the real one is, on a fake clock. */
export async function openTestHandle(options: TestOptions = {}): Promise<TestHandle> {
  const clock = options.clock ?? createFakeClock()
  const store = options.store ?? createMemoryStore().connect()
  const env: Record<string, string | undefined> = {}
  const parts = {
    store,
    secret: { type: 'key_file', key: TEST_KEY } as const,
    clock,
    surface: 'test',
    ...(options.pins === undefined ? {} : { pins: options.pins }),
    ...(options.lenient === undefined ? {} : { lenient: options.lenient }),
  }
  const opened = (await hasVault(store)) ? await openVault(parts) : await createVault(parts)
  const vault = new VaultHandle({
    profileIdOf: (meta) => decodeMeta(meta).id,
    core: opened.core,
    audit: opened.audit,
    clock,
    // A key file called `member` is another one: its bytes are 9.
    slotSecret: async (unlock) => ({
      type: 'key_file',
      key: 'keyFile' in unlock && unlock.keyFile === 'member' ? new Uint8Array(32).fill(9) : TEST_KEY,
    }),
  })
  const spill =
    options.spill === undefined ? {} : { spill: new SealedSpill(opened.core.keyring, options.spill) }
  const profiles = new StoredProfiles({
    ...spill,
    backend: new SealedBackend(opened.core),
    providers: defaultRegistry,
    clock,
    random: () => 0.5,
    readReference: createReferenceReader({ vault, env, readFile: async () => 'from-file' }),
    canRefresh: options.refresher !== undefined,
    ...(options.cooldown === undefined ? {} : { cooldown: options.cooldown }),
    reserve: () => options.reserve ?? 0,
  })
  const renewer =
    options.refresher === undefined
      ? undefined
      : new Renewer({
          store: profiles,
          refresher: options.refresher,
          clock,
          locks: options.locks ?? store.locks,
          lockName: (id) => opened.core.keyring.rowId('refresh', profiles.uidOf(id)).toString('hex'),
          ...(options.timing === undefined ? {} : { timing: options.timing }),
          ...spill,
        })
  const resolver = new Resolver({
    store: profiles,
    clock,
    providers: defaultRegistry,
    ...(renewer === undefined ? {} : { oauthManager: renewer }),
  })
  await opened.core.begin()
  return {
    profiles,
    resolver,
    renewer,
    vault,
    clock,
    env,
    close: async () => {
      await renewer?.close()
      await profiles.close()
      await opened.core.close()
      await store.close()
    },
  }
}
