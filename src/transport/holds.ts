import type { Timers } from './types.js'

/** How many requests may wait at a time, and how many bytes their bodies may take together. */
export interface HoldLimits {
  readonly requests: number
  readonly bytes: number
}

/** An account may be back sooner than was known: another process has reset it, or its owner has added one. */
const LOOK_AGAIN_MS = 1_000

/**
 * The requests of a process that wait for an account. Those that ask for the same stand in one lane. When an account may
 * be back the first of them goes and tries; the others follow as it answers, two for each that was served, so that an
 * account which has just come back is not overrun.
 */
export class Holds {
  readonly #limits: () => HoldLimits
  readonly #timers: Timers
  readonly #lanes = new Map<string, Lane>()
  #requests = 0
  #bytes = 0
  #closed = false

  constructor(limits: () => HoldLimits, timers: Timers) {
    this.#limits = limits
    this.#timers = timers
  }

  /** How many wait. */
  get size(): number {
    return this.#requests
  }

  /**
   * Takes a request in; `undefined` when there is no room. Its place must be left in the end.
   *
   * @param key the same for requests that wait for the same accounts
   * @param bytes what its body takes
   * @param maxMs how long it waits at most
   * @param entered called when there is room; what it gives is told whether the request was served, when it leaves
   */
  enter(
    key: string,
    bytes: number,
    maxMs: number,
    entered?: () => (served: boolean) => void,
  ): Place | undefined {
    const limits = this.#limits()
    const isFull = this.#requests >= limits.requests || this.#bytes + bytes > limits.bytes
    if (isFull || this.#closed) return undefined
    const lane = this.#lanes.get(key) ?? new Lane(this.#timers, () => this.#lanes.delete(key))
    this.#lanes.set(key, lane)
    this.#requests += 1
    this.#bytes += bytes
    const over = entered?.()
    return new Place(lane, this.#timers, maxMs, (served) => {
      this.#requests -= 1
      this.#bytes -= bytes
      over?.(served)
    })
  }

  /** Nobody waits any longer. */
  close(): void {
    this.#closed = true
    for (const lane of [...this.#lanes.values()]) lane.dismiss()
  }
}

/** One request that waits. */
export class Place {
  readonly #lane: Lane
  readonly #order: number
  readonly #left: (served: boolean) => void
  readonly #cancelExpiry: () => void
  #served = false
  #expired = false
  #timeUp = false
  #hasTurn = false
  #settle: ((isTurn: boolean) => void) | undefined

  /** @param left called once it is left, and told whether it was served */
  constructor(lane: Lane, timers: Timers, maxMs: number, left: (served: boolean) => void) {
    this.#lane = lane
    this.#order = lane.join(this)
    this.#left = left
    this.#cancelExpiry = timers.after(maxMs, () => {
      this.#timeUp = true
      this.dismiss()
    })
  }

  /** Where it stands: who came first goes first, also when it comes back from a try. */
  get order(): number {
    return this.#order
  }

  /**
   * Waits for its turn; false when its time is up. Rejects with the signal's reason.
   *
   * @param ms how long no account will be back, as far as is known
   */
  async turn(ms: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted()
    const failed = this.#hasTurn
    this.#hasTurn = false
    if (this.#expired) {
      if (failed) this.#lane.giveBack()
      return false
    }
    const turn = new Promise<boolean>((resolve) => {
      this.#settle = resolve
    })
    const abort = (): void => this.#answer(false)
    signal.addEventListener('abort', abort, { once: true })
    this.#lane.wait(this, ms, failed)
    const isTurn = await turn
    signal.removeEventListener('abort', abort)
    // Whoever hung up in the very moment of his turn gives it back when he leaves.
    signal.throwIfAborted()
    return isTurn
  }

  /** Whether it has waited as long as it may: an account may have come back in the last moment. */
  get isTimeUp(): boolean {
    return this.#timeUp
  }

  /** The account has answered it: the next may go. */
  served(): void {
    this.#served = true
    if (!this.#hasTurn) return
    this.#hasTurn = false
    this.#lane.served()
  }

  leave(): void {
    this.#cancelExpiry()
    if (this.#hasTurn) this.#lane.giveBack()
    this.#hasTurn = false
    this.#lane.leave(this)
    this.#left(this.#served)
  }

  /** It is its turn. */
  go(): void {
    this.#hasTurn = true
    this.#answer(true)
  }

  /** It waits no longer. */
  dismiss(): void {
    this.#expired = true
    this.#answer(false)
  }

  #answer(isTurn: boolean): void {
    const settle = this.#settle
    this.#settle = undefined
    if (settle === undefined) return
    if (!isTurn) this.#lane.leaveQueue(this)
    settle(isTurn)
  }
}

/** The requests that wait for the same. */
class Lane {
  readonly #timers: Timers
  readonly #emptied: () => void
  readonly #places = new Set<Place>()
  #queue: Place[] = []
  #joined = 0
  /** How many try at this moment, and how many may. */
  #going = 0
  #allowed = 1
  #alarm: { readonly ms: number; readonly cancel: () => void } | undefined

  constructor(timers: Timers, emptied: () => void) {
    this.#timers = timers
    this.#emptied = emptied
  }

  /** Gives its number: who came first goes first. */
  join(place: Place): number {
    this.#places.add(place)
    this.#joined += 1
    return this.#joined
  }

  /**
   * Puts a place in line, for nobody is there to serve it: one alone goes next.
   *
   * @param failed it had its turn
   */
  wait(place: Place, ms: number, failed: boolean): void {
    if (failed) this.#going -= 1
    this.#allowed = 1
    const after = this.#queue.findIndex(({ order }) => order > place.order)
    this.#queue.splice(after < 0 ? this.#queue.length : after, 0, place)
    this.#arm(Math.min(Math.max(1, ms), LOOK_AGAIN_MS))
  }

  served(): void {
    this.#going -= 1
    this.#allowed += 1
    this.#next()
  }

  /** A turn has come to nothing, and says nothing. */
  giveBack(): void {
    this.#going -= 1
    this.#next()
  }

  leaveQueue(place: Place): void {
    const at = this.#queue.indexOf(place)
    if (at >= 0) this.#queue.splice(at, 1)
  }

  leave(place: Place): void {
    this.leaveQueue(place)
    this.#places.delete(place)
    if (this.#places.size > 0) return
    this.#disarm()
    this.#emptied()
  }

  dismiss(): void {
    for (const place of this.#places) place.dismiss()
  }

  #arm(ms: number): void {
    // One that rings later than this is of no use; who comes later must not put one off that rings soon.
    if (this.#alarm !== undefined && this.#alarm.ms <= ms) return
    this.#disarm()
    const cancel = this.#timers.after(ms, () => {
      this.#alarm = undefined
      this.#next()
    })
    this.#alarm = { ms, cancel }
  }

  #disarm(): void {
    this.#alarm?.cancel()
    this.#alarm = undefined
  }

  #next(): void {
    while (this.#going < this.#allowed) {
      const place = this.#queue.shift()
      if (place === undefined) return
      this.#going += 1
      place.go()
    }
  }
}
