import { isKeymuxError } from '../domain/errors.js'
import type { Logger } from '../domain/ports.js'
import type { OAuthCredential } from '../domain/profile.js'
import type { Spilled, SpillPlace } from '../vault/unsaved-tokens.js'
import { spentDigest } from '../vault/unsaved-tokens.js'
import type { Ledger } from './refresh-ledger.js'
import { isOvertaken } from './refresh-ledger.js'
import type { RenewalTiming } from './renewal-timing.js'
import { sleep } from './sleep.js'

/** What a keeper works with. */
export interface KeeperParts {
  readonly ledger: Ledger
  readonly timing: RenewalTiming
  readonly spill?: SpillPlace | undefined
  readonly logger?: Logger | undefined
}

/** Pauses are real: what is waited for is a disk. */
const REAL_TIME = { now: () => new Date() }

/**
 * Gets new tokens onto the disk, come what may: a provider that rotates refresh tokens has invalidated the
 * old one, so losing the new one loses the account. Called by the holder of the profile's lock alone.
 */
export class TokenKeeper {
  readonly #parts: KeeperParts
  /** What neither the vault nor a spill file has taken, by the refresh token that was spent for it. */
  readonly #unsaved = new Map<string, Spilled>()

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  /**
   * Stores new tokens: in the vault, else in a spill file. They are given out once they are on disk.
   *
   * @returns what is stored
   * @throws KeymuxError storage errors, `profile_not_found`
   */
  async keep(id: string, used: OAuthCredential, fresh: OAuthCredential): Promise<OAuthCredential> {
    const spilled: Spilled = { used, fresh }
    const spent = spentDigest(used)
    this.#unsaved.set(spent, spilled)
    let failure: unknown
    for (const pauseMs of [0, ...this.#parts.timing.storePausesMs]) {
      if (pauseMs > 0) await sleep(pauseMs, REAL_TIME)
      try {
        return await this.#store(id, spilled, false)
      } catch (error) {
        failure = error
        if (isKeymuxError(error, 'profile_not_found')) {
          this.#unsaved.delete(spent)
          break
        }
        if (await this.#spill(id, spilled)) return fresh
      }
    }
    if (this.#unsaved.has(spent)) {
      this.#parts.logger?.error('new tokens could not be stored: they are in memory alone', { profile: id })
    }
    throw failure
  }

  /**
   * Stores what an earlier renewal could not, be it this process's or a dead one's.
   *
   * @param seen the login as it is known: what was got with its refresh token is looked for
   * @throws KeymuxError `profile_not_found`, storage errors
   */
  async recover(id: string, seen: OAuthCredential): Promise<OAuthCredential | undefined> {
    const held = this.#unsaved.get(spentDigest(seen))
    const spilled = held ?? (await this.#parts.spill?.read(seen))
    if (spilled === undefined) return undefined
    try {
      return await this.#store(id, spilled, true)
    } catch (error) {
      if (isKeymuxError(error, 'profile_not_found')) throw error
      // Another login stands there by now: these are not its tokens.
      if (isOvertaken(await this.#parts.ledger.stored(id), spilled)) return undefined
      // On disk already, in the spill file: good to be given out.
      if (held === undefined || (await this.#spill(id, spilled))) return spilled.fresh
      throw error
    }
  }

  async #store(id: string, { used, fresh }: Spilled, spilled: boolean): Promise<OAuthCredential> {
    const stored = await this.#parts.ledger.complete(id, used, fresh)
    this.#unsaved.delete(spentDigest(used))
    if (spilled) await this.#parts.spill?.remove(used).catch(() => undefined)
    return stored
  }

  async #spill(id: string, spilled: Spilled): Promise<boolean> {
    if (this.#parts.spill === undefined) return false
    try {
      await this.#parts.spill.write(spilled)
      this.#unsaved.delete(spentDigest(spilled.used))
      return true
    } catch (error) {
      this.#parts.logger?.warn('new tokens could not be written to a spill file', {
        profile: id,
        code: isKeymuxError(error) ? error.code : 'unknown',
      })
      return false
    }
  }
}
