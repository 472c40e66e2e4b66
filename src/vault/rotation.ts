import { randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { sealHeader, type VaultHeader } from '../crypto/header.js'
import { Keyring } from '../crypto/keyring.js'
import { presentTerm, sealKeyset, withNewTerm } from '../crypto/keyset.js'
import { digestHeader, type Manifest, sealManifest } from '../crypto/manifest.js'
import { openWholeRow, readRow, type SealedRow, sealRow } from '../crypto/seal.js'
import type { Slot } from '../crypto/slot.js'
import { rewrapRoot } from '../crypto/slots.js'
import { KeymuxError } from '../domain/errors.js'
import type { Rotated } from '../domain/vault.js'
import type { StateWrite, StoreTransaction } from '../storage/contract.js'
import { nextRevision } from '../storage/state.js'
import type { AuditLog } from './audit-log.js'
import { markBytes, markNumber, wrap } from './manifest-sum.js'
import { HEADER_BLOB, MANIFEST_BLOB } from './rows.js'
import { BLANK_STATE, sealState } from './state-row.js'
import { ROWS_CHANGED, tampered } from './tampered.js'

/** How a vault is to be rotated. */
export interface RotationPlan {
  readonly now: Date
  /** The slots that stay; all by default. @throws KeymuxError what is wrong with it, and nothing is rotated */
  readonly slots?: (slots: readonly Slot[]) => readonly Slot[]
  /** Somebody leaves who knows the binding keys of the slots. */
  readonly stale?: boolean
  /** What else the audit is told, in the same transaction. */
  readonly event?: string
  readonly subject?: string
}

/** What is rotated: the state of the vault within the transaction, verified. */
export interface RotationParts {
  readonly keyring: Keyring
  readonly header: VaultHeader
  readonly manifest: Manifest
  readonly audit: AuditLog
  /** The new term's number is higher. */
  readonly above: number
}

// What lies between two looks at other work of this process.
const ROWS_AT_ONCE = 256

/**
 * Puts a new root key and a new term into the vault: every slot is wrapped anew, and every row of both lanes sealed
 * anew, in the transaction of the caller.
 *
 * @returns the new keys, which share what stays with the present ones, and the number of rows
 * @throws KeymuxError `vault_corrupt` where a row cannot be opened: it would be lost; `vault_tampered` where the
 *   records are not those of the manifest
 */
export async function rotateVault(
  tx: StoreTransaction,
  parts: RotationParts,
  plan: RotationPlan,
): Promise<{ readonly keyring: Keyring; readonly rotated: Rotated }> {
  const { keyring: present, header, manifest, above } = parts
  const rootKey = randomBytes(32)
  const keyset = withNewTerm(present.keyset, plan.now, above)
  const next = new Keyring(rootKey, present.vaultId, keyset)
  try {
    const kept = plan.slots?.(header.slots) ?? header.slots
    const stale = plan.stale === true
    const bytes = sealHeader(next, {
      ...header,
      revision: header.revision + 1,
      keyset: sealKeyset(rootKey, present.vaultId, keyset),
      slots: kept.map((slot) => rewrapRoot(slot, present.vaultId, present.rootKey, rootKey, { stale })),
    })
    const records = await resealRecords(tx, present, next, manifest)
    const states = await resealState(tx, present, next)
    // What they tell of rows of the former term counts no more.
    for (const { writer } of await tx.chains()) await tx.deleteChain(writer)
    const term = presentTerm(keyset).number
    const audit = parts.audit.under(next)
    let head = manifest.audit
    if (plan.event !== undefined) head = await audit.append(tx, head, plan.event, plan.subject)
    head = await audit.append(tx, head, 'rotated', undefined, `term ${term}`)
    await tx.putBlob(HEADER_BLOB, bytes)
    await tx.putBlob(
      MANIFEST_BLOB,
      sealManifest(next, {
        ...records,
        sequence: manifest.sequence + 1,
        headerDigest: digestHeader(bytes),
        audit: head,
      }),
    )
    await tx.setTerm(term)
    return { keyring: next, rotated: { term, rows: records.count + states.sealed, emptied: states.emptied } }
  } catch (error) {
    next.wipe(present.keyset)
    throw error
  } finally {
    rootKey.fill(0)
  }
}

/** The lane of records, compared with the manifest. Gives what the next manifest says of them. */
async function resealRecords(
  tx: StoreTransaction,
  present: Keyring,
  next: Keyring,
  manifest: Manifest,
): Promise<Pick<Manifest, 'accumulator' | 'count'>> {
  const revision = manifest.sequence + 1
  let [before, after, count] = [0n, 0n, 0]
  for (const { table, id, body } of await tx.scan()) {
    if (body === undefined) continue
    const sealed = reseal(present, next, table, id, body, revision)
    await tx.putRow(table, id, sealed.body)
    before += markNumber(sealed.oldMark)
    after += markNumber(sealed.mark)
    count += 1
    if (count % ROWS_AT_ONCE === 0) await nextTurn()
  }
  // Whoever has the vault open has read what changed, and not the rest again.
  const same = count === manifest.count && markBytes(wrap(before)).equals(manifest.accumulator)
  if (!same) throw tampered(ROWS_CHANGED)
  return { accumulator: markBytes(wrap(after)), count }
}

/** The lane of state. What has no effect there is emptied. Gives the numbers of rows. */
async function resealState(
  tx: StoreTransaction,
  present: Keyring,
  next: Keyring,
): Promise<{ readonly sealed: number; readonly emptied: number }> {
  const rows = await tx.scanState()
  let [sealed, emptied] = [0, 0]
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    const writes = rows.slice(at, at + ROWS_AT_ONCE).map(({ id, revision, body }): StateWrite => {
      const { row } = readRow(present, 'state', id, body)
      const sound = row?.revision === revision
      if (sound) sealed += 1
      else emptied += 1
      const meta = sound ? row.meta : BLANK_STATE
      return { id, expected: revision, body: sealState(next, id, nextRevision(revision), meta).body }
    })
    const conflicts = await tx.writeState(writes)
    if (conflicts.length > 0) throw new KeymuxError('internal_error', 'a rotation was not alone')
    await nextTurn()
  }
  return { sealed, emptied }
}

function reseal(
  present: Keyring,
  next: Keyring,
  table: string,
  id: Uint8Array,
  body: Uint8Array,
  revision: number,
): SealedRow & { readonly oldMark: Buffer } {
  const content = openWholeRow(present, table, id, body)
  if (content === undefined) throw unreadable(table, id)
  try {
    const { body: sealed, mark } = sealRow(next, { table, id, revision }, content)
    return { body: sealed, mark, oldMark: content.mark }
  } finally {
    content.secret?.fill(0)
  }
}

function unreadable(table: string, id: Uint8Array): KeymuxError {
  const record = `${table}/${Buffer.from(id).toString('hex')}`
  return new KeymuxError(
    'vault_corrupt',
    `the record ${record} cannot be opened and would be lost; nothing was changed`,
    { hint: 'restore a backup, or keep what can be opened with keymux vault check --salvage' },
  )
}
