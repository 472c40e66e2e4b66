import { createHash } from 'node:crypto'
import type { Forwarder } from '../../domain/forwarding.js'
import type { Profiles } from '../../domain/profiles.js'
import { StoredProfiles } from '../../profiles/manager.js'
import { decodeMeta } from '../../profiles/record-codec.js'
import { createReferenceReader } from '../../profiles/references.js'
import { SealedBackend } from '../../profiles/sealed-backend.js'
import { defaultRegistry } from '../../providers/registry.js'
import { Resolver } from '../../resolver/resolver.js'
import { createMemoryStore } from '../../storage/memory/index.js'
import { createForwarder } from '../../transport/forwarder.js'
import type { UpstreamSender } from '../../transport/types.js'
import { VaultHandle } from '../../vault/handle.js'
import { createVault } from '../../vault/open.js'
import { chanceOf } from './chance.js'
import { secretOf } from './provider.js'
import type { SimulatedTime } from './time.js'
import type { SimulatedAccount, World } from './world.js'

/** The real forwarding core on a vault in memory, before a simulated provider. */
export interface SimulationLab {
  readonly forwarder: Forwarder
  readonly profiles: Profiles
  /** How many half-open trials were made. */
  readonly trials: number
  /** The id of an account's profile. */
  idOf(account: Pick<SimulatedAccount, 'name'>): string
  /** Its owner puts another key there. */
  replace(account: SimulatedAccount): Promise<void>
  close(): Promise<void>
}

/** Puts a lab together, with a profile for each account. */
export async function openLab(
  world: World,
  time: SimulatedTime,
  sender: UpstreamSender,
): Promise<SimulationLab> {
  const store = createMemoryStore().connect()
  const key = createHash('sha256').update(`simulation ${world.seed}`).digest()
  const secret = { type: 'key_file', key } as const
  const { core, audit } = await createVault({ store, secret, clock: time, surface: 'simulation' })
  const vault = new VaultHandle({
    core,
    audit,
    clock: time,
    slotSecret: () => Promise.resolve(secret),
    profileIdOf: (meta) => decodeMeta(meta).id,
  })
  const providers = defaultRegistry
  const readReference = createReferenceReader({ vault, env: {}, readFile: () => Promise.resolve('') })
  const backend = new SealedBackend(core)
  const { next: random } = chanceOf(world.seed, 'core')
  const profiles = new StoredProfiles({ backend, providers, clock: time, random, readReference })
  const resolver = new Resolver({ store: profiles, clock: time, providers })
  let trials = 0
  const forwarder = createForwarder({
    resolver: {
      resolve: (...asked) => resolver.resolve(...asked),
      resolveNow: (...asked) => resolver.resolveNow(...asked),
      resolveTrial: async (...asked) => {
        const found = await resolver.resolveTrial(...asked)
        if (found !== undefined) trials += 1
        return found
      },
    },
    profiles,
    affinity: profiles.affinity,
    refusals: profiles.refusals,
    renewer: { renew: () => Promise.reject(new Error('there are no logins')) },
    providers,
    sender,
    clock: time,
    timers: time,
    random,
    pseudonym: (id, value) => createHash('sha256').update(`${id} ${value}`).digest(),
  })
  await core.begin()
  const generations = new Map<string, number>()
  const put = async (account: SimulatedAccount, generation: number): Promise<void> => {
    generations.set(account.name, generation)
    const { name, priority, organisation, isRelayed } = account
    await profiles.add(
      {
        provider: world.provider,
        name,
        priority,
        secret: secretOf(account, generation),
        ...(organisation === undefined ? {} : { account: organisation }),
        ...(isRelayed ? { baseUrl: `https://${name}.relay.example/v1` } : {}),
      },
      { replace: generation > 0 },
    )
  }
  for (const account of world.accounts) await put(account, 0)
  return {
    forwarder,
    profiles,
    get trials() {
      return trials
    },
    idOf: ({ name }) => `${world.provider}:${name}`,
    replace: (account) => put(account, (generations.get(account.name) ?? 0) + 1),
    close: async () => {
      await forwarder.close()
      await profiles.close()
      await core.close()
      await store.close()
    },
  }
}
