import type { ProfilePreference } from '../domain/ports.js'
import type { AuthMode } from '../domain/profile.js'
import { compareBy } from '../policy/order.js'
import { SortedList } from '../policy/sorted-list.js'
import { TimeHeap } from '../policy/time-heap.js'
import type { Entry, StandingContext } from './entry.js'

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

interface View {
  readonly preference: ProfilePreference
  readonly mode: AuthMode | undefined
  /** Whether those that are set aside for a while are listed too. */
  readonly all: boolean
  readonly list: SortedList<Entry>
}

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
    this.#enlist(entry)
  }

  remove(entry: Entry): void {
    this.#delist(entry)
    this.entries.delete(entry.name)
  }

  /** Changes an entry: every fact it is sorted or judged by may be different afterwards. */
  change(entry: Entry, now: Date, mutate: () => void): void {
    this.#delist(entry)
    mutate()
    entry.look(now, this.#context)
    this.#enlist(entry)
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
    for (const view of this.#views.values()) {
      if (!holds(view, entry) || keepsPlace(view, entry)) continue
      this.#reinsert(entry, stamp)
      return
    }
    entry.lastUsedMs = stamp
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
    const { list } = this.#view(request.preference, request.mode)
    const { model } = request
    const isOpen = model === undefined && passed === undefined && allows === undefined
    const head = first ?? (isOpen ? list.first() : undefined)
    if (head !== undefined && !head.isBehind(model, nowMs)) return head
    const now = new Date(nowMs)
    let behind = first
    for (const entry of list) {
      if (passed?.has(entry) || allows?.(entry) === false) continue
      if (model !== undefined && !entry.serves(model, now)) continue
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
      .sort(compareBy(preference))[0]
  }

  /** The first entry in the order of preference that is wanted, whether it is set aside for a while or not. */
  first({ preference, mode }: PickRequest, wanted: (entry: Entry) => boolean): Entry | undefined {
    for (const entry of this.#view(preference, mode, true).list) if (wanted(entry)) return entry
    return undefined
  }

  /** All entries in the order of preference, whatever their state. */
  ordered(preference: ProfilePreference): Entry[] {
    return [...this.entries.values()].sort(compareBy(preference))
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

  #view(preference: ProfilePreference, mode: AuthMode | undefined, all = false): View {
    const some = mode === undefined ? preference : `${preference} ${mode}`
    const key = all ? `all ${some}` : some
    const known = this.#views.get(key)
    if (known !== undefined) return known
    const made: View = { preference, mode, all, list: new SortedList<Entry>(compareBy(preference)) }
    for (const entry of this.entries.values()) if (holds(made, entry)) made.list.add(entry)
    this.#views.set(key, made)
    return made
  }

  #reinsert(entry: Entry, nowMs: number): void {
    const lists = [...this.#views.values()].filter((view) => holds(view, entry)).map((view) => view.list)
    for (const list of lists) list.delete(entry)
    entry.lastUsedMs = nowMs
    for (const list of lists) list.add(entry)
  }

  #enlist(entry: Entry): void {
    for (const view of this.#views.values()) if (holds(view, entry)) view.list.add(entry)
    if (entry.record.meta.pool !== undefined) this.#pooled.add(entry)
    if (entry.standing.presumed === true) this.#presumed.add(entry)
    const next = entry.standing.nextChangeAt
    if (next !== undefined) {
      this.#alarms.set(entry, next.getTime())
      if (next.getTime() < this.#nextAlarm) this.#nextAlarm = next.getTime()
    }
  }

  #delist(entry: Entry): void {
    for (const view of this.#views.values()) if (holds(view, entry)) view.list.delete(entry)
    this.#alarms.delete(entry)
    this.#pooled.delete(entry)
    this.#presumed.delete(entry)
  }
}

/** Whether a view lists this entry: only what is available, or will be by itself, and of its mode. */
function holds(view: View, entry: Entry): boolean {
  const { state } = entry.standing
  const listed = state === 'available' || (view.all && (state === 'cooling' || state === 'disabled'))
  return listed && (view.mode === undefined || view.mode === entry.mode)
}

/** Whether a later time of use leaves the entry where it is in this view. */
function keepsPlace(view: View, entry: Entry): boolean {
  if (view.preference === 'default') return true
  return view.preference !== 'type' && view.list.first() === entry
}
