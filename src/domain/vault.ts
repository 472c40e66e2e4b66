import type { CallOptions, VaultInterface } from './ports.js'

/** A key slot as shown. */
export interface SlotView {
  readonly id: string
  readonly type: string
  readonly label?: string
  readonly createdAt: Date
  /** Whether this slot opened the vault in this process. */
  readonly current: boolean
}

/** What opens a vault. */
export type Unlock =
  | { readonly passphrase: string | Uint8Array }
  | { readonly keyFile: string }
  | { readonly keychain: true }

/** State of the vault itself. */
export interface VaultStatus {
  readonly location: string
  readonly kind: string
  readonly vaultId: string
  readonly format: number
  /** How often its keys were made anew, and once more: the number of the present term. */
  readonly term: number
  readonly createdAt: Date
  readonly unlocked: boolean
  readonly slots: readonly SlotView[]
  readonly profiles: number
  readonly secrets: number
  readonly sequence: number
}

/** One problem that `check` found. */
export interface VaultProblem {
  readonly code: string
  readonly message: string
  /** Profile id or secret name where known, else the opaque row id. */
  readonly record?: string
}

/** One line of the audit. */
export interface AuditEntry {
  readonly sequence: number
  readonly at: Date
  readonly event: string
  readonly subject?: string
  readonly surface: string
  readonly pid: number
  readonly detail?: string
}

/** What a rotation came to. */
export interface Rotated {
  /** The number of the new term. */
  readonly term: number
  /** How many rows were sealed anew. */
  readonly rows: number
  /** How many rows of state had no effect, because somebody damaged them or put them back, and were emptied. */
  readonly emptied: number
}

/** Options of {@link Vault.removeSlot}. */
export interface RemoveSlotOptions extends CallOptions {
  /** Default true: the vault goes on under new keys, which who had the slot does not get. */
  readonly rotate?: boolean
}

/** The vault of a handle: named secrets, and the vault's own affairs. */
export interface Vault extends VaultInterface {
  /** Names of the secrets, sorted. */
  list(options?: CallOptions): Promise<string[]>
  status(options?: CallOptions): Promise<VaultStatus>
  slots(options?: CallOptions): Promise<SlotView[]>
  addSlot(key: Unlock, options?: CallOptions & { readonly label?: string | undefined }): Promise<SlotView>
  /**
   * Removes a slot and rotates the vault, in one step.
   *
   * @throws KeymuxError `slot_not_found`, `last_slot`; `vault_corrupt` where a record cannot be opened
   */
  removeSlot(id: string, options?: RemoveSlotOptions): Promise<Rotated | undefined>
  /**
   * Makes the vault's keys anew and seals everything under them, in one step. Processes that have it open follow.
   *
   * @throws KeymuxError `vault_corrupt` where a record cannot be opened: it would be lost
   */
  rotate(options?: CallOptions): Promise<Rotated>
  /** Rewraps the passphrase slot (the current one, else the only one). @throws KeymuxError `slot_not_found` */
  changePassphrase(passphrase: string | Uint8Array, options?: CallOptions): Promise<SlotView>
  /** Opens every record, compares the manifest, verifies the audit, asks the storage. */
  check(options?: CallOptions): Promise<VaultProblem[]>
  /**
   * Takes the vault as it is for the truth although it is older than this machine remembers, or rows of it
   * were exchanged. `markLogins` marks OAuth logins as needing a new one: their tokens may have been used since.
   */
  acceptRollback(markLogins: () => Promise<void>): Promise<void>
  /** Removes records that cannot be opened any more; gives their opaque ids. */
  dropDamaged(): Promise<string[]>
  /**
   * A copy of the storage that opens with the same slots.
   *
   * @throws KeymuxError `storage_unavailable` where the storage cannot be copied to a file, `file_exists`
   */
  backup(path: string, options?: CallOptions): Promise<void>
  /** Records that a secret was shown or exported; for several in one step. Default `revealed`. */
  noteRevealed(
    name: string | readonly string[],
    event?: 'revealed' | 'exported',
    options?: CallOptions,
  ): Promise<void>
  audit(options?: CallOptions & { readonly since?: Date | undefined }): Promise<AuditEntry[]>
  /** Problems of the audit chain; none if sound. */
  verifyAudit(options?: CallOptions): Promise<VaultProblem[]>
}
