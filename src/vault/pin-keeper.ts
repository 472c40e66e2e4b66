import { isLineOf } from '../crypto/audit.js'
import type { Keyring } from '../crypto/keyring.js'
import type { Manifest } from '../crypto/manifest.js'
import type { ForeignPin, Pin } from '../crypto/pin.js'
import { comparePin, decodePin, encodePin, pinOf } from '../crypto/pin.js'
import { KeymuxError } from '../domain/errors.js'
import type { Logger } from '../domain/ports.js'
import type { StoreReader } from '../storage/contract.js'

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

/** What is remembered, as it stands there. */
export interface Remembered {
  readonly text: string | undefined
}

const WRITE_AFTER_MS = 1_000

const UNREADABLE = 'what was remembered of the vault cannot be read; an older copy would not be noticed'
const UNWRITABLE =
  'how far the vault has come cannot be remembered outside of it; an older copy would not be noticed'

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
  #accepted = false
  readonly #notice: ((text: string) => void) | undefined
  #said = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  /** @param notice Told once, for people, that an older copy would not be noticed. */
  constructor(
    keyring: Keyring,
    store: PinStore | undefined,
    logger: Logger | undefined,
    notice?: (text: string) => void,
  ) {
    this.#keyring = keyring
    this.#store = store
    this.#logger = logger
    this.#notice = notice
  }

  /**
   * What is remembered; `undefined` when nothing is, or nothing that can be read. Read it before the snapshot
   * that it is compared with: other processes commit and remember at any time.
   */
  async pinned(): Promise<Pin | ForeignPin | undefined> {
    return this.decode(await this.remembered())
  }

  /** {@link PinKeeper.pinned} before it is known which keys it is read with. */
  async remembered(): Promise<Remembered> {
    return { text: await this.#store?.read(this.#vaultId()) }
  }

  /** Reads what is remembered, with the present keys unless others are given. */
  decode({ text }: Remembered, keyring: Keyring = this.#keyring): Pin | ForeignPin | undefined {
    if (text === undefined) return undefined
    const pin = decodePin(keyring, text)
    if (pin === undefined) this.#say(UNREADABLE, () => this.#logger?.warn(UNREADABLE))
    return pin
  }

  /**
   * Compares a freshly opened vault with what was remembered before it was read.
   *
   * @param reader the snapshot that the manifest is of
   * @throws KeymuxError `vault_rolled_back`, `vault_tampered`
   */
  async compare(manifest: Manifest, pin: Pin | ForeignPin | undefined, reader: StoreReader): Promise<void> {
    const disagreement = await pinDisagreement(pin, manifest, reader)
    if (disagreement !== undefined) throw disagreement
    if (pin?.sequence === manifest.sequence) this.#written = manifest.sequence
    this.saw(manifest)
  }

  /** Writes down the latest position at once, over one that disagrees with it. */
  async accept(): Promise<void> {
    this.#accepted = true
    // What was not written over may have counted as written.
    this.#written = -1
    await this.flush()
    this.#accepted = false
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
        const pin = this.decode({ text })
        const ahead = pin !== undefined && ('foreign' in pin || pin.sequence > manifest.sequence)
        return ahead && !this.#accepted ? undefined : encodePin(this.#keyring, pinOf(this.#keyring, manifest))
      })
      this.#written = manifest.sequence
    } catch (error) {
      this.#logger?.warn('the vault position could not be remembered outside the vault', {
        error: error instanceof Error ? error.name : 'unknown',
      })
      this.#say(UNWRITABLE)
    }
  }

  #say(text: string, log: () => void = () => {}): void {
    if (this.#said.has(text)) return
    this.#said.add(text)
    log()
    this.#notice?.(text)
  }

  #vaultId(): string {
    return this.#keyring.vaultId.toString('hex')
  }
}

/** What a vault and what is remembered of it disagree about; `undefined` when nothing. */
export async function pinDisagreement(
  pin: Pin | ForeignPin | undefined,
  manifest: Manifest,
  reader: StoreReader,
): Promise<KeymuxError | undefined> {
  if (pin === undefined) return undefined
  if ('foreign' in pin) return otherKeys()
  const verdict = comparePin(pin, manifest)
  if (verdict === 'rolled_back') return rolledBack()
  if (verdict === 'forked' || (verdict === 'newer' && !(await hasLine(reader, pin)))) return forked()
  return undefined
}

/** A copy that went its own way is no later state of what was seen: the line of audit that was last then is another. */
async function hasLine(reader: StoreReader, { audit }: Pin): Promise<boolean> {
  if (audit === undefined) return true
  const [line] = await reader.readLog(audit.sequence, 1)
  return line?.sequence === audit.sequence && isLineOf(line.body, audit.mac)
}

const ACCEPT = 'if you put it back yourself, accept it with keymux vault check --accept-rollback'

export function rolledBack(): KeymuxError {
  return new KeymuxError(
    'vault_rolled_back',
    'the vault is older than it was when this machine last used it',
    { hint: ACCEPT },
  )
}

function forked(): KeymuxError {
  return new KeymuxError(
    'vault_rolled_back',
    'the vault is not the one that this machine last used, but a copy that went its own way',
    { hint: ACCEPT },
  )
}

function otherKeys(): KeymuxError {
  return new KeymuxError(
    'vault_rolled_back',
    'the vault has not the keys that it had when this machine last used it: it is an older copy, or somebody put keys of his own there',
    { hint: ACCEPT },
  )
}
