import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Profiles } from '../src/domain/profiles.js'
import { StoredProfiles } from '../src/profiles/manager.js'
import { newUid, splitProfile } from '../src/profiles/record.js'
import { SealedBackend } from '../src/profiles/sealed-backend.js'
import { buildProfile } from '../src/profiles/validate.js'
import { defaultRegistry } from '../src/providers/registry.js'
import { Resolver } from '../src/resolver/resolver.js'
import { openSqliteStore } from '../src/storage/sqlite/index.js'
import { systemClock, systemRandom } from '../src/system/clock.js'
import { createVault, hasVault, openVault } from '../src/vault/open.js'

/** Numbers of profiles at which everything is measured. */
export const SIZES: readonly number[] = [10, 1_000, 10_000, 100_000]

const KEY = new Uint8Array(32).fill(7)

export interface BenchVault {
  readonly profiles: StoredProfiles
  readonly resolver: Resolver
  /** A new root key and a new term. */
  rotate(): Promise<{ readonly rows: number }>
  close(): Promise<void>
}

/** One figure. */
export interface Row {
  readonly what: string
  readonly value: number
  readonly unit: string
  readonly target?: number
  /** The target is a floor. */
  readonly atLeast?: boolean
}

export function report(row: Row): void {
  console.log(JSON.stringify(row))
}

/** The middle of several runs. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

/** Adds a profile that goes before every other one, and whose key the upstream of the benchmark limits. */
export async function addLimited(profiles: Profiles, baseUrl: string): Promise<void> {
  await profiles.add({ provider: 'openai', name: 'first', secret: 'sk-first', baseUrl, priority: 9 })
}

/** Lets time pass without letting go of the processor: timers are not exact enough for such pauses. */
export function busyWait(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** A folder on disk that is gone afterwards. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(process.env.KEYMUX_BENCH_DIR ?? tmpdir(), 'keymux-bench-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Opens (or makes) the vault of a folder, as `openKeymux` puts it together, with a key-file slot. */
export async function openBenchVault(
  folder: string,
  { reserve = 0 }: { readonly reserve?: number } = {},
): Promise<BenchVault> {
  const store = await openSqliteStore(join(folder, 'vault.db'), { create: true })
  const parts = {
    store,
    secret: { type: 'key_file', key: KEY } as const,
    clock: systemClock,
    surface: 'bench',
  }
  const { core } = (await hasVault(store)) ? await openVault(parts) : await createVault(parts)
  const profiles = new StoredProfiles({
    backend: new SealedBackend(core),
    providers: defaultRegistry,
    clock: systemClock,
    random: systemRandom,
    readReference: async () => '',
    reserve: () => reserve,
  })
  await core.sync()
  return {
    profiles,
    resolver: new Resolver({ store: profiles }),
    rotate: () => core.rotate({ now: new Date() }),
    close: async () => {
      await profiles.close()
      await core.close()
      await store.close()
    },
  }
}

/** Fills the vault of a folder with `count` profiles of one provider, in one transaction. */
export async function fillBenchVault(folder: string, count: number): Promise<void> {
  const store = await openSqliteStore(join(folder, 'vault.db'), { create: true })
  const { core } = await createVault({
    store,
    secret: { type: 'key_file', key: KEY },
    clock: systemClock,
    surface: 'bench',
  })
  const backend = new SealedBackend(core)
  await backend.transact(async (tx) => {
    for (let index = 0; index < count; index += 1) {
      const profile = buildProfile(
        {
          provider: 'openai',
          name: `account-${index}`,
          secret: `sk-bench-${index}`,
          priority: index % 10,
          weight: 1 + (index % 3),
        },
        defaultRegistry,
        new Date(),
      )
      const { meta, secrets } = splitProfile(profile, { uid: newUid() })
      await tx.putProfile(meta, secrets)
    }
  })
  await core.close()
  await store.close()
}
