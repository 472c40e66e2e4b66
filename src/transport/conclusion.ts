import { type CandidateReason, KeymuxError, NoUsableProfileError } from '../domain/errors.js'
import type { Answer, FailedTry, Stage } from '../domain/forwarding.js'
import type { ProviderFamily } from '../domain/provider.js'
import { Exchange } from './exchange.js'
import type { Failure } from './failure.js'
import { isLasting, type Lasting, lastingMessage } from './lasting.js'
import { ownAnswer } from './own-answer.js'
import type { TriedProfile } from './trier.js'
import type { ForwarderParts } from './types.js'

/** A client may ask again by itself after a wait of 60 s at most; for what takes longer a person has to know. */
const SHORT_MS = 60_000
/** When a place may be free again, in milliseconds. */
const CROWDED_MS = 1_000

type OwnAnswer = Pick<Answer, 'kind' | 'status' | 'statusText' | 'headers' | 'body'> & {
  readonly error: KeymuxError
}

/** What keymux itself answers when no provider's answer can be passed on. */
export class Conclusion {
  readonly #stages: readonly Stage[]
  readonly #parts: Pick<ForwarderParts, 'providers' | 'clock'>
  readonly #failures: readonly FailedTry[]
  readonly #full: ReadonlySet<string>

  /**
   * @param failures the tries of this request that failed
   * @param full profiles that serve as many requests as they may
   */
  constructor(
    stages: readonly Stage[],
    parts: Pick<ForwarderParts, 'providers' | 'clock'>,
    { failures, full }: { readonly failures: readonly FailedTry[]; readonly full: ReadonlySet<string> },
  ) {
    this.#stages = stages
    this.#parts = parts
    this.#failures = failures
    this.#full = full
  }

  /**
   * @param last the failure that matters most, if there was a try at all
   * @param refusals why the stages had nobody to offer
   * @throws KeymuxError the refusal, when it is none of a `NoUsableProfileError`
   */
  answer(last: TriedProfile | undefined, refusals: readonly KeymuxError[], expired: boolean): OwnAnswer {
    const failure = last?.result
    if (failure !== undefined && !(failure instanceof Exchange) && failure.kind !== 'answer') {
      return this.#unreachable(failure)
    }
    const isWaiting = refusals.some((error) => error instanceof NoUsableProfileError)
    if (failure === undefined && expired && !isWaiting) {
      const error = new KeymuxError('provider_unreachable', 'the request took too long')
      return this.#own('unreachable', 504, error)
    }
    return this.#nothingUsable(refusals)
  }

  #unreachable({ kind, message, reason, proxy }: Failure): OwnAnswer {
    if (proxy?.error !== undefined) {
      const { code, hint } = proxy.error
      return this.#own('unreachable', 502, new KeymuxError(code, message, { hint }))
    }
    const error = new KeymuxError('provider_unreachable', message, { hint: 'see keymux status' })
    const answered = kind === 'senseless' || kind === 'unsent'
    return this.#own(answered ? 'refused' : 'unreachable', reason === 'timeout' ? 504 : 502, error)
  }

  #nothingUsable(refusals: readonly KeymuxError[]): OwnAnswer {
    const unusable = refusals.filter((error) => error instanceof NoUsableProfileError)
    const [first] = refusals
    if (first !== undefined && unusable.length === 0) throw first
    const error = unusable[0] ?? new KeymuxError('no_usable_profile', 'no profile could serve the request')
    const candidates = unusable.flatMap(({ reasons }) =>
      reasons.map((one) => ({ state: one.state, reason: this.#reasonOf(one) })),
    )
    const lasting = isLasting(candidates)
    if (lasting !== undefined) return this.#lasting(lasting, unusable, error)
    const times = unusable.flatMap(({ retryAt }) => (retryAt === undefined ? [] : [retryAt.getTime()]))
    const isCrowded = unusable.some(({ reasons }) => reasons.some((one) => this.#isFull(one)))
    const soonestMs = Math.min(
      ...times.map((time) => time - Number(this.#parts.clock.now())),
      isCrowded ? CROWDED_MS : Number.POSITIVE_INFINITY,
    )
    const why = [...new Set(candidates.map(({ reason }) => reason))]
    return this.#own('refused', 429, error, {
      detail: why.length === 0 ? '' : `: ${why.join(', ')}`,
      retryAfterMs: Number.isFinite(soonestMs) ? soonestMs : undefined,
    })
  }

  /** What no waiting mends: a client that asked again would do so for hours without a word. */
  #lasting(kind: Lasting, unusable: readonly NoUsableProfileError[], error: KeymuxError): OwnAnswer {
    const names = [
      ...new Set(unusable.filter(({ reasons }) => reasons.length > 0).map((one) => one.provider)),
    ]
    const logins = unusable.flatMap(({ hint }) => (hint?.startsWith('run ') === true ? [hint] : []))
    const hint = [...logins, ...names.map((name) => `see keymux status ${name}`)].join('; ')
    const family = this.#family()
    const [provider] = this.#stages.length === 1 ? names : []
    const unpaid = provider === undefined ? undefined : this.#parts.providers.get(provider)?.unpaid
    const message = lastingMessage(kind, { family, unpaid, what: names.join(' and '), hint })
    return { kind: 'refused', ...ownAnswer(family, message), error }
  }

  /** What this very request met goes before how a profile stands otherwise. */
  #reasonOf(one: CandidateReason): string {
    if (this.#isFull(one)) return 'concurrency'
    const { profileId, reason, state } = one
    const failure = this.#failures.findLast((one) => one.profileId === profileId)
    return reason ?? failure?.reason ?? state
  }

  /** Whether a profile was left out for its room alone. */
  #isFull({ profileId, state, reason }: CandidateReason): boolean {
    if (state !== 'failed' || reason !== undefined || !this.#full.has(profileId)) return false
    return !this.#failures.some((failure) => failure.profileId === profileId)
  }

  #own(
    kind: Answer['kind'],
    status: number,
    error: KeymuxError,
    { detail = '', retryAfterMs }: { detail?: string; retryAfterMs?: number | undefined } = {},
  ): OwnAnswer {
    const hint = error.hint === undefined ? '' : ` (${error.hint})`
    const message = {
      status,
      code: `keymux_${error.code}`,
      message: `${error.message}${detail}${hint}`,
      retryAfterMs,
      passing: kind === 'unreachable' || (retryAfterMs !== undefined && retryAfterMs <= SHORT_MS),
    }
    return { kind, ...ownAnswer(this.#family(), message), error }
  }

  /** The shape that the client reads: a chain's clients speak OpenAI's dialect. */
  #family(): ProviderFamily {
    const [stage] = this.#stages
    if (stage === undefined || stage.compatible === true) return 'openai'
    return this.#parts.providers.get(stage.provider)?.family ?? 'openai'
  }
}
