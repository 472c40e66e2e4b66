import { closedError } from '../checks.js'
import type { StateBatch, StateResult, Store, StoreReader, StoreTransaction } from '../contract.js'
import type { RefreshLocks } from '../locks.js'
import { SerialQueue } from '../queue.js'
import { copyBatch } from '../state.js'
import { MemoryCore } from './core.js'
import { MemoryLocks } from './locks.js'
import { MemoryReader } from './reader.js'
import { MemoryTransaction } from './transaction.js'

/** Memory that behaves as a vault file does, until the process ends. */
export interface MemoryStore {
  /** A store on this memory. Several of them behave as several processes on one file. */
  connect(): Store
}

/** Makes an empty memory. */
export function createMemoryStore(): MemoryStore {
  const core = new MemoryCore()
  const locks = new MemoryLocks()
  return { connect: () => new MemoryHandle(core, locks) }
}

class MemoryHandle implements Store {
  readonly kind = 'memory'
  readonly location = 'memory'
  readonly ephemeral = true
  readonly locks: RefreshLocks
  readonly #core: MemoryCore
  readonly #queue = new SerialQueue()
  #seen: number
  #closing: Promise<void> | undefined

  constructor(core: MemoryCore, locks: RefreshLocks) {
    this.#core = core
    this.locks = locks
    this.#seen = core.change
  }

  read<T>(body: (reader: StoreReader) => Promise<T>): Promise<T> {
    return this.#enqueue(async () => {
      const snapshot = this.#core.snapshot()
      const reader = new MemoryReader(this.#core, snapshot)
      try {
        const result = await body(reader)
        this.#seen = snapshot.change
        return result
      } finally {
        reader.end()
        this.#core.release(snapshot)
      }
    })
  }

  write<T>(body: (tx: StoreTransaction) => Promise<T>): Promise<T> {
    return this.#transact(async (tx, commit) => {
      const result = await body(tx)
      commit()
      this.#seen = this.#core.change
      return result
    })
  }

  async writeState(batch: StateBatch): Promise<StateResult> {
    const copy = copyBatch(batch)
    return this.#transact(async (tx, commit) => {
      const cursor = this.#core.change
      const applied = tx.applyBatch(copy)
      if (applied === undefined) return { refused: 'term', conflicts: [], cursor }
      const { written, conflicts } = applied
      if (written.length === 0) return { conflicts, cursor }
      commit()
      // What others have committed before stays to be seen.
      if (this.#seen === cursor) this.#seen = this.#core.change
      return { conflicts, cursor: this.#core.change }
    })
  }

  hasForeignChanges(): boolean {
    return this.#closing === undefined && this.#core.change !== this.#seen
  }

  integrityProblems(): Promise<string[]> {
    return this.#enqueue(async () => [])
  }

  close(): Promise<void> {
    this.#closing ??= this.#queue.run(async () => undefined)
    return this.#closing
  }

  /** Runs `body` as the only writer. What it does not commit is forgotten. */
  #transact<T>(body: (tx: MemoryTransaction, commit: () => void) => Promise<T>): Promise<T> {
    return this.#enqueue(() =>
      this.#core.writers.run(async () => {
        const snapshot = this.#core.snapshot()
        const tx = new MemoryTransaction(this.#core, snapshot)
        const end = (): void => {
          tx.end()
          this.#core.release(snapshot)
        }
        try {
          return await body(tx, () => {
            end()
            this.#core.commit(tx.staged())
          })
        } finally {
          end()
        }
      }),
    )
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    return this.#closing === undefined ? this.#queue.run(task) : Promise.reject(closedError())
  }
}
