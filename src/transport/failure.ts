import type { CandidateReason, KeymuxError } from '../domain/errors.js'
import type { FailedTry } from '../domain/forwarding.js'
import type { Certainty, FailureReason, FailureScope, Told } from '../domain/usage.js'
import type { Decision, ResponseVerdict } from '../policy/classify-response.js'
import type { BadAnswer } from './answer-verdict.js'
import type { Exchange, Outcome } from './exchange.js'

/**
 * How a try failed: the provider answered with an error (`answer`); something answered that does not speak
 * as a provider does (`senseless`); nothing came in time (`silence`); the connection failed (`broken`); there
 * was nothing that could be sent (`unsent`).
 */
export type FailureKind = 'answer' | 'senseless' | 'silence' | 'broken' | 'unsent'

/** A try that came to nothing. */
export interface Failure {
  readonly kind: FailureKind
  readonly reason: FailureReason
  readonly scope: FailureScope
  /** What an answer told the reason by; absent where there was none. */
  readonly certainty?: Certainty
  /** What in an answer decided on the reason. */
  readonly decision?: Pick<Decision, 'by'>
  readonly retryAfterMs?: number
  /** One sentence, without a secret. */
  readonly message: string
  /** Whether asking the same profile once more may help: at once, or when there is nobody else to ask. */
  readonly again: 'now' | 'later' | 'never'
  /** Whether it says anything about the profile or its provider. */
  readonly telling: boolean
  /** The provider's error, so that it can be passed on. */
  readonly exchange?: Exchange
  /** It may be answered yet: silence for the time being. */
  readonly late?: LateExchange
  /** A proxy was on the way, and may be at fault. */
  readonly proxy?: ProxyPart
}

/** What a proxy's part in a failure was. */
export interface ProxyPart {
  /** `HOST:PORT`, and empty where it is not known. */
  readonly label: string
  /** It did not open the way: what it is told by. Absent: something on the way failed. */
  readonly error?: KeymuxError
}

/** A try that is waited for while others are made. */
export interface LateExchange {
  readonly exchange: Exchange
  /** What it comes to in the end. */
  readonly result: Promise<Exchange | Failure>
}

/** Longer waits are not for one request to sit through: 2 s, in milliseconds. */
const LONGEST_WAIT_MS = 2_000
const TRANSIENT: ReadonlySet<FailureReason> = new Set(['server_error', 'overloaded', 'timeout'])

/** Reasons that lie with the credential. What a provider says of these is for its owner, not for clients. */
const OF_CREDENTIAL: ReadonlySet<FailureReason> = new Set([
  'rate_limit',
  'billing',
  'auth',
  'auth_permanent',
  'session_expired',
])

/** Reasons that pass by themselves within a time that a request can wait for. */
const PASSING: ReadonlySet<string> = new Set(['rate_limit', 'quota', 'overloaded', 'server_error', 'timeout'])

const MAX_CAUSES = 16
const CERTIFICATE =
  /^(?:CERT_|ERR_TLS_CERT|ERR_SSL_|DEPTH_ZERO_SELF|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY|DECRYPT)|HOSTNAME_MISMATCH|INVALID_CA|EPROTO$)/
/** The fault is on this side: nothing is known of the provider. */
const LOCAL: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ENETDOWN',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
])

/** Whether a profile is set aside for something that may pass while a request waits: it is neither refused nor unpaid. */
export function passesSoon({ state, reason = '' }: CandidateReason): boolean {
  return state === 'cooling' && PASSING.has(reason)
}

/** Whether the last try of a profile opened a window of that kind, which is over by now. */
export function wasBusy({ profileId, state }: CandidateReason, failures: readonly FailedTry[]): boolean {
  const last = failures.findLast((failure) => failure.profileId === profileId)
  return state === 'failed' && (last?.reason === 'rate_limit' || last?.reason === 'overloaded')
}

/** The model that a failure is noted for: a limit of the whole subscription must not be taken for one of the model. */
export function modelOf(
  { reason, scope }: Pick<Failure, 'reason' | 'scope'>,
  model: string | undefined,
): string | undefined {
  return reason === 'rate_limit' && scope === 'credential' ? undefined : model
}

/** What an answer told a failure by, for people; `undefined` where there was none. */
export function toldBy({ decision, exchange }: Failure): Told | undefined {
  if (decision === undefined || exchange === undefined) return undefined
  const by = decision.by === 'words' || decision.by === 'status' ? decision.by : 'code'
  return { by, status: exchange.status }
}

/** Whether the failure is about the credential that was sent. */
export function isOfCredential({ reason }: Failure): boolean {
  return OF_CREDENTIAL.has(reason)
}

/** Whether a renewed login may help. */
export function isRefusedLogin({ reason }: Failure): boolean {
  return reason === 'auth' || reason === 'session_expired'
}

/** What a try's outcome means. */
export function failureOf(
  outcome: Exclude<Outcome, { kind: 'release' }>,
  provider: string,
  exchange: Exchange,
): Failure {
  switch (outcome.kind) {
    case 'failed':
      return answeredFailure(outcome.verdict, exchange)
    case 'senseless':
      return {
        ...ofTransport('senseless', 'server_error', `${provider}: ${outcome.message}`),
        again: exchange.status < 300 ? 'now' : 'never',
      }
    case 'silent':
      return {
        ...ofTransport('silence', 'timeout', `${provider} did not begin to answer in time`),
        again: 'later',
      }
    case 'broken':
      return brokenConnection(provider, codeOf(outcome.error))
  }
}

/** An answer that is here as a whole, and has turned out to be none in the end: nobody has seen anything of it. */
export function unfinishedAnswer(bad: BadAnswer, provider: string, exchange: Exchange): Failure {
  if (bad.stated !== undefined) return answeredFailure(bad.stated, exchange)
  return ofTransport('senseless', bad.reason, `${provider}: ${bad.message}`)
}

function answeredFailure(verdict: ResponseVerdict, exchange: Exchange): Failure {
  const soon = (verdict.retryAfterMs ?? 0) <= LONGEST_WAIT_MS
  const again = TRANSIENT.has(verdict.reason) && soon ? 'now' : 'never'
  return { kind: 'answer', ...verdict, again, telling: true, exchange }
}

/** Silence that has lasted for too long to wait for it alone. */
export function lateSilence(provider: string, late: LateExchange): Failure {
  const message = `${provider} did not begin to answer in time`
  return { ...ofTransport('silence', 'timeout', message), again: 'later', telling: false, late }
}

/** A failure before anything was sent: the profile's credential or base URL cannot be used. */
export function unsent(message: string): Failure {
  return { kind: 'unsent', reason: 'unknown', scope: 'credential', message, again: 'never', telling: false }
}

function brokenConnection(provider: string, code: string): Failure {
  if (CERTIFICATE.test(code)) {
    const message = `the certificate of the server of ${provider} is not accepted (${code})`
    return { ...ofTransport('broken', 'server_error', message), again: 'never' }
  }
  const message = `the connection to ${provider} failed (${code})`
  return { ...ofTransport('broken', 'server_error', message), telling: !LOCAL.has(code) }
}

function ofTransport(kind: FailureKind, reason: FailureReason, message: string): Failure {
  return { kind, reason, scope: 'provider', message, again: 'now', telling: true }
}

/** An error's code, or its cause's. Its message may hold bytes of the connection. */
export function codeOf(error: unknown): string {
  let one = error
  // A chain of causes can be endless.
  for (let looked = 0; looked < MAX_CAUSES && typeof one === 'object' && one !== null; looked += 1) {
    const code: unknown = Reflect.get(one, 'code')
    if (typeof code === 'string' && /^\w{1,64}$/.test(code)) return code
    one = one instanceof Error && one.cause instanceof Error ? one.cause : undefined
  }
  return 'no code'
}
