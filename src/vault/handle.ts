import type { VaultHeader } from '../crypto/header.js'
import { sealHeader } from '../crypto/header.js'
import type { Keyring } from '../crypto/keyring.js'
import type { OpenedRow } from '../crypto/seal.js'
import { openRow, readRow, termOfRow } from '../crypto/seal.js'
import type { Slot, SlotSecret } from '../crypto/slot.js'
import { createOpenSlot, rewrapRoot } from '../crypto/slots.js'
import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import type { CallOptions, Clock, ProfileManager } from '../domain/ports.js'
import { checkSecret } from '../domain/secret.js'
import type {
  AuditEntry,
  RemoveSlotOptions,
  Rotated,
  SlotView,
  Unlock,
  Vault,
  VaultProblem,
  VaultStatus,
} from '../domain/vault.js'
import type { StateRow } from '../storage/contract.js'
import type { AuditLog } from './audit-log.js'
import type { RotationPlan } from './rotation.js'
import { RowNames } from './rows.js'
import type { OwnSlot } from './slot-keeper.js'
import type { VaultCore } from './vault.js'

const MAX_NAME = 512

/** Turns what a user offers into the secret of a slot: reads, or for a new slot makes, the key file. */
export type SlotSecretSource = (unlock: Unlock, purpose: 'open' | 'new slot') => Promise<SlotSecret>

/** What a handle is made of. */
export interface VaultHandleParts {
  readonly core: VaultCore
  readonly audit: AuditLog
  readonly clock: Clock
  readonly slotSecret: SlotSecretSource
  /** Reads the id of a profile from the metadata of its row. @throws KeymuxError `vault_corrupt` */
  readonly profileIdOf: (meta: Buffer) => string
  /** The manager of the profiles in this vault. */
  readonly profileManager?: (() => ProfileManager) | undefined
  /** Stores what was kept outside the vault because it could not be stored, as far as that can be had now. */
  readonly takeInUnsaved?: (() => Promise<void>) | undefined
}

/** A slot that is not in the header yet. */
interface NewSlot extends OwnSlot {
  /** The slot in front of the root key that the vault has by now. */
  atPresent(): Slot
  wipe(): void
}

/** An open vault as its users see it: named secrets, and the vault's own affairs. */
export class VaultHandle implements Vault {
  readonly #core: VaultCore
  readonly #parts: VaultHandleParts
  readonly #secrets = new Map<string, OpenedRow>()
  readonly #secretNames = new RowNames<string>()
  readonly #profiles = new Set<string>()
  constructor(parts: VaultHandleParts) {
    this.#parts = parts
    const { core } = parts
    this.#core = core
    core.subscribe((delta) => {
      if (delta.full) {
        this.#secrets.clear()
        this.#secretNames.clear()
        this.#profiles.clear()
      }
      for (const { table, rowId, row } of delta.changes) {
        if (table === 'secret') this.#takeSecret(rowId, row)
        else if (table === 'profile' && row !== undefined) this.#profiles.add(rowId)
        else if (table === 'profile') this.#profiles.delete(rowId)
      }
    })
  }

  get profileManager(): ProfileManager | undefined {
    return this.#parts.profileManager?.()
  }

  isUnlocked(): boolean {
    return this.#core.isUnlocked()
  }

  async get(name: string, options: CallOptions = {}): Promise<string> {
    await this.#ready(options)
    const row = this.#secrets.get(name)
    const bytes = row?.openSecret()
    if (bytes === undefined && this.#core.damages('secret', name)) {
      throw new KeymuxError('vault_corrupt', `the secret ${quote(name)} is damaged and cannot be read`, {
        hint: `restore a backup, or overwrite it with keymux secret set`,
      })
    }
    if (bytes === undefined) {
      throw new KeymuxError('secret_not_found', `there is no secret ${quote(name)}`, {
        hint: 'see keymux secret list',
      })
    }
    const text = bytes.toString()
    bytes.fill(0)
    return text
  }

  async has(name: string, options: CallOptions = {}): Promise<boolean> {
    await this.#ready(options)
    return this.#secrets.has(name)
  }

  async list(options: CallOptions = {}): Promise<string[]> {
    await this.#ready(options)
    return [...this.#secrets.keys()].sort()
  }

  async set(name: string, value: string, options: CallOptions = {}): Promise<void> {
    checkSecretName(name)
    checkSecret(value)
    options.signal?.throwIfAborted()
    await this.#core.write(async (tx) => {
      const event = this.#secrets.has(name) ? 'secret_changed' : 'secret_created'
      await tx.put('secret', name, Buffer.from(JSON.stringify({ name })), Buffer.from(value))
      await tx.audit(event, name)
    })
  }

  async delete(name: string, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    await this.#core.write(async (tx) => {
      if (!this.#secrets.has(name)) return
      await tx.delete('secret', name)
      await tx.audit('secret_removed', name)
    })
  }

  /** Records that a secret was shown or exported; for several in one step. */
  async noteRevealed(
    name: string | readonly string[],
    event: 'revealed' | 'exported' = 'revealed',
    options: CallOptions = {},
  ): Promise<void> {
    options.signal?.throwIfAborted()
    await this.#core.write(async (tx) => {
      for (const each of [name].flat()) await tx.audit(`secret_${event}`, each)
    })
  }

  async status(options: CallOptions = {}): Promise<VaultStatus> {
    await this.#ready(options)
    const { header } = this.#core
    return {
      location: this.#core.store.location,
      kind: this.#core.store.kind,
      vaultId: header.vaultId.toString('hex'),
      format: header.format,
      term: this.#core.keyring.term.number,
      createdAt: header.createdAt,
      unlocked: this.isUnlocked(),
      slots: this.#slotViews(),
      profiles: this.#profiles.size,
      secrets: this.#secrets.size,
      sequence: this.#core.manifest?.sequence ?? 0,
    }
  }

  async slots(options: CallOptions = {}): Promise<SlotView[]> {
    await this.#ready(options)
    return this.#slotViews()
  }

  async addSlot(
    key: Unlock,
    options: CallOptions & { readonly label?: string | undefined } = {},
  ): Promise<SlotView> {
    const fresh = await this.#newSlot(await this.#parts.slotSecret(key, 'new slot'), options.label)
    try {
      const { slot } = fresh
      await this.#changeSlots(options, 'slot_added', (slots) => [...slots, fresh.atPresent()], slot.id)
      return this.#view(slot)
    } finally {
      fresh.wipe()
    }
  }

  async removeSlot(id: string, options: RemoveSlotOptions = {}): Promise<Rotated | undefined> {
    const slots = (present: readonly Slot[]): Slot[] => without(present, id)
    if (options.rotate !== false) {
      // Whether it can be removed is found out before anything is taken in.
      await this.#ready(options)
      slots(this.#core.header.slots)
      return this.#rotate(options, { slots, stale: true, event: 'slot_removed', subject: id })
    }
    await this.#changeSlots(options, 'slot_removed', slots, id)
    return undefined
  }

  async rotate(options: CallOptions = {}): Promise<Rotated> {
    return this.#rotate(options, {})
  }

  async changePassphrase(passphrase: string | Uint8Array, options: CallOptions = {}): Promise<SlotView> {
    const old = this.#passphraseSlot()
    const fresh = await this.#newSlot({ type: 'passphrase', passphrase }, old.label)
    const { slot, keys } = fresh
    try {
      await this.#changeSlots(
        options,
        'passphrase_changed',
        (slots) => {
          if (!slots.some((each) => each.id === old.id)) throw noSlot(old.id)
          return slots.map((each) => (each.id === old.id ? fresh.atPresent() : each))
        },
        slot.id,
      )
      if (old.id === this.#core.slot.id) {
        const { privateKey, binding } = keys
        this.#core.slot.adopt({
          slot,
          keys: { privateKey: Buffer.from(privateKey), binding: Buffer.from(binding) },
        })
      }
      return this.#view(slot)
    } finally {
      fresh.wipe()
    }
  }

  async check(options: CallOptions = {}): Promise<VaultProblem[]> {
    await this.#ready(options)
    const storage = await this.#core.store.integrityProblems()
    const [rows, states] = await this.#core.store.read(
      async (reader) => [await reader.scan(), await reader.scanState()] as const,
    )
    const records = rows.flatMap(({ table, id, body }) => {
      const problem = body === undefined ? undefined : this.#rowProblem(table, id, body)
      return problem === undefined ? [] : [problem]
    })
    const whole = await this.#core.manifestProblems()
    return [
      ...storage.map((message) => ({ code: 'storage', message })),
      ...records,
      ...states.flatMap((row) => stateProblem(this.#core.keyring, row) ?? []),
      ...whole.map(({ code, message }) => ({ code, message })),
      ...(await this.verifyAudit()),
    ]
  }

  /**
   * Takes the vault as it is for the truth although it is older than this machine remembers, or rows of it
   * were exchanged. OAuth logins are marked as needing a new one: their tokens may have been used since.
   */
  async acceptRollback(markLogins: () => Promise<void>): Promise<void> {
    const ahead = await this.#core.rebase('rollback_accepted')
    await markLogins()
    // The copy is from before a rotation: it goes on with a term whose number nobody has seen.
    if (ahead) await this.#rotate({}, {}, false).catch(unlessDamaged)
    // Until then the memory speaks of an audit that is no more.
    await this.#core.accept()
  }

  /** Removes records that cannot be opened any more; gives their opaque ids. */
  async dropDamaged(): Promise<string[]> {
    await this.#core.sync()
    const damaged = [...this.#core.damaged]
    await this.#core.write(async (tx) => {
      for (const key of damaged) {
        const [table, rowId] = key.split('/')
        if (rowId !== undefined) await tx.deleteRow(table as 'profile', rowId)
        await tx.audit('damaged_removed', key)
      }
    })
    return damaged
  }

  async backup(path: string, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    const { store } = this.#core
    if (store.backup === undefined) {
      throw new KeymuxError('storage_unavailable', `a vault in ${store.location} cannot be copied to a file`)
    }
    await store.backup(path)
    await this.#core.write((tx) => tx.audit('backup'))
  }

  async audit(options: CallOptions & { readonly since?: Date | undefined } = {}): Promise<AuditEntry[]> {
    options.signal?.throwIfAborted()
    return this.#core.store.read((reader) => this.#parts.audit.read(reader, options.since))
  }

  async verifyAudit(options: CallOptions = {}): Promise<VaultProblem[]> {
    await this.#ready(options)
    const known = [this.#core.manifest?.audit, await this.#core.pinnedAudit()].filter(
      (head) => head !== undefined,
    )
    const problems = await this.#core.store.read((reader) => this.#parts.audit.verify(reader, known))
    return [...problems, ...(await this.#core.stateProblems())]
  }

  #takeSecret(rowId: string, row: OpenedRow | undefined): void {
    const named = row && (JSON.parse(row.meta.toString()) as { name: string })
    const name = this.#secretNames.take(rowId, named?.name)
    if (name === undefined) return
    if (row === undefined) this.#secrets.delete(name)
    else this.#secrets.set(name, row)
  }

  #rowProblem(table: string, id: Uint8Array, body: Uint8Array): VaultProblem | undefined {
    const record = `${table}/${Buffer.from(id).toString('hex')}`
    try {
      const row = openRow(this.#core.keyring, table, id, body)
      const known = table === 'profile' ? this.#parts.profileIdOf(row.meta) : record
      if (attempt(() => row.openSecret()?.fill(0) ?? true) !== undefined) return undefined
      return { code: 'vault_corrupt', message: `the secret of ${known} cannot be opened`, record: known }
    } catch (error) {
      if (!isKeymuxError(error, 'vault_corrupt')) throw error
      return { code: 'vault_corrupt', message: `the record ${record} cannot be opened`, record }
    }
  }

  #passphraseSlot(): Slot {
    const slots = this.#core.header.slots.filter((slot) => slot.type === 'passphrase')
    const slot =
      slots.find((each) => each.id === this.#core.slot.id) ?? (slots.length === 1 ? slots[0] : undefined)
    if (slot !== undefined) return slot
    throw new KeymuxError(
      'slot_not_found',
      slots.length === 0 ? 'the vault has no passphrase' : 'which passphrase?',
      {
        hint:
          slots.length === 0
            ? 'add one with keymux vault add-slot --passphrase'
            : 'open the vault with the one to be changed',
      },
    )
  }

  async #rotate(
    options: CallOptions,
    plan: Omit<RotationPlan, 'now'>,
    takeIn: boolean = true,
  ): Promise<Rotated> {
    options.signal?.throwIfAborted()
    if (takeIn) await this.#parts.takeInUnsaved?.()
    options.signal?.throwIfAborted()
    return this.#core.rotate({ ...plan, now: this.#now() })
  }

  #now(): Date {
    return new Date(Number(this.#parts.clock.now()))
  }

  /** Deriving its key takes a while, in which the vault may be rotated: then the slot is put before the new root key. */
  async #newSlot(secret: SlotSecret, label: string | undefined): Promise<NewSlot> {
    const { keyring } = this.#core
    const root = Buffer.from(keyring.rootKey)
    const { slot, keys } = await createOpenSlot(root, keyring.vaultId, secret, {
      now: this.#now(),
      ...(label === undefined ? {} : { label }),
    })
    return {
      slot,
      keys,
      atPresent: () =>
        root.equals(keyring.rootKey) ? slot : rewrapRoot(slot, keyring.vaultId, root, keyring.rootKey),
      wipe: () => {
        for (const key of [root, keys.privateKey, keys.binding]) key.fill(0)
      },
    }
  }

  async #changeSlots(
    options: CallOptions,
    event: string,
    change: (slots: readonly Slot[]) => Slot[],
    subject: string,
  ): Promise<void> {
    options.signal?.throwIfAborted()
    await this.#core.write(async (tx) => {
      const { header, keyring } = this.#core
      const next: VaultHeader = { ...header, revision: header.revision + 1, slots: change(header.slots) }
      await tx.putHeader(next, sealHeader(keyring, next))
      await tx.audit(event, subject)
    })
  }

  #slotViews(): SlotView[] {
    return this.#core.header.slots.map((slot) => this.#view(slot))
  }

  #view(slot: Slot): SlotView {
    return {
      id: slot.id,
      type: slot.type,
      createdAt: slot.createdAt,
      current: slot.id === this.#core.slot.id,
      ...(slot.label === undefined ? {} : { label: slot.label }),
    }
  }

  async #ready(options: CallOptions): Promise<void> {
    options.signal?.throwIfAborted()
    if (this.#core.stale()) await this.#core.sync()
  }
}

/** A row of state that has no effect: it holds nothing that cannot be learnt again. */
function stateProblem(keyring: Keyring, { id, revision, body }: StateRow): VaultProblem | undefined {
  const record = `state/${Buffer.from(id).toString('hex')}`
  if (readRow(keyring, 'state', id, body).row?.revision === revision) return undefined
  const term = termOfRow(body)
  return term === undefined || term === keyring.term.number
    ? { code: 'vault_corrupt', message: `the record ${record} cannot be opened`, record }
    : { code: 'state_ignored', message: `the record ${record} is of term ${term} and has no effect`, record }
}

function checkSecretName(name: string): void {
  if (name === '' || name.length > MAX_NAME || /\p{Cc}/u.test(name) || name.trim() !== name) {
    throw new KeymuxError('invalid_value', `${quote(name)} is not a secret's name`, {
      hint: `use 1 to ${MAX_NAME} characters without control characters or a space at either end`,
    })
  }
}

function without(slots: readonly Slot[], id: string): Slot[] {
  if (!slots.some((slot) => slot.id === id)) throw noSlot(id)
  if (slots.length === 1) {
    throw new KeymuxError('last_slot', 'the last slot cannot be removed: nothing would open the vault', {
      hint: 'add another one first',
    })
  }
  return slots.filter((slot) => slot.id !== id)
}

function noSlot(id: string): KeymuxError {
  return new KeymuxError('slot_not_found', `there is no slot ${quote(id)}`, {
    hint: 'see keymux vault slots',
  })
}

/** A damaged record would be lost. Numbers that come again are no harm: their terms have other ids. */
function unlessDamaged(error: unknown): void {
  if (!isKeymuxError(error, 'vault_corrupt')) throw error
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (isKeymuxError(error, 'vault_corrupt')) return undefined
    throw error
  }
}
