import type { LogRow, StateRow, Store, StoredRow } from '../../src/storage/contract.js'
import { createMemoryStore, type MemoryStore } from '../../src/storage/memory/index.js'

/** All that is stored of a vault, but for the chains of its writers. */
export interface VaultCopy {
  readonly rows: readonly StoredRow[]
  readonly states: readonly StateRow[]
  readonly header: Uint8Array
  readonly manifest: Uint8Array
  readonly log: readonly Pick<LogRow, 'body'>[]
  readonly term: number
}

export function copyOf(store: Store): Promise<VaultCopy> {
  return store.read(async (reader) => ({
    rows: await reader.scan(),
    states: await reader.scanState(),
    header: (await reader.getBlob('header')) ?? new Uint8Array(),
    manifest: (await reader.getBlob('manifest')) ?? new Uint8Array(),
    log: await reader.readLog(1, 10_000),
    term: await reader.term(),
  }))
}

/** Writes the records of a copy over what is there. The audit only grows, and rows of state stay as they are. */
export async function putCopy(store: Store, copy: VaultCopy): Promise<void> {
  await store.write(async (tx) => {
    for (const { table, id } of await tx.scan()) await tx.deleteRow(table, id)
    for (const { table, id, body } of copy.rows) if (body !== undefined) await tx.putRow(table, id, body)
    await tx.putBlob('header', copy.header)
    await tx.putBlob('manifest', copy.manifest)
    const known = (await tx.lastLog())?.sequence ?? 0
    for (const { body } of copy.log.slice(known)) await tx.appendLog(body)
    await tx.setTerm(copy.term)
  })
}

/** Puts a copy somewhere else, as who copies the file does. */
export async function restored(copy: VaultCopy): Promise<MemoryStore> {
  const memory = createMemoryStore()
  const store = memory.connect()
  await putCopy(store, copy)
  for (const { id, revision, body } of copy.states) {
    for (let expected = 0; expected < revision; expected += 1) {
      await store.writeState({ term: copy.term, writes: [{ id, expected, body }] })
    }
  }
  return memory
}
