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
    const isFree = room.inside < room.places && (called || room.queue.length === 0)
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

  /**
   * Waits until a profile has a place for this request; false when the signal came first. Others stay out until
   * {@link Rooms.done} is called.
   */
  turn(id: string, signal: AbortSignal): Promise<boolean> {
    const room = this.#rooms.get(id)
    if (room === undefined || signal.aborted) return Promise.resolve(!signal.aborted)
    return new Promise((resolve) => {
      const waiting = (isTurn: boolean): void => {
        signal.removeEventListener('abort', abort)
        resolve(isTurn)
      }
      const abort = (): void => {
        room.queue = room.queue.filter((each) => each !== waiting)
        waiting(false)
        this.#next(id, room)
      }
      signal.addEventListener('abort', abort, { once: true })
      room.queue.push(waiting)
      this.#look(id, room)
      this.#next(id, room)
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
      room.called?.(true)
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

interface Room {
  inside: number
  places: number
  queue: ((isTurn: boolean) => void)[]
  /** Whose turn it is, until that is over. */
  called?: ((isTurn: boolean) => void) | undefined
}

const NOTHING_TO_LEAVE = (): void => undefined
