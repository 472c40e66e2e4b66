import type { Keyring } from '../crypto/keyring.js'
import { type OpenedRow, sealRow } from '../crypto/seal.js'
import type { StateWrite } from '../storage/contract.js'
import type { StateEdit } from './rows.js'

/** A change of a row of state that is being tried. */
export interface StateAttempt {
  readonly edit: StateEdit
  /** The opaque id in hexadecimal. */
  readonly rowId: string
  /** The row as it is if the change comes through. */
  readonly row: OpenedRow
  readonly write: StateWrite
}

/**
 * What is written over a row of state that has no effect. It is not deleted: where a row is made anew under its id, it
 * has to know the revision.
 */
export const BLANK_STATE: Buffer = Buffer.from('{"k":"-"}')

/** Seals a row of state, which has no secret. What was just sealed need not be opened again. */
export function sealState(
  keyring: Keyring,
  id: Uint8Array,
  revision: number,
  meta: Buffer,
): { readonly row: OpenedRow; readonly body: Buffer } {
  const { body, mark } = sealRow(keyring, { table: 'state', id, revision }, { meta })
  const term = keyring.term.number
  return { row: { revision, term, mark, meta, hasSecret: false, openSecret: () => undefined }, body }
}
