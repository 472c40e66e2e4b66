import type { CallOptions, VaultInterface } from '../domain/ports.js'

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

/** The vault of a handle: named secrets, and the vault's own affairs. */
export interface Vault extends VaultInterface {
  /** Names of the secrets, sorted. */
  list(options?: CallOptions): Promise<string[]>
  status(options?: CallOptions): Promise<VaultStatus>
  slots(options?: CallOptions): Promise<SlotView[]>
  addSlot(key: Unlock, options?: CallOptions & { readonly label?: string }): Promise<SlotView>
  /** @throws KeymuxError `slot_not_found`, `last_slot` */
  removeSlot(id: string, options?: CallOptions): Promise<void>
  /** Rewraps the passphrase slot (the current one, else the only one). @throws KeymuxError `slot_not_found` */
  changePassphrase(passphrase: string | Uint8Array, options?: CallOptions): Promise<SlotView>
  /** Opens every record, compares the manifest, verifies the audit, asks the storage. */
  check(options?: CallOptions): Promise<VaultProblem[]>
  /** A copy of the storage that opens with the same slots. */
  backup(path: string, options?: CallOptions): Promise<void>
  audit(options?: CallOptions & { readonly since?: Date }): Promise<AuditEntry[]>
  /** Problems of the audit chain; none if sound. */
  verifyAudit(options?: CallOptions): Promise<VaultProblem[]>
}
