import type { ProfilePreference } from '../domain/ports.js'
import type { AuthMode } from '../domain/profile.js'
import { compareBy } from '../policy/order.js'
import { isSameRank, type QuotaFacts } from '../policy/quota-facts.js'
import { TimeHeap } from '../policy/time-heap.js'
import { turnAfterUse, turnBeforeUse } from '../policy/weighted-list.js'
import { enlist, keepsPlace, mayHold, newView, type View, type ViewOf, viewKey } from './choice-view.js'
import type { Entry, StandingContext } from './entry.js'
import { ModelIndex } from './model-index.js'

/** A request for one entry of a group. */
export interface PickRequest {
  readonly preference: ProfilePreference
  readonly mode: AuthMode | undefined
  readonly model: string | undefined
}

/** Whom of a group a request may choose. */
export interface PickFrom {
  /** Those that are not wanted. */
  readonly passed?: ReadonlySet<Entry> | undefined
  readonly allows?: ((entry: Entry) => boolean) | undefined
  /** Goes before the order of preference. */
  readonly first?: Entry | undefined
}

const ANYBODY: PickFrom = {}

/** In a smaller group whoever can serve a model is found by looking at a few. */
const SMALL_GROUP = 32
/** So many models have views of their own, those that were asked for in the last ten minutes. */
const MOST_MODEL_VIEWS = 16
const MODEL_VIEW_MS = 600_000
/** Stands for models of which nothing is known. */
const OTHER_MODEL = '\u0000'

/**
 * The profiles of one provider, kept ready to choose from: for every preference in use an ordered list of
 * the profiles that are available now, and a heap of the instants at which that will change by itself. A
 * choice therefore costs the same with ten profiles and with a hundred thousand, however many are cooling.
 */
export class ProviderGroup {
  readonly entries: Map<string, Entry> = new Map()
  /** The uid of the profile that served last. */
  lastGood: string | undefined
  readonly #views = new Map<string, View>()
  readonly #alarms = new TimeHeap<Entry>()
  readonly #context: StandingContext
  readonly #byUid: ReadonlyMap<string, Entry>
  #lookedAt = 0
  #version: number
  #lastStamp = 0
  #nextAlarm = Number.POSITIVE_INFINITY
  readonly #pooled = new Set<Entry>()
  readonly #models = new ModelIndex()
  /** Models that have views of their own, and when they were last asked for. */
  readonly #viewed = new Map<string, number>()
  /** The one that was used last, later than any other, and when that was. */
  #latest: Entry | undefined
  #latestMs = 0
  /** How far those have come that are used in turn. */
  #turn = 0
  /** Those that are set aside on a presumption alone. */
  readonly #presumed = new Set<Entry>()

  /** @param byUid every entry, those of other providers included */
  constructor(context: StandingContext, byUid: ReadonlyMap<string, Entry>) {
    this.#context = context
    this.#byUid = byUid
    this.#version = context.version?.() ?? 0
  }

  /** Whether any of the profiles has a pool. */
  get hasPools(): boolean {
    return this.#pooled.size > 0
  }

  add(entry: Entry, now: Date): void {
    this.entries.set(entry.name, entry)
    entry.lastGood = this.lastGood === entry.uid
    entry.look(now, this.#context)
    this.#enlist(entry, now)
  }

  remove(entry: Entry): void {
    if (this.#latest === entry) this.#latest = undefined
    this.#delist(entry)
    this.entries.delete(entry.name)
  }

  /** Changes an entry: every fact it is sorted or judged by may be different afterwards. */
  change(entry: Entry, now: Date, mutate: () => void): void {
    this.#delist(entry)
    mutate()
    entry.look(now, this.#context)
    this.#enlist(entry, now)
  }

  setLastGood(uid: string | undefined, now: Date): void {
    const before = this.lastGood
    this.lastGood = uid
    for (const entry of [before, uid].map((each) => this.#byUid.get(each ?? ''))) {
      if (entry !== undefined) {
        this.change(entry, now, () => {
          entry.lastGood = entry.uid === uid
        })
      }
    }
  }

  /** Notes a use without writing it down. The hot path: touches the lists only where the order changes. */
  used(entry: Entry, nowMs: number): void {
    const stamp = this.#stamp(nowMs)
    if (stamp <= entry.lastUsedMs) return
    const isLatest = this.#latest === entry
    if (stamp > this.#latestMs) {
      this.#latest = entry
      this.#latestMs = stamp
    }
    let moved: View[] | undefined
    for (const view of this.#views.values()) {
      if (!mayHold(view, entry) || keepsPlace(view, entry, isLatest)) continue
      if (!view.list.delete(entry)) continue
      if (moved === undefined) moved = [view]
      else moved.push(view)
    }
    entry.lastUsedMs = stamp
    if (moved === undefined) return
    if (moved.some(({ preference }) => preference === 'weighted')) {
      const before = entry.turn
      entry.turn = turnAfterUse(entry, this.#turn)
      this.#turn = Math.max(this.#turn, before)
    }
    for (const view of moved) view.list.add(entry)
  }

  /**
   * Takes what is known of an entry's limits now. Its place in the lists is looked at only where it may be another one.
   */
  renewQuota(entry: Entry, state: Entry['quotaState'], now: Date): void {
    const facts = entry.quotaFacts(now, this.#context, state)
    if (facts === undefined || !this.#isSame(entry.quota, facts)) {
      this.change(entry, now, () => {
        entry.quotaState = state
      })
      return
    }
    entry.quotaState = state
    entry.quota = facts
    this.#schedule(entry)
  }

  /** Whether an entry with these facts is where it is with those. */
  #isSame(before: QuotaFacts | undefined, after: QuotaFacts): boolean {
    if (before === undefined || !after.setsAsideLike(before)) return false
    if (!isSameRank(before.rank(undefined), after.rank(undefined))) return false
    for (const { model } of this.#views.values()) {
      if (model !== undefined && !isSameRank(before.rank(model), after.rank(model))) return false
    }
    return true
  }

  /**
   * Brings everything up to `nowMs`: windows that have ended, tokens that have expired, a clock that was set
   * back, other settings of providers.
   */
  advance(nowMs: number): void {
    const version = this.#context.version?.() ?? 0
    if (nowMs < this.#lookedAt || version !== this.#version) {
      this.#version = version
      this.#lookAtAll(nowMs)
    } else if (nowMs >= this.#nextAlarm) {
      const now = new Date(nowMs)
      for (let due = this.#alarms.popDue(nowMs); due !== undefined; due = this.#alarms.popDue(nowMs)) {
        this.change(due, now, () => {})
      }
      this.#nextAlarm = this.#alarms.peek()?.at ?? Number.POSITIVE_INFINITY
    }
    this.#lookedAt = nowMs
  }

  /**
   * The first available entry in the order of preference that may be chosen; those whose answers broke off after all
   * others, and those that are set aside on a presumption after these. Call `advance` before.
   */
  pick(
    request: PickRequest,
    nowMs: number,
    { passed, allows, first }: PickFrom = ANYBODY,
  ): Entry | undefined {
    const { model } = request
    const matters = model !== undefined && this.#models.matters(model)
    const view = this.#viewFor(request, matters, nowMs)
    const { list } = view
    const mayLack = matters && view.model === undefined
    const isOpen = !mayLack && passed === undefined && allows === undefined
    const head = first ?? (isOpen ? list.first() : undefined)
    if (head !== undefined && !head.isBehind(model, nowMs)) return head
    const now = new Date(nowMs)
    let behind = first
    for (const entry of list) {
      if (passed?.has(entry) || allows?.(entry) === false) continue
      if (mayLack && !entry.serves(model, now)) continue
      if (!entry.isBehind(model, nowMs)) return entry
      behind ??= entry
    }
    return behind ?? this.#firstPresumed(request, now, { passed, allows })
  }

  /** A presumption costs nobody his only account. */
  #firstPresumed(
    { preference, mode, model }: PickRequest,
    now: Date,
    { passed, allows }: PickFrom,
  ): Entry | undefined {
    if (this.#presumed.size === 0) return undefined
    return [...this.#presumed]
      .filter(
        (entry) =>
          !passed?.has(entry) &&
          allows?.(entry) !== false &&
          (mode === undefined || mode === entry.mode) &&
          (model === undefined || entry.serves(model, now)),
      )
      .sort(compareBy(preference, model))[0]
  }

  /** The first entry in the order of preference that is wanted, whether it is set aside for a while or not. */
  first({ preference, mode }: PickRequest, wanted: (entry: Entry) => boolean): Entry | undefined {
    for (const entry of this.#view({ preference, mode, all: true }).list) if (wanted(entry)) return entry
    return undefined
  }

  /** All entries in the order of preference, whatever their state. */
  ordered(preference: ProfilePreference, model?: string | undefined): Entry[] {
    return [...this.entries.values()].sort(compareBy(preference, model))
  }

  /** Uses within one millisecond still happen one after the other: going round in turn depends on it. */
  #stamp(nowMs: number): number {
    const sameMoment = nowMs <= this.#lastStamp && nowMs > this.#lastStamp - 1_000
    this.#lastStamp = sameMoment ? this.#lastStamp + 0.001 : nowMs
    return this.#lastStamp
  }

  #lookAtAll(nowMs: number): void {
    const now = new Date(nowMs)
    for (const entry of this.entries.values()) this.change(entry, now, () => {})
  }

  /** The view to choose from. One of its own has a model by which entries differ, where that saves looking at many. */
  #viewFor({ preference, mode, model }: PickRequest, matters: boolean, nowMs: number): View {
    const { isRanked } = this.#models
    const isWorthIt = matters && (isRanked || this.entries.size > SMALL_GROUP)
    if (isWorthIt && model !== undefined && this.#mayHaveViews(model, nowMs)) {
      return this.#view({ preference, mode, model, all: false })
    }
    // What is left of some models says nothing of others.
    const other = model !== undefined && !matters && isRanked ? OTHER_MODEL : undefined
    return this.#view({ preference, mode, model: other, all: false })
  }

  /** Whether a model may have views of its own: names of models come from requests. */
  #mayHaveViews(model: string, nowMs: number): boolean {
    if (!this.#viewed.has(model) && this.#viewed.size >= MOST_MODEL_VIEWS) {
      const idle = [...this.#viewed].find(([, usedAt]) => Math.abs(nowMs - usedAt) >= MODEL_VIEW_MS)
      if (idle === undefined) return false
      this.#viewed.delete(idle[0])
      for (const [key, view] of this.#views) if (view.model === idle[0]) this.#views.delete(key)
    }
    this.#viewed.set(model, nowMs)
    return true
  }

  #view(of: ViewOf): View {
    const key = viewKey(of)
    const known = this.#views.get(key)
    if (known !== undefined) return known
    const made = newView(of)
    const now = new Date(this.#lookedAt)
    for (const entry of this.entries.values()) if (mayHold(made, entry)) enlist(made, entry, now)
    this.#views.set(key, made)
    return made
  }

  #enlist(entry: Entry, now: Date): void {
    for (const view of this.#views.values()) if (mayHold(view, entry)) enlist(view, entry, now)
    if (entry.record.meta.pool !== undefined) this.#pooled.add(entry)
    if (entry.standing.presumed === true) this.#presumed.add(entry)
    this.#models.add(entry)
    this.#noteLatest(entry)
    if (entry.turn > 0) this.#turn = Math.max(this.#turn, turnBeforeUse(entry))
    this.#schedule(entry)
  }

  #noteLatest(entry: Entry): void {
    if (entry.lastUsedMs > this.#latestMs) {
      this.#latest = entry
      this.#latestMs = entry.lastUsedMs
    } else if (entry.lastUsedMs === this.#latestMs && this.#latest !== entry) this.#latest = undefined
  }

  #schedule(entry: Entry): void {
    const at = entry.nextChangeMs
    if (at === Number.POSITIVE_INFINITY) {
      this.#alarms.delete(entry)
      return
    }
    this.#alarms.set(entry, at)
    if (at < this.#nextAlarm) this.#nextAlarm = at
  }

  #delist(entry: Entry): void {
    for (const view of this.#views.values()) if (mayHold(view, entry)) view.list.delete(entry)
    this.#alarms.delete(entry)
    this.#pooled.delete(entry)
    this.#presumed.delete(entry)
    this.#models.delete(entry)
  }
}
