import { KeymuxError } from '../domain/errors.js'
import { newProfileId, type ProfileId, quote } from '../domain/ids.js'
import type { CallOptions, Clock, Logger, Random } from '../domain/ports.js'
import type { ProviderLookup } from '../domain/providers.js'
import type { ProfileCooldownConfig } from '../domain/usage.js'
import type { RenewalObstacle } from '../oauth/renewable.js'
import { renewalObstacle } from '../oauth/renewable.js'
import type { SpillPlace } from '../vault/unsaved-tokens.js'
import type {
  ProfileBackend,
  ProfileDelta,
  ProfileTransaction,
  RefreshState,
  SegmentKind,
  StateValues,
} from './backend.js'
import { Catalogue } from './catalogue.js'
import type { Entry, StandingContext } from './entry.js'
import { OutcomeLog } from './outcome-log.js'
import { QuotaLog } from './quota-log.js'
import type { ReferenceReader } from './references.js'
import { SegmentLog } from './segment-log.js'
import { UseLog, type WriteUses } from './use-log.js'

/** What is there and cannot be read is neither absent nor free to be taken. */
export function damagedProfile(id: string, cause?: unknown): KeymuxError {
  return new KeymuxError('vault_corrupt', `${id} is damaged and cannot be read`, {
    hint: `restore a backup, or overwrite it with keymux add ${id} --replace`,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** What a manager is made of. */
export interface ManagerConfig {
  readonly backend: ProfileBackend
  readonly providers: ProviderLookup
  readonly clock: Clock
  readonly random: Random
  readonly readReference: ReferenceReader
  readonly cooldown?: ProfileCooldownConfig | undefined
  readonly logger?: Logger | undefined
  /**
   * Which expired OAuth logins can be renewed by whoever resolves: all, none, or those with a token endpoint and
   * a client id (`configured`). Default false.
   */
  readonly canRefresh?: boolean | 'configured' | undefined
  /**
   * Whether this process ends in a moment: what it learns of a profile then leaves a line of audit, in one
   * transaction. Default false: it goes to the lane of state alone.
   */
  readonly shortLived?: boolean | undefined
  /** The share of a quota window that is kept back at a provider, in percent. Default 0. */
  readonly reserve?: ((provider: string) => number) | undefined
  /** Another number once {@link ManagerConfig.reserve} may say something else. Absent: it never does. */
  readonly reserveVersion?: (() => number) | undefined
  /** Who uses the profiles, for the audit. Default `library`. */
  readonly surface?: string | undefined
  /** Where renewed tokens may lie that the vault did not take: those of a login that ends here are removed. */
  readonly spill?: Pick<SpillPlace, 'remove'> | undefined
}

/** What is on record of refreshes, and the way to change it. */
export interface RefreshRecords {
  readonly backend: ProfileBackend
  readonly now: () => Date
  /** @throws KeymuxError `profile_not_found` */
  readonly find: (id: string) => Entry
  readonly entries: () => Iterable<Entry>
  readonly refreshOf: (id: string) => RefreshState | undefined
}

/** The profiles in memory and the way to change what is stored: what all parts of a manager share. */
export class ProfileIndex {
  readonly config: ManagerConfig
  readonly catalogue: Catalogue
  readonly uses: UseLog
  readonly outcomes: OutcomeLog
  readonly quotas: QuotaLog
  readonly segments: Readonly<Record<SegmentKind, SegmentLog>>
  /** Which endpoints of checks refuse made-up keys. */
  proofs: StateValues['proofs'] = {}

  /** @param writeUses Writes down times of use, a minute at most after the first. */
  constructor(config: ManagerConfig, writeUses: WriteUses) {
    this.config = config
    this.uses = new UseLog(writeUses, config.logger)
    this.catalogue = new Catalogue({
      config: config.cooldown ?? {},
      obstacle: obstacleOf(config),
      version: () => (config.providers.version ?? 0) + (config.reserveVersion?.() ?? 0),
      reserve: config.reserve,
      onCut: (entry) => this.uses.add(entry),
    })
    this.outcomes = new OutcomeLog(
      this.catalogue,
      {
        change: (edits) => config.backend.changeState(edits),
        transact: config.shortLived === true ? () => this.transact({}, async () => {}) : undefined,
      },
      () => this.now(),
      config.logger,
    )
    this.quotas = new QuotaLog(this.catalogue, config.backend, () => this.now(), config.logger)
    const host = { backend: config.backend, nowMs: () => Number(config.clock.now()), logger: config.logger }
    this.segments = {
      owners: new SegmentLog('owners', host),
      conversations: new SegmentLog('conversations', host),
      refusals: new SegmentLog('refusals', host),
    }
    config.backend.connect((delta) => this.#take(delta))
  }

  now(): Date {
    return new Date(Number(this.config.clock.now()))
  }

  /** Takes over what other processes changed, if anything may have. */
  async ready(options: CallOptions): Promise<void> {
    options.signal?.throwIfAborted()
    if (this.config.backend.stale()) await this.config.backend.sync()
  }

  /**
   * Runs `body` as the only writer, on an index that knows what others wrote. Outcomes that were still to be
   * written down are so before: what `body` does comes after them.
   */
  async transact<T>(options: CallOptions, body: (tx: ProfileTransaction) => Promise<T>): Promise<T> {
    options.signal?.throwIfAborted()
    let end = (_committed: boolean): void => {}
    let committed = false
    try {
      const value = await this.config.backend.transact(async (tx) => {
        end = await this.outcomes.drain(tx)
        return body(tx)
      })
      committed = true
      return value
    } finally {
      end(committed)
    }
  }

  find(id: string): Entry | undefined {
    return this.catalogue.entries.get(normalId(id))
  }

  /** @throws KeymuxError `profile_not_found`; `vault_corrupt` where it is there and cannot be read */
  mustFind(id: string): Entry {
    const entry = this.find(id)
    if (entry !== undefined) return entry
    this.refuseDamaged(id)
    throw new KeymuxError('profile_not_found', `there is no profile ${quote(id)}`, {
      hint: 'see keymux list',
    })
  }

  /** Refuses an id that is taken by a profile that cannot be read. @throws KeymuxError `vault_corrupt` */
  refuseDamaged(id: string): void {
    const normal = normalId(id)
    if (this.config.backend.damages?.(normal) === true) throw damagedProfile(normal)
  }

  /** The entry as it stands now: windows that have ended are over. */
  look(entry: Entry): Entry {
    this.catalogue.group(entry.provider).advance(this.now().getTime())
    return entry
  }

  /** Notes that the entry was handed out. */
  used(entry: Entry, nowMs: number = this.now().getTime()): void {
    this.catalogue.groups.get(entry.provider)?.used(entry, nowMs)
    this.uses.add(entry)
  }

  /** The ids of the profiles of one account; of this one alone where its account is not known. */
  sharing(id: string): string[] {
    const entry = this.mustFind(id)
    const { account } = entry.record.meta
    if (account === undefined) return [entry.id]
    const group = this.catalogue.group(entry.provider)
    return [...group.entries.values()]
      .filter(({ record }) => record.meta.account === account)
      .map((each) => each.id)
  }

  /** All entries by id. */
  sorted(): Entry[] {
    return [...this.catalogue.entries.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  }

  #take(delta: ProfileDelta): void {
    if (delta.full) {
      for (const log of Object.values(this.segments)) log.clear()
      this.proofs = {}
    }
    for (const change of delta.changes) {
      if (change.kind === 'proofs') this.proofs = change.value ?? {}
      if (change.kind === 'owners' || change.kind === 'conversations' || change.kind === 'refusals')
        this.segments[change.kind].take(change.key, change.value)
    }
    this.catalogue.apply(delta, this.now())
  }
}

function normalId(id: string): ProfileId {
  const colon = id.lastIndexOf(':')
  return colon < 0 ? newProfileId(id) : newProfileId(id.slice(0, colon), id.slice(colon + 1))
}

const NOTHING_RENEWS: RenewalObstacle = { missing: 'renewer', problem: 'nothing here renews logins' }

function obstacleOf({ canRefresh = false, providers }: ManagerConfig): StandingContext['obstacle'] {
  if (canRefresh === 'configured')
    return (provider, clientId) => renewalObstacle(provider, providers.get(provider), clientId)
  return () => (canRefresh ? undefined : NOTHING_RENEWS)
}
