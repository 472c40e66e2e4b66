import { KeymuxError } from '../domain/errors.js'

export const HEADER_CHANGED = 'its header is not the one last written'
export const ROWS_CHANGED = 'records were removed, put back or exchanged'

/** The stored bytes are not what a member of the vault wrote. */
export function tampered(what: string): KeymuxError {
  return new KeymuxError('vault_tampered', `somebody changed the vault without its key: ${what}`, {
    hint: 'restore a backup, or look closer with keymux vault check',
  })
}
