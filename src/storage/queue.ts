/** Runs tasks one after the other, in the order in which they were handed in. */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve()

  /** Runs `task` once everything handed in before has ended, however it ended. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task)
    this.#tail = result.catch(() => undefined)
    return result
  }
}
