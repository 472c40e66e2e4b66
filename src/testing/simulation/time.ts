import type { Clock } from '../../domain/ports.js'
import type { Timers } from '../../transport/types.js'

interface Alarm {
  readonly atMs: number
  /** Of those that are due at the same instant: deadlines come after what arrives. */
  readonly rank: number
  readonly order: number
  run: (() => void) | undefined
}

/** Time that passes from one event to the next: clock and timers of a simulation, as fast as its events are dealt with. */
export class SimulatedTime implements Clock, Timers {
  #nowMs: number
  #order = 0
  readonly #heap: Alarm[] = []

  constructor(startMs: number) {
    this.#nowMs = startMs
  }

  /** The present instant in epoch milliseconds. */
  get nowMs(): number {
    return this.#nowMs
  }

  now(): Date {
    return new Date(this.#nowMs)
  }

  after(ms: number, run: () => void): () => void {
    return this.#set(ms, run, 0)
  }

  deadline(ms: number, run: () => void): () => void {
    return this.#set(ms, run, 1)
  }

  /** Waits by this clock. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.after(ms, resolve)
      signal?.addEventListener(
        'abort',
        () => {
          cancel()
          reject(signal.reason as Error)
        },
        { once: true },
      )
    })
  }

  /** Goes from event to event, each with all that follows from it on this machine, until `isOver` or nothing is to come. */
  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const next = this.#pop()
      if (next === undefined) return
      const { run } = next
      if (run === undefined) continue
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      run()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #set(ms: number, run: () => void, rank: number): () => void {
    const alarm: Alarm = { atMs: this.#nowMs + Math.max(0, ms), rank, order: this.#order, run }
    this.#order += 1
    this.#push(alarm)
    return () => {
      alarm.run = undefined
    }
  }

  #push(alarm: Alarm): void {
    const heap = this.#heap
    let at = heap.push(alarm) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (above === undefined || !isBefore(alarm, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = alarm
  }

  #pop(): Alarm | undefined {
    const heap = this.#heap
    const [top] = heap
    const last = heap.pop()
    if (top === undefined || last === undefined || heap.length === 0) return top
    let at = 0
    for (;;) {
      const left = heap[2 * at + 1]
      if (left === undefined) break
      const right = heap[2 * at + 2]
      const [child, place] =
        right !== undefined && isBefore(right, left) ? [right, 2 * at + 2] : [left, 2 * at + 1]
      if (!isBefore(child, last)) break
      heap[at] = child
      at = place
    }
    heap[at] = last
    return top
  }
}

function isBefore(a: Alarm, b: Alarm): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.rank !== b.rank ? a.rank < b.rank : a.order < b.order
}
