import type { AuthProfile } from '../domain/profile.js'

/**
 * How many requests of this process each profile serves at a time. Some plans and local models refuse the second at once,
 * and no header says so: their owner sets `concurrency`.
 */
export class Rooms {
  readonly #rooms = new Map<string, Room>()
  readonly #full = new Set<string>()

  /** The profiles that take no further request now. */
  get full(): ReadonlySet<string> {
    return this.#full
  }

  /**
   * Takes a place of a profile; gives what leaves it, to be called in the end. `undefined` where there is none.
   *
   * @param called it was this request's turn: {@link Rooms.turn}
   */
  enter({ id, concurrency }: AuthProfile, called: boolean): (() => void) | undefined {
    if (concurrency === undefined) return NOTHING_TO_LEAVE
    const room = this.#rooms.get(id) ?? { inside: 0, places: concurrency, queue: [] }
    room.places = concurrency
    this.#rooms.set(id, room)
    const isNobodys = room.queue.length === 0 && room.called === undefined
    const isFree = room.inside < room.places && (called || isNobodys)
    if (isFree) room.inside += 1
    this.#look(id, room)
    if (!isFree) return undefined
    let left = false
    return () => {
      if (left) return
      left = true
      room.inside -= 1
      this.#next(id, room)
    }
  }

  /** Its owner may have changed how many it takes. */
  note({ id, concurrency = Number.POSITIVE_INFINITY }: AuthProfile): void {
    const room = this.#rooms.get(id)
    if (room === undefined || room.places === concurrency) return
    room.places = concurrency
    this.#next(id, room)
  }

  /**
   * Waits until one of these profiles has a place for this request, and gives it; `undefined` when the signal came first.
   * Others stay out of it until {@link Rooms.done} is called.
   */
  turn(ids: readonly string[], signal: AbortSignal): Promise<string | undefined> {
    const rooms = ids.flatMap((id) => {
      const room = this.#rooms.get(id)
      return room === undefined ? [] : [{ id, room }]
    })
    // Its last request has left in this very moment.
    const free = ids.find((id) => !this.#rooms.has(id))
    if (signal.aborted) return Promise.resolve(undefined)
    if (free !== undefined) return Promise.resolve(free)
    return new Promise((resolve) => {
      const settle = (called: string | undefined): void => {
        signal.removeEventListener('abort', abort)
        for (const { id, room } of rooms) {
          room.queue = room.queue.filter((each) => each !== settle)
          if (id !== called) this.#next(id, room)
        }
        resolve(called)
      }
      const abort = (): void => settle(undefined)
      signal.addEventListener('abort', abort, { once: true })
      for (const { room } of rooms) room.queue.push(settle)
      for (const { id, room } of rooms) {
        this.#look(id, room)
        // Called already: it stands in no other queue any more.
        if (room.queue.includes(settle)) this.#next(id, room)
      }
    })
  }

  /** A turn has been used, or is not needed. */
  done(id: string): void {
    const room = this.#rooms.get(id)
    if (room === undefined) return
    room.called = undefined
    this.#next(id, room)
  }

  #next(id: string, room: Room): void {
    if (room.called === undefined && room.inside < room.places) {
      room.called = room.queue.shift()
      room.called?.(id)
    }
    this.#look(id, room)
    if (room.inside === 0 && room.queue.length === 0 && room.called === undefined) this.#rooms.delete(id)
  }

  #look(id: string, room: Room): void {
    const isFull = room.inside >= room.places || room.queue.length > 0 || room.called !== undefined
    if (isFull) this.#full.add(id)
    else this.#full.delete(id)
  }
}

/** Is told whose room it may enter, or that it waits no longer. */
type Waiting = (called: string | undefined) => void

interface Room {
  inside: number
  places: number
  queue: Waiting[]
  /** Whose turn it is, until that is over. */
  called?: Waiting | undefined
}

const NOTHING_TO_LEAVE = (): void => undefined
