import type { Affinity, Conversation } from '../domain/affinity.js'
import type { ProfileIndex } from './profile-index.js'
import { DIGEST_BYTES, type Remembered } from './segments.js'

/** A conversation whose account has not changed is written again after this long, in milliseconds. */
const REWRITE_MS = 600_000
/** So many conversations that were seen one time are known. They are not written: most are never seen again. */
const MOST_NEW = 10_000
/** The digests of so many short texts are known: programs name their session in each request of it. */
const MOST_KNOWN = 256
const SHORT_LENGTH = 256

/** What is remembered of upstream objects and conversations, in the vault's lane of state. */
export class StoredAffinity implements Affinity {
  readonly #index: ProfileIndex
  readonly #hash: (text: string) => Buffer
  readonly #new = new Map<string, Remembered>()
  readonly #digests = new Map<string, string>()

  constructor(index: ProfileIndex, hash: (text: string) => Buffer) {
    this.#index = index
    this.#hash = hash
  }

  get isStale(): boolean {
    return this.#index.config.backend.stale()
  }

  ready(): Promise<void> {
    return this.#index.ready({})
  }

  nowMs(): number {
    return this.#index.now().getTime()
  }

  isShared(provider: string): boolean {
    return (this.#index.catalogue.groups.get(provider)?.entries.size ?? 0) > 1
  }

  digest(text: string): string {
    const known = this.#digests.get(text)
    if (known !== undefined) return known
    const digest = this.#hash(text).toString('latin1', 0, DIGEST_BYTES)
    if (text.length > SHORT_LENGTH) return digest
    const [oldest] = this.#digests.size >= MOST_KNOWN ? this.#digests.keys() : []
    if (oldest !== undefined) this.#digests.delete(oldest)
    this.#digests.set(text, digest)
    return digest
  }

  get hasOwners(): boolean {
    return !this.#index.segments.owners.isEmpty
  }

  ownerOf(digest: string): string | undefined {
    const found = this.#index.segments.owners.find(digest)
    return found && this.#index.catalogue.byUid.get(found.uid)?.id
  }

  accountOf(profileId: string): ReadonlySet<string> {
    return new Set(this.#index.find(profileId) === undefined ? [] : this.#index.sharing(profileId))
  }

  own(profileId: string, digests: readonly string[], at: 'once' | 'leisure'): Promise<void> | undefined {
    const uid = this.#index.find(profileId)?.uid
    if (uid === undefined) return undefined
    const { owners } = this.#index.segments
    const atMs = this.#index.now().getTime()
    for (const digest of digests) {
      const known = owners.find(digest)
      const isAnothers =
        known !== undefined && known.uid !== uid && this.#index.catalogue.byUid.has(known.uid)
      // Whoever names an object that another account has made does not take it over.
      if (!isAnothers && (known === undefined || known.uid !== uid || atMs - known.atMs > REWRITE_MS)) {
        owners.put(digest, { uid, atMs })
      }
    }
    return at === 'once' ? owners.hurry() : undefined
  }

  conversation(digest: string): Conversation | undefined {
    const found = this.#find(digest)
    const profileId = found && this.#index.catalogue.byUid.get(found.uid)?.id
    if (found === undefined || profileId === undefined) return undefined
    const { atMs, mark } = found
    return mark === undefined ? { profileId, atMs } : { profileId, atMs, foreignUpTo: mark }
  }

  keep(digest: string, profileId: string, foreignUpTo: string | undefined): void {
    const uid = this.#index.find(profileId)?.uid
    if (uid === undefined) return
    const atMs = this.#index.now().getTime()
    const known = this.#find(digest)
    const isSame = known?.uid === uid && known.mark === foreignUpTo
    if (isSame && atMs - known.atMs < REWRITE_MS && !this.#new.has(digest)) return
    const value = foreignUpTo === undefined ? { uid, atMs } : { uid, atMs, mark: foreignUpTo }
    if (known === undefined) this.#keepNew(digest, value)
    else {
      this.#new.delete(digest)
      this.#index.segments.conversations.put(digest, value)
    }
  }

  #find(digest: string): Remembered | undefined {
    return this.#index.segments.conversations.find(digest) ?? this.#new.get(digest)
  }

  #keepNew(digest: string, value: Remembered): void {
    this.#new.set(digest, value)
    if (this.#new.size <= MOST_NEW) return
    const [oldest] = this.#new.keys()
    if (oldest !== undefined) this.#new.delete(oldest)
  }
}
