import type { ForwardRequest } from '../domain/forwarding.js'
import type { RefusedRequest } from '../domain/refusals.js'
import { ASKED_ALL_THE_SAME, isComparedPath, isOpenRefusal } from '../policy/compare.js'
import { speaksOfPolicy } from '../policy/policy-words.js'
import { refusalFingerprint } from '../policy/refusal-fingerprint.js'
import type { Bindings } from './bindings.js'
import type { Course } from './course.js'
import { decodeBeginning } from './decode.js'
import { Exchange } from './exchange.js'
import type { Failure } from './failure.js'
import { HELD_BYTES } from './gate.js'
import { headerValue } from './headers.js'
import type { Outbound } from './outbound.js'
import type { Selection } from './selection.js'
import { refusesSigned } from './signed-items.js'
import type { TriedProfile, Trier } from './trier.js'
import type { ForwarderParts } from './types.js'

/** A refusal of which nobody knows whether the request or the account is at fault. */
export interface OpenRefusal {
  readonly tried: TriedProfile
  readonly failure: Failure
  /** The refusal itself, whole. */
  readonly exchange: Exchange
  readonly request: RefusedRequest
}

/** What comparing works with, besides what the requests of a forwarder share. */
export interface ComparerParts {
  readonly request: ForwardRequest
  readonly outbound: Outbound
  readonly course: Course
  readonly bindings: Bindings
  readonly selection: Selection
  readonly trier: Trier
}

/** Puts refusals whose fault is open to one other account, and remembers what came of it. */
export class Comparer {
  readonly #parts: Pick<ForwarderParts, 'refusals' | 'random' | 'providers'>
  readonly #of: ComparerParts

  constructor(parts: Pick<ForwarderParts, 'refusals' | 'random' | 'providers'>, of: ComparerParts) {
    this.#parts = parts
    this.#of = of
  }

  /** The refusal that a try met, where another account may be asked what it says. */
  open(tried: TriedProfile): OpenRefusal | undefined {
    const { result } = tried
    if (result instanceof Exchange || result.scope !== 'request') return undefined
    const { request, outbound, course, bindings } = this.#of
    const { method, path } = request
    if (method !== 'POST' || !isComparedPath(path) || !outbound.isReplayable || course.isOver)
      return undefined
    const open = this.#read(tried)
    if (open === undefined || bindings.of(tried.stage).only !== undefined) return undefined
    const { refusals, random } = this.#parts
    const isKnown = refusals?.isKnown(open.request) === true
    return isKnown && random() < 1 - ASKED_ALL_THE_SAME ? undefined : open
  }

  /** Asks another account that is available now; `undefined` where there is none. */
  async ask({ tried, exchange }: OpenRefusal): Promise<TriedProfile | undefined> {
    const { selection, trier } = this.#of
    try {
      const other = await selection.other(tried.stage, tried.resolution.profile)
      if (other === undefined) return undefined
      const running = trier.run(other.stage, other.resolution)
      if (other.resolution.profile.concurrency !== undefined) leaveAfter(running, other.leave)
      return await running
    } catch (error) {
      exchange.cancel()
      throw error
    }
  }

  /** Another account has served it. Gives what tells the conversation from others. */
  served({ tried, request }: OpenRefusal): string {
    const conversation = this.#of.bindings.conversationDigest(tried.stage)
    if (conversation === undefined) return ''
    this.#parts.refusals?.putLast(conversation, tried.resolution.profile.id, request.fingerprint)
    return Buffer.from(conversation, 'latin1').toString('base64url')
  }

  /** Another account has not served it: where that said the same, the request is at fault, and that is remembered. */
  refused(open: OpenRefusal, second: TriedProfile): void {
    const same = this.#read(second)?.request.fingerprint === open.request.fingerprint
    if (same) this.#parts.refusals?.keep(open.request, open.tried.resolution.profile.id)
  }

  #read(tried: TriedProfile): OpenRefusal | undefined {
    const { stage, result: failure } = tried
    if (failure instanceof Exchange || failure.kind !== 'answer') return undefined
    const { exchange, certainty, reason, scope, message } = failure
    if (exchange === undefined || certainty === undefined) return undefined
    if (!isOpenRefusal({ reason, scope, certainty, message }, exchange.status)) return undefined
    const body = readable(exchange)
    // What another account has signed says nothing of this one: that was left out already.
    if (body === undefined || speaksOfPolicy(body) || refusesSigned(body)) return undefined
    const [path = ''] = this.#of.request.path.split('?', 1)
    const fingerprint = refusalFingerprint({
      family: this.#parts.providers.get(stage.provider)?.family,
      status: exchange.status,
      contentType: headerValue(exchange.headers, 'content-type'),
      body,
    })
    const model = this.#of.outbound.model(stage)
    return { tried, failure, exchange, request: { provider: stage.provider, path, model, fingerprint } }
  }
}

/** A refusal as text, where all of it is here and can be read: what cannot be read may speak of anything. */
function readable(exchange: Exchange): string | undefined {
  const whole = exchange.whole()
  const text =
    whole && decodeBeginning(whole, headerValue(exchange.headers, 'content-encoding'))?.toString('utf8')
  return text !== undefined && text.length < HELD_BYTES ? text : undefined
}

/** Leaves a room once a try is over: with its answer, or because there is none. */
export function leaveAfter(running: Promise<TriedProfile>, leave: () => void): void {
  const after = (result: TriedProfile['result']): void => {
    if (result instanceof Exchange) result.onOver(leave)
    else if (result.late === undefined) leave()
    else result.late.result.then(after, leave)
  }
  running.then(({ result }) => after(result), leave)
}
