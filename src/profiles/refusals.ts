import type { Refusals, RefusedRequest } from '../domain/refusals.js'
import { REFUSAL_KEPT_MS } from '../policy/compare.js'
import type { ProfileIndex } from './profile-index.js'
import { DIGEST_BYTES } from './segments.js'

/** How long a profile goes last in a conversation after the last time that it refused it, in milliseconds. */
const LAST_MS = 3_600_000
/** So many profiles go last in one conversation at most. */
const MOST_LAST = 4
/** So many digests are kept, so as not to be worked out again. */
const MOST_DIGESTS = 256
const NOBODY: ReadonlySet<string> = new Set()

/**
 * What is remembered of refusals, in the vault's lane of state: two accounts agreed on a refusal, a model has succeeded
 * since, a profile goes last in a conversation. Nothing is ever taken out: what came later counts.
 */
export class StoredRefusals implements Refusals {
  readonly #index: ProfileIndex
  readonly #hash: (text: string) => Buffer
  readonly #digests = new Map<string, string>()

  constructor(index: ProfileIndex, hash: (text: string) => Buffer) {
    this.#index = index
    this.#hash = hash
  }

  get isEmpty(): boolean {
    // Asked for with every request. Nothing that is remembered here counts for longer than that.
    const { newestMs } = this.#log
    return newestMs === 0 || this.#index.now().getTime() - newestMs > LAST_MS
  }

  isKnown(request: RefusedRequest): boolean {
    if (this.isEmpty) return false
    const { provider, path, model, fingerprint } = request
    const keptMs = this.#atMs(refusalName(provider, path, model, fingerprint))
    if (keptMs === undefined || !this.#isWithin(keptMs, REFUSAL_KEPT_MS)) return false
    const endedMs = Math.max(
      this.#atMs(successName(provider, model)) ?? 0,
      this.#atMs(resetName(provider)) ?? 0,
    )
    return endedMs < keptMs
  }

  keep({ provider, path, model, fingerprint }: RefusedRequest, profileId: string): void {
    this.#put(refusalName(provider, path, model, fingerprint), profileId)
    this.#put(newsName(provider, model), profileId)
  }

  succeeded(provider: string, model: string | undefined): void {
    if (this.isEmpty) return
    const keptMs = this.#atMs(newsName(provider, model))
    if (keptMs === undefined || !this.#isWithin(keptMs, REFUSAL_KEPT_MS)) return
    if ((this.#atMs(successName(provider, model)) ?? 0) < keptMs)
      this.#put(successName(provider, model), undefined)
  }

  lastIn(conversation: string): ReadonlySet<string> {
    if (this.isEmpty) return NOBODY
    const found = new Set<string>()
    for (let place = 0; place < MOST_LAST; place += 1) {
      const known = this.#log.find(placeOf(conversation, place))
      if (known === undefined || !this.#isWithin(known.atMs, LAST_MS)) continue
      const id = this.#index.catalogue.byUid.get(known.uid)?.id
      if (id !== undefined && this.#resetMs(id) < known.atMs) found.add(id)
    }
    return found.size === 0 ? NOBODY : found
  }

  putLast(conversation: string, profileId: string, fingerprint: string): void {
    const uid = this.#index.find(profileId)?.uid
    if (uid === undefined) return
    const places = Array.from({ length: MOST_LAST }, (_, place) => placeOf(conversation, place))
    const known = places.map((digest) => this.#log.find(digest))
    const own = known.findIndex((one) => one?.uid === uid)
    const times = known.map((one) => one?.atMs ?? 0)
    const digest = places[own >= 0 ? own : times.indexOf(Math.min(...times))]
    const mark = this.#digest(fingerprint)
    if (digest !== undefined) this.#log.put(digest, { uid, atMs: this.#nowMs, mark })
  }

  /** What is remembered of a provider has come to an end. */
  reset(provider: string): Promise<void> {
    if (this.isEmpty) return Promise.resolve()
    this.#put(resetName(provider), undefined)
    return this.#log.hurry()
  }

  #resetMs(profileId: string): number {
    return this.#atMs(resetName(profileId.slice(0, profileId.lastIndexOf(':')))) ?? 0
  }

  #put(name: string, profileId: string | undefined): void {
    const uid = profileId === undefined ? undefined : this.#index.find(profileId)?.uid
    this.#log.put(this.#digest(name), { uid: uid ?? '', atMs: this.#nowMs })
  }

  #atMs(name: string): number | undefined {
    return this.#log.find(this.#digest(name))?.atMs
  }

  /** A time in the future is one of a clock that was wrong. */
  #isWithin(atMs: number, ms: number): boolean {
    return Math.abs(this.#nowMs - atMs) < ms
  }

  /** To the second, as it is stored: what happens within one second counts as ended. */
  get #nowMs(): number {
    return Math.floor(this.#index.now().getTime() / 1_000) * 1_000
  }

  get #log(): ProfileIndex['segments']['refusals'] {
    return this.#index.segments.refusals
  }

  /** Every success asks for one of few names. */
  #digest(text: string): string {
    const known = this.#digests.get(text)
    if (known !== undefined) return known
    const digest = this.#hash(text).toString('latin1', 0, DIGEST_BYTES)
    if (this.#digests.size >= MOST_DIGESTS) this.#digests.clear()
    this.#digests.set(text, digest)
    return digest
  }
}

function refusalName(provider: string, path: string, model = '', fingerprint: string): string {
  return ['refused', provider, path, model, fingerprint].join('\u0000')
}

/** The last refusal of any kind that was kept of a model. */
function newsName(provider: string, model = ''): string {
  return ['refused last', provider, model].join('\u0000')
}

function successName(provider: string, model = ''): string {
  return ['served', provider, model].join('\u0000')
}

function resetName(provider: string): string {
  return ['reset', provider].join('\u0000')
}

/** A conversation's digest is a keyed hash already: its places lie beside it. */
function placeOf(conversation: string, place: number): string {
  const first = conversation.charCodeAt(0) ^ (place + 1)
  return String.fromCharCode(first) + conversation.slice(1)
}
