import { withoutUndefined } from '../domain/defined.js'
import type { FailedTry } from '../domain/forwarding.js'
import type { NotedFailure } from '../domain/profiles.js'
import { redactKnown } from '../domain/redact.js'
import type { OutcomeOrigin } from '../domain/usage.js'
import type { AnswerJudge, AnswerOver, AnswerVerdict, BadAnswer } from './answer-verdict.js'
import type { Served } from './bindings.js'
import { modelOf } from './failure.js'
import type { ForwarderParts } from './types.js'

/** An answer that is passed on, and what its end is held for or against. */
export interface PassedOn {
  readonly profileId: string
  readonly credential: string
  readonly model: string | undefined
  readonly origin: OutcomeOrigin | undefined
  /** Where the request was sent. */
  readonly base: string
  /** The conversation that it is a part of. */
  readonly served: Served | undefined
  /** It comes through a proxy: where it breaks off without a word, nobody can tell whose fault that is. */
  readonly proxied: boolean
}

/** Notes what came of answers that are passed on, at their end. Holds nothing of their requests. */
export class Follower {
  readonly #parts: Pick<ForwarderParts, 'profiles' | 'affinity' | 'logger'>
  readonly #judge: AnswerJudge
  readonly #failures: FailedTry[]

  /** @param failures where an answer that broke off is added, for whoever counts them */
  constructor(
    parts: Pick<ForwarderParts, 'profiles' | 'affinity' | 'logger'>,
    judge: AnswerJudge,
    failures: FailedTry[],
  ) {
    this.#parts = parts
    this.#judge = judge
    this.#failures = failures
  }

  note(answer: PassedOn, over: AnswerOver): void {
    const verdict = this.#judge.judge(over, answer.base, answer.served?.digest)
    this.verdict(answer, verdict)
  }

  /** Notes what was found out. */
  verdict(answer: PassedOn, verdict: AnswerVerdict): void {
    const { profileId, model, origin, served } = answer
    if (verdict.kind === 'good') {
      this.#parts.profiles.noteSuccess(profileId, withoutUndefined({ model, origin }))
      if (served !== undefined) this.#parts.affinity?.keep(served.digest, profileId, served.foreignUpTo)
    } else if (verdict.kind === 'bad') this.#bad(answer, verdict)
  }

  #bad(
    { profileId, credential, model, origin, proxied }: PassedOn,
    { reason, stated, message }: BadAnswer,
  ): void {
    const { profiles, logger } = this.#parts
    const said = redactKnown(message, [credential])
    this.#failures.push({ profileId, reason })
    logger?.warn('an answer broke off', { profile: profileId, reason, said })
    if (proxied && stated === undefined) return
    const { scope = 'provider', retryAfterMs, certainty } = stated ?? {}
    const failedModel = modelOf({ reason, scope }, model)
    const how: NotedFailure['brokeOff'] = stated === undefined ? 'unstated' : 'stated'
    // What lies in the request itself is held against nobody, and who is set aside as a whole need not go behind.
    const brokeOff = scope === 'request' || failedModel !== model ? undefined : how
    const details = { message: said, retryAfterMs, certainty, origin, brokeOff, model: failedModel }
    profiles.noteFailure(profileId, reason, withoutUndefined(details))
  }
}
