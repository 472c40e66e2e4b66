import { KeymuxError } from '../domain/errors.js'
import type { RequestBody } from '../domain/forwarding.js'
import { isObject, startOf } from './json-walk.js'
import { pseudonymOf } from './pseudonym.js'
import { findUserIds, type UserIdPlace, withUserIds } from './user-ids.js'

/** Replaces the user ids in a request's body by the pseudonyms of whichever profile it is sent with. */
export class Disguise {
  readonly #stand: (profileId: string, value: string) => Buffer
  /** Where the body that was looked through last names a person. */
  #named: { readonly text: Buffer; readonly places: readonly UserIdPlace[] } | undefined

  /** @param stand gives 32 bytes that stand for a value towards the account of a profile */
  constructor(stand: (profileId: string, value: string) => Buffer) {
    this.#stand = stand
  }

  /**
   * @throws KeymuxError `body_too_large` for one of which only the beginning is held, unless that is the beginning of no
   *   JSON object: what follows could name a person
   */
  checkWhole({ rest }: RequestBody, readable: Buffer | undefined): void {
    if (rest === undefined || (readable !== undefined && !mayBeObject(readable))) return
    throw new KeymuxError(
      'body_too_large',
      'gateway.privacy needs the whole of a JSON body, and this one is larger than gateway.replay_limit_mb',
      { hint: 'raise the limit' },
    )
  }

  /** The body as one profile's account may see it; `undefined` where it names nobody. */
  apply(text: Buffer, profileId: string): Buffer | undefined {
    if (this.#named?.text !== text) this.#named = { text, places: findUserIds(text) }
    const { places } = this.#named
    if (places.length === 0) return undefined
    return withUserIds(text, places, (value) => pseudonymOf(value, (part) => this.#stand(profileId, part)))
  }
}

/** Of a beginning that is nothing but space it is not known. */
function mayBeObject(beginning: Buffer): boolean {
  const start = startOf(beginning)
  return start === beginning.length || isObject(beginning, start)
}
