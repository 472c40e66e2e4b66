import type { Affinity, Conversation } from '../domain/affinity.js'
import type { ForwardRequest, Stage } from '../domain/forwarding.js'
import type { Familiar } from '../domain/ports.js'
import { conversationKey } from './conversation-key.js'
import type { JsonText } from './json-walk.js'
import {
  answerIds,
  asksToStore,
  isCreating,
  type NamingAnswer,
  refersToItems,
  requestIds,
} from './object-ids.js'
import { isBoundToAccount, mayBeSigned, SignedItems } from './signed-items.js'

/** An account that served a conversation is preferred for so long after the last time, in milliseconds. */
const WARM_MS = 3_600_000
const NOBODY: ReadonlySet<string> = new Set()
const FREE: Bound = {}

/** Whom a request may or should meet. */
export interface Bound {
  /** The only profiles that can serve it: it names an object of their account. */
  readonly only?: ReadonlySet<string>
  readonly familiar?: Familiar
}

/** What is to be kept when an answer has come to a good end. */
export interface Served {
  readonly digest: string
  readonly foreignUpTo: string | undefined
}

/** What of a request binds it to accounts: the objects that it names, and the conversation that it is a part of. */
export class Bindings {
  readonly #affinity: Affinity | undefined
  readonly #request: ForwardRequest
  readonly #body: JsonText | undefined
  readonly #bound = new Map<string, Bound>()
  readonly #digests = new Map<string, string | undefined>()
  #key: { readonly text: string | undefined } | undefined
  #owner: { readonly profileId: string | undefined } | undefined
  #signed: SignedItems | undefined
  #marked: boolean | undefined
  /** The profile that was asked first. */
  #first: string | undefined
  /** Those that refused what another account had signed. */
  readonly #refusing = new Set<string>()

  /** @param body as it can be read */
  constructor(affinity: Affinity | undefined, request: ForwardRequest, body: JsonText | undefined) {
    this.#affinity = affinity
    this.#request = request
    this.#body = body
  }

  /** Whom a stage may or should ask. The same as long as the request lives. */
  of(stage: Stage): Bound {
    if (this.#affinity === undefined) return FREE
    const { provider } = stage
    let bound = this.#bound.get(provider)
    if (bound === undefined) {
      bound = this.#find(this.#affinity, provider)
      this.#bound.set(provider, bound)
    }
    return bound
  }

  /** The conversation that the request is a part of, as {@link Affinity.digest} gives it. */
  conversationDigest({ provider }: Stage): string | undefined {
    return this.#digestOf(provider)
  }

  /** Notes that a profile is asked. */
  asks(profileId: string): void {
    this.#first ??= profileId
  }

  /** How many signed items, from the first on, another account than this profile's has made. */
  foreignItems({ provider }: Stage, profileId: string): number {
    if (this.#refusing.has(profileId)) return this.#signedCount()
    const known = this.#conversation(provider)
    const isHome =
      known === undefined ? this.#first === profileId : this.#isOfAccount(known.profileId, profileId)
    if (!isHome) return isBoundToAccount(this.#request.path) ? this.#signedCount() : 0
    if (known === undefined) return 0
    const { foreignUpTo } = known
    return foreignUpTo === undefined || this.#signedCount() === 0 ? 0 : this.#placeOf(foreignUpTo) + 1
  }

  /** Its body without the first `count` signed items. */
  without(count: number): Buffer | undefined {
    return count === 0 ? this.#body?.bytes : this.#signedItems()?.without(count)
  }

  /** Notes that a profile refused what another account had signed; whether it may be asked without. */
  refused(stage: Stage, profileId: string): boolean {
    if (this.foreignItems(stage, profileId) === this.#signedCount()) return false
    this.#refusing.add(profileId)
    return true
  }

  /** What is to be kept of a conversation that this profile serves. It holds nothing of the request. */
  served(stage: Stage, profileId: string): Served | undefined {
    const digest = this.#digestOf(stage.provider)
    if (this.#affinity === undefined || digest === undefined) return undefined
    const count = this.foreignItems(stage, profileId)
    const proof = count === 0 ? undefined : this.#signedItems()?.proof(count - 1)
    return { digest, foreignUpTo: proof === undefined ? undefined : this.#affinity.digest(proof) }
  }

  /** Keeps whose objects an answer names; gives when that is written, where somebody may ask for one in a moment. */
  own({ provider }: Stage, profileId: string, answer: NamingAnswer): Promise<void> | undefined {
    const { method, path } = this.#request
    const affinity = this.#affinity
    if (affinity === undefined) return undefined
    const ids = answerIds(path, () => asksToStore(this.#body), answer)
    if (ids.length === 0) return undefined
    const digests = ids.map((id) => affinity.digest(objectName(provider, id)))
    return affinity.own(profileId, digests, isCreating(method, path) ? 'once' : 'leisure')
  }

  #find(affinity: Affinity, provider: string): Bound {
    const owner = this.#ownerOf(affinity)
    if (owner !== undefined) {
      return { only: owner.startsWith(`${provider}:`) ? affinity.accountOf(owner) : NOBODY }
    }
    const known = this.#conversation(provider)
    if (known === undefined) return FREE
    const { profileId, atMs } = known
    if (refersToItems(this.#request.path, this.#body)) return { only: affinity.accountOf(profileId) }
    const above = this.#carriesItemsOf(provider, known)
    const isWarm = Math.abs(affinity.nowMs() - atMs) < WARM_MS
    return above || isWarm ? { familiar: { profileId, above } } : FREE
  }

  #ownerOf(affinity: Affinity): string | undefined {
    this.#owner ??= { profileId: affinity.hasOwners ? this.#lookUp(affinity) : undefined }
    return this.#owner.profileId
  }

  /** Providers name their objects as they like: what one of them says has no say in the requests of another. */
  #lookUp(affinity: Affinity): string | undefined {
    const ids = requestIds(this.#request.path, this.#body)
    for (const { provider } of this.#request.stages) {
      for (const id of ids) {
        const owner = affinity.ownerOf(affinity.digest(objectName(provider, id)))
        if (owner?.startsWith(`${provider}:`) === true) return owner
      }
    }
    return undefined
  }

  /** Whether it carries something that the account of its conversation made. */
  #carriesItemsOf(provider: string, { profileId }: Conversation): boolean {
    return this.foreignItems({ provider }, profileId) < this.#signedCount()
  }

  #conversation(provider: string): Conversation | undefined {
    const digest = this.#digestOf(provider)
    return digest === undefined ? undefined : this.#affinity?.conversation(digest)
  }

  /** `undefined` for what is no conversation, or has one account alone to meet. */
  #digestOf(provider: string): string | undefined {
    if (!this.#digests.has(provider)) this.#digests.set(provider, this.#digestFor(provider))
    return this.#digests.get(provider)
  }

  #digestFor(provider: string): string | undefined {
    const affinity = this.#affinity
    if (affinity === undefined || this.#request.method !== 'POST') return undefined
    // In a chain the next account is another provider's.
    if (this.#request.stages.length === 1 && !affinity.isShared(provider)) return undefined
    this.#key ??= { text: conversationKey(this.#request.headers, this.#body) }
    const { text } = this.#key
    return text === undefined ? undefined : affinity.digest(`${provider}\u0000${text}`)
  }

  /** Of a body that is here as a whole. Most have none, and are not walked through. */
  get #mayBeSigned(): boolean {
    if (this.#body === undefined || this.#request.body?.rest !== undefined) return false
    this.#marked ??= mayBeSigned(this.#request.path, this.#body.bytes)
    return this.#marked
  }

  #signedCount(): number {
    return this.#signedItems()?.count ?? 0
  }

  #signedItems(): SignedItems | undefined {
    if (this.#body === undefined || !this.#mayBeSigned) return undefined
    this.#signed ??= new SignedItems(this.#request.path, this.#body)
    return this.#signed
  }

  #placeOf(digest: string): number {
    const signed = this.#signedItems()
    for (let index = this.#signedCount() - 1; index >= 0; index -= 1) {
      if (this.#affinity?.digest(signed?.proof(index) ?? '') === digest) return index
    }
    return -1
  }

  #isOfAccount(one: string, other: string): boolean {
    return one === other || this.#affinity?.accountOf(one).has(other) === true
  }
}

function objectName(provider: string, id: string): string {
  return `${provider}\u0000object\u0000${id}`
}
