import type { Keyring } from '../crypto/keyring.js'
import { readRow } from '../crypto/seal.js'
import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import type { StateChange, StateConflict, StateResult, Store } from '../storage/contract.js'
import { SerialQueue } from '../storage/queue.js'
import { nextRevision } from '../storage/state.js'
import type { RowChange, StateEdit } from './rows.js'
import { type StateAttempt, sealState } from './state-row.js'
import { tampered } from './tampered.js'
import type { WriterChain } from './writer-chain.js'

/** The open vault that a lane of state is part of. */
export interface StateLaneHost {
  /** Takes over what others wrote. */
  sync(): Promise<void>
  /** Writes into the store of which term the keys are. */
  mend(): Promise<void>
  /** Rows of state are others now; the store is at `cursor` where that was an own commit. */
  changed(changes: readonly RowChange[], cursor: number | undefined): void
}

/**
 * Rows of state, each changed by compare-and-swap on its own: neither the manifest nor the audit is touched, and
 * nobody's record is waited for.
 */
export class StateLane {
  /** The revisions of the rows, deletions that are known of included, by opaque id in hexadecimal. */
  readonly revisions: Map<string, number> = new Map()
  readonly #store: Store
  readonly #keyring: Keyring
  readonly #chain: WriterChain | undefined
  readonly #damaged: Set<string>
  readonly #host: StateLaneHost
  readonly #turns = new SerialQueue()

  /** @param damaged Takes the names of rows that cannot be opened. */
  constructor(
    parts: {
      readonly store: Store
      readonly keyring: Keyring
      readonly chain?: WriterChain | undefined
      readonly damaged: Set<string>
    },
    host: StateLaneHost,
  ) {
    this.#store = parts.store
    this.#keyring = parts.keyring
    this.#chain = parts.chain
    this.#damaged = parts.damaged
    this.#host = host
  }

  /** Takes over a row. One that cannot be opened, or is of another term or revision, has no effect. */
  take({ id, revision, body }: StateChange, changes: RowChange[]): void {
    const rowId = Buffer.from(id).toString('hex')
    const key = `state/${rowId}`
    this.#damaged.delete(key)
    this.revisions.set(rowId, revision)
    const row = body === undefined ? undefined : readRow(this.#keyring, 'state', id, body).row
    const sound = row?.revision === revision ? row : undefined
    if (body !== undefined && sound === undefined) this.#damaged.add(key)
    changes.push({ table: 'state', rowId, row: sound })
  }

  /**
   * Changes rows. Where another process was quicker, listeners hear what it wrote and the change is asked for again.
   * Durable when it resolves.
   */
  async change(edits: readonly StateEdit[]): Promise<void> {
    let open = edits
    let refusedIn = 0
    let mended = false
    while (open.length > 0) {
      open = await this.#turns.run(async () => {
        const term = this.#keyring.term.number
        const attempts = open.flatMap((edit) => this.#attempt(edit))
        if (attempts.length === 0) return []
        if (new Set(attempts.map(({ rowId }) => rowId)).size < attempts.length) {
          throw new KeymuxError('internal_error', 'a row of state is changed twice at once')
        }
        const { refused, conflicts, cursor } = await this.#write(attempts, term)
        if (refused !== undefined) {
          if (refusedIn === term && mended) throw tampered('its term is not that of its keys')
          mended = refusedIn === term
          refusedIn = term
          await (mended ? this.#host.mend() : this.#host.sync())
          return open
        }
        const again = this.#settle(attempts, conflicts, cursor)
        // What is gone went with its profile, which is to be heard of before anything is made anew.
        if (conflicts.some(({ row }) => row === undefined)) await this.#host.sync()
        return again
      })
    }
  }

  /** Runs `work` while this process changes nothing here. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.run(work)
  }

  async #write(attempts: readonly StateAttempt[], term: number): Promise<StateResult> {
    const writes = attempts.map(({ write }) => write)
    const chain = this.#chain
    if (chain === undefined) return this.#store.writeState({ term, writes })
    const line = chain.line.bind(chain)
    try {
      const result = await this.#store.writeState({ term, writes, line })
      chain.accept()
      return result
    } catch (error) {
      if (!isKeymuxError(error, 'conflict')) throw error
      // The chain is not as this process left it: another copy of the vault is in its place, or somebody cut it.
      chain.restart()
      const result = await this.#store.writeState({ term, writes, line })
      chain.accept()
      return result
    }
  }

  #attempt(edit: StateEdit): StateAttempt[] {
    const meta = edit.next()
    if (meta === undefined) return []
    const id = this.#keyring.rowId('state', edit.name)
    const rowId = id.toString('hex')
    const expected = this.revisions.get(rowId) ?? 0
    const { row, body } = sealState(this.#keyring, id, nextRevision(expected), meta)
    return [{ edit, rowId, row, write: { id, expected, body } }]
  }

  /** Takes over what became of attempts, and gives those to be made again. Later news may have come first. */
  #settle(
    attempts: readonly StateAttempt[],
    conflicts: readonly StateConflict[],
    cursor: number,
  ): StateEdit[] {
    const lost = new Map(conflicts.map((each) => [Buffer.from(each.id).toString('hex'), each]))
    const changes: RowChange[] = []
    for (const { edit, rowId, row, write } of attempts) {
      const known = this.revisions.get(rowId) ?? 0
      const conflict = lost.get(rowId)
      if (conflict === undefined) {
        edit.done?.()
        if (known !== write.expected && known >= row.revision) continue
        this.#damaged.delete(`state/${rowId}`)
        this.revisions.set(rowId, row.revision)
        changes.push({ table: 'state', rowId, row })
      } else if (conflict.revision > known || known === write.expected) {
        const { id, revision, row: standing } = conflict
        this.take({ id, revision, body: standing?.body }, changes)
      }
    }
    // Where nothing came through, the position is that of somebody else's commit, of whom one row at most is known.
    this.#host.changed(changes, conflicts.length < attempts.length ? cursor : undefined)
    return attempts.filter(({ rowId }) => lost.has(rowId)).map(({ edit }) => edit)
  }
}
