import { withoutUndefined } from '../../domain/defined.js'
import type { FailureName, WireFailure } from './failure-shapes.js'
import { FAILURES } from './failure-shapes.js'
import { jsonAnswer } from './reply.js'
import { requestedModel } from './request.js'
import type { RecordedRequest, Reply, UpstreamProvider } from './types.js'

/** What may be settled of a failure. */
export interface UpstreamFailureOptions {
  /** A message in place of the provider's own, such as one that repeats a key. */
  readonly message?: string
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>
  /** Whose words to use; by default the provider of the request. */
  readonly provider?: UpstreamProvider
}

/** How long a rate limit says to wait: not at all by default. */
export interface RateLimitedOptions extends UpstreamFailureOptions {
  /** Whole seconds, or an HTTP date, for the `retry-after` header (Gemini: seconds, in the body). */
  readonly retryAfter?: number | string
  /** Milliseconds, for the finer `retry-after-ms` header (Gemini: in the body). */
  readonly retryAfterMs?: number
}

/** A failure that a provider answers with, on its own or inside a stream. */
export interface FailureReply extends Reply {
  readonly failure: (request: RecordedRequest) => WireFailure
}

/** Too many requests: try again later. */
export function rateLimited(options: RateLimitedOptions = {}): FailureReply {
  return failure('rate_limited', options)
}

/** No credit, unpaid bill or used-up plan. */
export function outOfMoney(options: UpstreamFailureOptions = {}): FailureReply {
  return failure('out_of_money', options)
}

/** The credential is none. */
export function badKey(options: UpstreamFailureOptions = {}): FailureReply {
  return failure('bad_key', options)
}

/** The credential is known and may not do this. */
export function permission(options: UpstreamFailureOptions = {}): FailureReply {
  return failure('permission', options)
}

/** The provider's own capacity is exhausted. */
export function overloaded(options: UpstreamFailureOptions = {}): FailureReply {
  return failure('overloaded', options)
}

/** The provider is broken. */
export function serverError(options: UpstreamFailureOptions = {}): FailureReply {
  return failure('server_error', options)
}

/** There is no such model, or not for this credential. */
export function modelNotFound(options: UpstreamFailureOptions = {}): FailureReply {
  return failure('model_not_found', options)
}

/** The request is longer than the model can read. */
export function contextOverflow(options: UpstreamFailureOptions = {}): FailureReply {
  return failure('context_overflow', options)
}

/** The request is malformed. */
export function badRequest(options: UpstreamFailureOptions = {}): FailureReply {
  return failure('bad_request', options)
}

function failure(name: FailureName, options: RateLimitedOptions): FailureReply {
  const wire = (request: RecordedRequest): WireFailure =>
    FAILURES[options.provider ?? request.provider][name]({
      model: requestedModel(request) ?? 'model',
      message: options.message,
      waitMs: statedWaitMs(options),
    })
  return {
    failure: wire,
    answer: (request) => {
      const { status, body } = wire(request)
      return jsonAnswer(status, body, { ...waitHeaders(request, options), ...options.headers })
    },
  }
}

function statedWaitMs({ retryAfter, retryAfterMs }: RateLimitedOptions): number | undefined {
  return retryAfterMs ?? (typeof retryAfter === 'number' ? retryAfter * 1000 : undefined)
}

/** Gemini states no wait in its headers. */
function waitHeaders(request: RecordedRequest, options: RateLimitedOptions): Record<string, string> {
  if ((options.provider ?? request.provider) === 'gemini') return {}
  const { retryAfter, retryAfterMs } = options
  return withoutUndefined({
    'retry-after-ms': retryAfterMs === undefined ? undefined : String(retryAfterMs),
    'retry-after': retryAfter === undefined ? undefined : String(retryAfter),
  })
}
