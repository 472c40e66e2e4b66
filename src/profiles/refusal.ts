import type { CandidateReason, KeymuxError } from '../domain/errors.js'
import { NoUsableProfileError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import type { ResolutionOptions } from '../domain/ports.js'
import type { ProviderLookup } from '../domain/providers.js'
import { modelAllowed } from '../policy/model-globs.js'
import type { Entry } from './entry.js'
import { renewalAdvice } from './renewal-advice.js'

/** Why a profile that was tried could not give its credential. */
export interface FailedAttempt {
  readonly entry: Entry
  readonly error: KeymuxError
}

/** What a refusal is about. */
export interface RefusalFacts {
  readonly request: ResolutionOptions
  /** The profiles that were tried in vain. */
  readonly failed: readonly FailedAttempt[]
  /** The pool that the request stays in; absent where there are no pools. */
  readonly pool?: string | null | undefined
  readonly providers: ProviderLookup
  readonly now: Date
}

/** Tells why none of the profiles that were asked could be handed out, and when that changes by itself. */
export function refusal(asked: readonly Entry[], facts: RefusalFacts): NoUsableProfileError {
  const { provider } = facts.request
  const reasons = asked.map((entry) => reasonOf(entry, facts))
  const times = reasons.flatMap((reason) => (reason.until === undefined ? [] : [reason.until.getTime()]))
  const retryAt = times.length === 0 ? undefined : new Date(Math.min(...times))
  return new NoUsableProfileError(
    provider,
    {
      attemptedProfiles: asked.map((entry) => entry.id),
      reasons,
      ...(retryAt === undefined ? {} : { retryAt }),
      pool: facts.pool,
    },
    sentence(place(facts), asked.length, retryAt),
    { hint: hintOf(asked, retryAt, facts) },
  )
}

/** Why one of them is not handed out. */
export function reasonOf(entry: Entry, { request, failed, now }: RefusalFacts): CandidateReason {
  const attempt = failed.find((each) => each.entry === entry)
  const { state, reason, until } = entry.standing
  // A renewal that failed has changed the standing: what it says goes further than the error.
  if (attempt !== undefined && (state === 'available' || entry.mode !== 'oauth')) {
    return { profileId: entry.id, state: 'failed', reason: attempt.error.code }
  }
  const window = request.model === undefined ? undefined : entry.modelWindow(request.model, now)
  if (state === 'available' && window !== undefined) {
    return { profileId: entry.id, state: 'cooling', reason: window.reason, until: window.until }
  }
  if (state === 'available') {
    const allowed = request.model === undefined || modelAllowed(entry.record.meta.models, request.model)
    // What could serve and is not handed out was left out by the caller, who has tried it.
    if (allowed) return { profileId: entry.id, state: 'failed' }
    return { profileId: entry.id, state: 'not_allowed', reason: 'model' }
  }
  const later = window !== undefined && until !== undefined && window.until > until ? window.until : until
  return {
    profileId: entry.id,
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(later === undefined ? {} : { until: later }),
  }
}

function place({ request, pool }: RefusalFacts): string {
  if (pool === undefined) return request.provider
  return `${request.provider} ${pool === null ? 'without a pool' : `in the pool ${quote(pool)}`}`
}

function sentence(provider: string, count: number, retryAt: Date | undefined): string {
  if (count === 0) return `there is no profile for ${provider}`
  const which = count === 1 ? 'the only profile' : `none of the ${count} profiles`
  const state = count === 1 ? 'is not usable now' : 'is usable now'
  return `${which} of ${provider} ${state}${retryAt === undefined ? '' : `; the soonest is back at ${retryAt.toISOString()}`}`
}

/** What to do about one of them, where waiting does not help or nothing else is wrong with any. */
function hintOf(asked: readonly Entry[], retryAt: Date | undefined, facts: RefusalFacts): string {
  const { provider } = facts.request
  if (asked.length === 0) return `add one with keymux add ${provider}`
  const advice = asked.flatMap((entry) => adviceOf(entry, facts) ?? [])
  const [first] = advice
  if (first !== undefined && (retryAt === undefined || advice.length === asked.length)) return first
  return `see keymux status ${provider}`
}

/** What its owner can do about a login that was not handed out. */
function adviceOf(entry: Entry, { failed, providers }: RefusalFacts): string | undefined {
  if (entry.mode !== 'oauth') return undefined
  const { state, reason } = entry.standing
  switch (state) {
    case 'off':
    case 'disabled':
      return undefined
    case 'invalid':
      return `run keymux login ${entry.id}`
    case 'expired':
      return renewalAdvice(entry, providers) ?? `run keymux login ${entry.id}`
    case 'cooling':
      return reason === entry.backoff?.reason ? renewalAdvice(entry, providers) : undefined
    case 'available':
      return failed.find((attempt) => attempt.entry === entry)?.error.hint
  }
}
