import { randomBytes } from 'node:crypto'
import type { ProfileUsageStats } from '../domain/usage.js'
import { clampWindows } from '../policy/windows.js'
import type { ProfileState, ProfileTransaction, StateChange, StateEdit } from './backend.js'
import type { Entry } from './entry.js'
import { accountKey } from './entry.js'
import type { ProfileIndex } from './profile-index.js'

/** None of what is still to be written down: what is stored is built upon. */
export const NOTHING: ReadonlySet<unknown> = new Set()

/** A line of audit for each hour in which a surface used a profile: one for each use would fill the disk. */
const AUDIT_USE_EVERY_MS = 3_600_000
/** A process that lives writes its times of use every minute while it has news: one silent for so long has none. */
const SILENT_MS = 3_600_000
/** So many processes are taken over in one step. */
const TAKEN_AT_ONCE = 10
/** What nothing belongs to is kept for so long, and looked for every day. */
const STRAY_MS = 30 * 24 * 3_600_000
const SWEEP_EVERY_MS = 24 * 3_600_000

/**
 * Writes down times of use, and windows that were cut. A process that lives long puts the times of all profiles into
 * one row of its own: they are the latest that it knows of, so that taking one over twice, or that of a process that
 * lives after all, changes nothing.
 */
export class UseWriter {
  readonly #index: ProfileIndex
  readonly #key = randomBytes(16).toString('base64url')
  readonly #usedAt = new Map<string, number>()
  readonly #turns = new Map<string, number>()
  #hasRow = false
  #sweptAt: number | undefined

  constructor(index: ProfileIndex) {
    this.#index = index
  }

  /** @param last The process is about to end: the times go where everybody looks for them. */
  async write(entries: readonly Entry[], last = false): Promise<void> {
    const { backend, surface = 'library', shortLived } = this.#index.config
    if (!backend.isUnlocked()) return
    const nowMs = this.#index.now().getTime()
    const present = entries.flatMap(({ uid }) => this.#index.catalogue.byUid.get(uid) ?? [])
    const due = new Set(present.filter(({ state }) => isAuditDue(state.auditedUses?.[surface], nowMs)))
    if (due.size > 0) await this.#writeAudited([...due], surface, nowMs)
    const others = present.filter((entry) => !due.has(entry))
    if (shortLived === true || last) await this.#writeEach(others)
    else {
      await this.#writeEach(others.filter(({ isCut }) => isCut))
      await this.#writeTogether(
        others.filter(({ isCut }) => !isCut),
        nowMs,
      )
      await this.#tidy(nowMs)
    }
    if (last && this.#hasRow) await this.#takeOver([this.#key])
  }

  /** In the row of each profile. */
  async #writeEach(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return
    await this.#index.config.backend.changeState([
      ...entries.map(({ uid }) => this.#editOf(uid)),
      ...this.#accountsOf(entries).map(
        ([key, provider]): StateEdit => ({
          of: { kind: 'account', key },
          next: () => {
            const value = this.#cutAccount(key, provider)
            return value && { kind: 'account', key, value }
          },
        }),
      ),
    ])
    for (const entry of entries) entry.isCut = false
  }

  /** In one row for the profiles that this process has used. */
  async #writeTogether(entries: readonly Entry[], at: number): Promise<void> {
    if (entries.length === 0) return
    for (const { uid, lastUsedMs, turn } of entries) {
      this.#usedAt.set(uid, lastUsedMs)
      if (turn > 0) this.#turns.set(uid, turn)
    }
    const of = { kind: 'writer', key: this.#key } as const
    const usedAt = Object.fromEntries(this.#usedAt)
    const value =
      this.#turns.size === 0 ? { at, usedAt } : { at, usedAt, turns: Object.fromEntries(this.#turns) }
    await this.#index.config.backend.changeState([{ of, next: () => ({ ...of, value }) }])
    this.#hasRow = true
  }

  async #writeAudited(entries: readonly Entry[], surface: string, nowMs: number): Promise<void> {
    await this.#index.config.backend.transact(async (tx) => {
      for (const { uid } of entries) {
        const entry = this.#index.catalogue.byUid.get(uid)
        if (entry === undefined) continue
        const state = entry.stateWith(NOTHING)
        const auditedUses = { ...state.auditedUses, [surface]: nowMs }
        await tx.putState({ kind: 'use', key: uid, value: { ...state, auditedUses } })
        await tx.audit('used', entry.id)
      }
      for (const [key, provider] of this.#accountsOf(entries)) {
        const value = this.#cutAccount(key, provider)
        if (value !== undefined) await tx.putState({ kind: 'account', key, value })
      }
    })
    for (const entry of entries) entry.isCut = false
  }

  /** Takes over what processes left that are gone, and removes what belongs to nothing any more. */
  async #tidy(nowMs: number): Promise<void> {
    const { writers } = this.#index.catalogue
    const silent = [...writers].filter(
      ([key, { at }]) => key !== this.#key && Math.abs(nowMs - at) > SILENT_MS,
    )
    if (silent.length > 0) await this.#takeOver(silent.slice(0, TAKEN_AT_ONCE).map(([key]) => key))
    if (this.#sweptAt !== undefined && Math.abs(nowMs - this.#sweptAt) < SWEEP_EVERY_MS) return
    this.#sweptAt = nowMs
    const before = nowMs - STRAY_MS
    if (this.#index.catalogue.strays(before).length === 0) return
    await this.#index.config.backend.transact(async (tx) => {
      for (const stray of this.#index.catalogue.strays(before)) {
        // The row of an account may come back: it keeps count of its revisions.
        const isOfAccount = stray.kind === 'account' || (stray.kind === 'quota' && stray.key.includes('\0'))
        if (isOfAccount)
          await tx.putState({ kind: stray.kind, key: stray.key, value: undefined } as StateChange)
        else await tx.forget(stray)
      }
    })
  }

  /** Puts the times of use of processes into the rows of the profiles, and removes theirs. */
  async #takeOver(keys: readonly string[]): Promise<void> {
    await this.#index.config.backend.transact(async (tx) => {
      for (const key of keys) await this.#takeOverOne(tx, key)
    })
  }

  async #takeOverOne(tx: ProfileTransaction, key: string): Promise<void> {
    const { byUid, writers } = this.#index.catalogue
    for (const uid of Object.keys(writers.get(key)?.usedAt ?? {})) {
      const value = this.#newUse(byUid.get(uid))
      if (value !== undefined) await tx.putState({ kind: 'use', key: uid, value })
    }
    await tx.forget({ kind: 'writer', key })
  }

  /** What is stored of a profile with its latest time of use; `undefined` where that is stored. */
  #newUse(entry: Entry | undefined): ProfileState | undefined {
    if (entry === undefined) return undefined
    const stored = entry.use.stored.stats.lastUsed?.getTime() ?? 0
    return entry.lastUsedMs > stored || entry.isCut ? entry.stateWith(NOTHING) : undefined
  }

  #editOf(uid: string): StateEdit {
    return {
      of: { kind: 'use', key: uid },
      next: () => {
        // It may have another name, or be gone, by the time that another process was quicker.
        const value = this.#index.catalogue.byUid.get(uid)?.stateWith(NOTHING)
        return value && { kind: 'use', key: uid, value }
      },
    }
  }

  /** The accounts of these profiles by key, each one time, with their provider. */
  #accountsOf(entries: readonly Entry[]): (readonly [key: string, provider: string])[] {
    const found = entries.flatMap(({ provider, record }): [string, string][] => {
      const { account } = record.meta
      return account === undefined ? [] : [[accountKey(provider, account), provider]]
    })
    return [...new Map(found)]
  }

  /** What is stored of an account without windows that none can have; `undefined` where it has none of those. */
  #cutAccount(key: string, provider: string): ProfileUsageStats | undefined {
    const stored = this.#index.catalogue.accountWith(key, NOTHING)
    if (stored === undefined) return undefined
    const cut = clampWindows(stored, this.#index.now(), { provider, config: this.#index.config.cooldown })
    return cut === stored ? undefined : cut
  }
}

function isAuditDue(audited: number | undefined, nowMs: number): boolean {
  return audited === undefined || Math.abs(nowMs - audited) > AUDIT_USE_EVERY_MS
}
