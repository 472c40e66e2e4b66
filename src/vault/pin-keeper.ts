import type { Keyring } from '../crypto/keyring.js'
import type { Manifest } from '../crypto/manifest.js'
import type { Pin } from '../crypto/pin.js'
import { decodePin, encodePin, isBehind, pinOf } from '../crypto/pin.js'
import { KeymuxError } from '../domain/errors.js'
import type { Logger } from '../domain/ports.js'

/** Where the position of a vault is remembered outside its database. */
export interface PinStore {
  /** `undefined` when there is none or it cannot be read. */
  read(vaultId: string): Promise<string | undefined>
  /**
   * Replaces what is remembered by what `next` makes of it; `undefined` leaves it as it is. No other process
   * reads or writes in between.
   */
  update(vaultId: string, next: (present: string | undefined) => string | undefined): Promise<void>
}

const WRITE_AFTER_MS = 1_000

/**
 * Remembers outside the database how far the vault had come, so that an older copy put in its place is
 * noticed. The memory lags behind by at most a second: a copy no older than that passes.
 */
export class PinKeeper {
  readonly #store: PinStore | undefined
  readonly #keyring: Keyring
  readonly #logger: Logger | undefined
  #latest: Manifest | undefined
  #written = -1
  #timer: NodeJS.Timeout | undefined

  constructor(keyring: Keyring, store: PinStore | undefined, logger: Logger | undefined) {
    this.#keyring = keyring
    this.#store = store
    this.#logger = logger
  }

  /**
   * What is remembered; `undefined` when nothing is, or nothing that can be read. Read it before the snapshot
   * that it is compared with: other processes commit and remember at any time.
   */
  async pinned(): Promise<Pin | undefined> {
    return this.#decode(await this.#store?.read(this.#vaultId()))
  }

  /**
   * Compares a freshly opened vault with what was remembered before it was read.
   *
   * @throws KeymuxError `vault_rolled_back`
   */
  compare(manifest: Manifest, pin: Pin | undefined): void {
    if (pin !== undefined && isBehind(pin, manifest)) throw rolledBack()
    if (pin?.sequence === manifest.sequence) this.#written = manifest.sequence
    this.saw(manifest)
  }

  /** Notes how far the vault has come. */
  saw(manifest: Manifest): void {
    this.#latest = manifest
    if (this.#store === undefined || this.#timer !== undefined || manifest.sequence === this.#written) return
    this.#timer = setTimeout(() => void this.#writeLatest(), WRITE_AFTER_MS)
    this.#timer.unref()
  }

  /** Writes down the latest position at once. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#writeLatest()
  }

  async close(): Promise<void> {
    await this.flush()
  }

  async #writeLatest(): Promise<void> {
    this.#timer = undefined
    const manifest = this.#latest
    if (this.#store === undefined || manifest === undefined || manifest.sequence === this.#written) return
    try {
      await this.#store.update(this.#vaultId(), (text) => {
        // Another process may have come further meanwhile; the memory never goes back.
        if ((this.#decode(text)?.sequence ?? 0) > manifest.sequence) return undefined
        return encodePin(this.#keyring, pinOf(manifest))
      })
      this.#written = manifest.sequence
    } catch (error) {
      this.#logger?.warn('the vault position could not be remembered outside the vault', {
        error: error instanceof Error ? error.name : 'unknown',
      })
    }
  }

  #decode(text: string | undefined): Pin | undefined {
    return text === undefined ? undefined : decodePin(this.#keyring, text)
  }

  #vaultId(): string {
    return this.#keyring.vaultId.toString('hex')
  }
}

export function rolledBack(): KeymuxError {
  return new KeymuxError(
    'vault_rolled_back',
    'the vault is older than it was when this machine last used it',
    {
      hint: 'if you put it back yourself, accept it with keymux vault check --accept-rollback',
    },
  )
}
