import type { Answer, AnswerBody, BodySink } from '../domain/forwarding.js'
import type { ProviderFamily } from '../domain/provider.js'

/** What keymux says in a provider's place. */
export interface OwnMessage {
  readonly status: number
  /** Stable. Begins with `keymux_`, unless clients know what it says by a provider's own code. */
  readonly code: string
  /** The type of OpenAI's and Anthropic's errors. That of the status by default. */
  readonly type?: string | undefined
  /** One sentence, without a secret. */
  readonly message: string
  /** In how many milliseconds it is worth asking again, when that is known. */
  readonly retryAfterMs?: number | undefined
  /** Whether clients may try again by themselves. Default false. */
  readonly passing?: boolean
}

/** Google's names for statuses (google.rpc.Code). */
const GOOGLE_STATUS: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  408: 'DEADLINE_EXCEEDED',
  413: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  501: 'UNIMPLEMENTED',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

/** Types of Anthropic's errors, which OpenAI's kind knows as well. */
const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
}

/** An error's body in the shape that clients of this family read. The code is in each of them. */
export function errorBody(
  family: ProviderFamily,
  { status, code, message, retryAfterMs, type = typeOf(status) }: OwnMessage,
): object {
  if (family === 'gemini') {
    const details: object[] = [
      { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: code, domain: domainOf(code) },
    ]
    if (retryAfterMs !== undefined) {
      details.push({
        '@type': 'type.googleapis.com/google.rpc.RetryInfo',
        retryDelay: `${wholeSeconds(retryAfterMs)}s`,
      })
    }
    return { error: { code: status, message, status: GOOGLE_STATUS[status] ?? 'UNKNOWN', details } }
  }
  if (family === 'anthropic') return { type: 'error', error: { type, message, code } }
  return { error: { message, type, param: null, code } }
}

function typeOf(status: number): string {
  return TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
}

function domainOf(code: string): string {
  return code.startsWith('keymux_') ? 'keymux' : 'googleapis.com'
}

/**
 * Headers of an error of keymux's own: the wait as HTTP states it (`retry-after`, whole seconds, RFC 9110
 * section 10.2.3) and as the official SDKs read it first (`retry-after-ms`), and whether they should ask
 * again at all (`x-should-retry`).
 */
export function errorHeaders({ retryAfterMs, passing = false }: OwnMessage): string[] {
  const headers = ['content-type', 'application/json', 'cache-control', 'no-store']
  if (!passing) headers.push('x-should-retry', 'false')
  if (retryAfterMs !== undefined) {
    headers.push('retry-after', String(wholeSeconds(retryAfterMs)))
    headers.push('retry-after-ms', String(Math.max(1, Math.ceil(retryAfterMs))))
  }
  return headers
}

/** The part of an answer that a message makes. */
export function ownAnswer(
  family: ProviderFamily,
  message: OwnMessage,
): Pick<Answer, 'status' | 'statusText' | 'headers' | 'body'> {
  const bytes = Buffer.from(JSON.stringify(errorBody(family, message)))
  return {
    status: message.status,
    statusText: '',
    headers: [...errorHeaders(message), 'content-length', String(bytes.length)],
    body: bodyOf(bytes),
  }
}

/** A body that is in memory. */
export function bodyOf(bytes: Buffer): AnswerBody {
  return {
    whole: () => bytes,
    pipe: (sink: BodySink) => {
      if (bytes.length > 0) sink.data(bytes)
      sink.end()
    },
    resume: () => undefined,
    cancel: () => undefined,
  }
}

function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}
