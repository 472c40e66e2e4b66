import { type DecodedHeader, type VaultHeader, verifyHeader } from '../crypto/header.js'
import { Keyring } from '../crypto/keyring.js'
import { continues, openKeyset } from '../crypto/keyset.js'
import type { Slot, SlotSecret } from '../crypto/slot.js'
import {
  bindingOf,
  followSlot,
  type OpenedSlot,
  openAnySlot,
  renewBinding,
  type SlotKeys,
} from '../crypto/slots.js'
import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import { rolledBack } from './pin-keeper.js'

/** The secret of the slot once more, without asking anybody; `undefined` where that cannot be. */
export type Reopen = () => Promise<SlotSecret>

/** The slot that opened the vault, in its owner's hands. */
export type OwnSlot = Pick<OpenedSlot, 'slot' | 'keys'> & Partial<Pick<OpenedSlot, 'kek'>>

/** New keys of the vault that were verified, and are not in use yet. */
export interface Followed {
  readonly keyring: Keyring
  /** The slot that led to them, where it had to be opened anew. */
  readonly slot?: OwnSlot
}

/**
 * Keeps the keys of the slot that opened the vault, so that a process that has it open follows a rotation without
 * asking anybody for a secret.
 */
export class SlotKeeper {
  readonly #reopen: Reopen | undefined
  #id: string
  #keys: SlotKeys
  /** There until it is known whether the binding key must be made anew. */
  #kek: Buffer | undefined
  #wiped = false

  constructor({ slot, keys, kek }: OwnSlot, reopen?: Reopen) {
    this.#reopen = reopen
    this.#id = slot.id
    this.#keys = keys
    this.#kek = kek
  }

  /** Id of the slot. */
  get id(): string {
    return this.#id
  }

  /** Goes on with another slot. */
  adopt({ slot, keys, kek }: OwnSlot): void {
    wipe(this.#keys)
    this.#id = slot.id
    this.#keys = keys
    this.forgetSecret()
    this.#kek = kek
    if (this.#wiped) this.wipe()
  }

  /** Takes over the binding key that another process of the owner's made, from a header of the present root key. */
  takeBinding(header: VaultHeader, { rootKey, vaultId }: Keyring): void {
    const slot = this.#slotIn(header)
    const binding = slot && bindingOf(slot, vaultId, rootKey)
    if (binding === undefined || this.#wiped) return
    this.#keys.binding.fill(0)
    this.#keys = { privateKey: this.#keys.privateKey, binding }
  }

  /**
   * The keys behind a header that the present root key does not verify. They are believed if the owner's slot leads
   * to them and they go on from the present ones: a former member can wrap a root key of his own, but does not know
   * the keys of the terms since he left.
   *
   * @throws KeymuxError `vault_tampered`, `vault_rolled_back`, `vault_corrupt`; `vault_locked` where the slot is gone
   *   or does not lead there any more
   */
  async follow(decoded: DecodedHeader, present: Keyring): Promise<Followed> {
    const { header } = decoded
    if (!header.vaultId.equals(present.vaultId)) throw otherKeys()
    const { rootKey, slot } = await this.#rootBehind(header)
    try {
      if (rootKey.equals(present.rootKey)) verifyHeader(present, decoded)
      const keyset = openKeyset(rootKey, header.vaultId, header.keyset)
      const keyring = new Keyring(rootKey, header.vaultId, keyset)
      try {
        verifyHeader(keyring, decoded)
        if (continues(present.keyset, keyset)) throw rolledBack()
        if (!continues(keyset, present.keyset)) throw otherKeys()
      } catch (error) {
        keyring.wipe()
        throw error
      }
      return slot === undefined ? { keyring } : { keyring, slot }
    } catch (error) {
      if (slot !== undefined) wipe(slot.keys)
      throw error
    } finally {
      rootKey.fill(0)
    }
  }

  /**
   * The header with a binding key for the own slot that nobody has known, where somebody who left knows the present
   * one; `undefined` where that is not so, or the slot's secret is not at hand any more.
   */
  renewed(
    header: VaultHeader,
    { rootKey, vaultId }: Keyring,
  ): { header: VaultHeader; slot: OwnSlot } | undefined {
    const slot = this.#slotIn(header)
    if (slot?.staleBinding !== true || this.#kek === undefined) return undefined
    const opened = { slot, rootKey, keys: this.#keys, kek: this.#kek }
    const fresh = renewBinding(opened, vaultId)
    const slots = header.slots.map((each) => (each.id === slot.id ? fresh.slot : each))
    return { header: { ...header, revision: header.revision + 1, slots }, slot: fresh }
  }

  /** From here on the binding key stays as it is. */
  forgetSecret(): void {
    this.#kek?.fill(0)
    this.#kek = undefined
  }

  /** Zeroes the keys. */
  wipe(): void {
    this.#wiped = true
    this.forgetSecret()
    wipe(this.#keys)
  }

  async #rootBehind(header: VaultHeader): Promise<{ rootKey: Buffer; slot?: OwnSlot }> {
    const own = this.#slotIn(header)
    const rootKey = own && followSlot(own, header.vaultId, this.#keys)
    if (rootKey !== undefined) return { rootKey }
    const { rootKey: opened, kek, ...slot } = await this.#openAgain(header, own !== undefined)
    kek.fill(0)
    return { rootKey: opened, slot }
  }

  /** As it was opened at first, unless that would mean to ask somebody. */
  async #openAgain(header: VaultHeader, present: boolean): Promise<OpenedSlot> {
    const what = present
      ? 'the vault has new keys, to which the key slot that opened it does not lead'
      : 'the key slot that opened this vault was removed'
    const locked = (cause?: unknown): KeymuxError =>
      new KeymuxError('vault_locked', what, {
        hint: 'open it again, with a key slot that it has now',
        ...(cause === undefined ? {} : { cause }),
      })
    if (this.#reopen === undefined) throw locked()
    try {
      return await openAnySlot(header.slots, header.vaultId, await this.#reopen())
    } catch (error) {
      if (isKeymuxError(error, 'vault_corrupt')) throw error
      throw locked(error)
    }
  }

  #slotIn(header: VaultHeader): Slot | undefined {
    return header.slots.find(({ id }) => id === this.#id)
  }
}

function wipe({ privateKey, binding }: SlotKeys): void {
  privateKey.fill(0)
  binding.fill(0)
}

function otherKeys(): KeymuxError {
  return new KeymuxError(
    'vault_tampered',
    'somebody put keys into the vault that do not go on from those it had',
    { hint: 'restore a backup, or look closer with keymux vault check' },
  )
}
