import type { OutgoingAnswer, OutgoingRequest } from '../domain/egress.js'
import { KeymuxError } from '../domain/errors.js'
import type { Connect } from '../egress/proxy-connector.js'
import { NoAnswerError, sendOnce as send } from '../egress/send-once.js'
import { OAuthError } from './errors.js'

/** Finds what makes connections to an address; `undefined` where they go straight there. */
export type Way = (url: string) => Promise<Connect | undefined>

/** A request to an authorization server. */
export interface HttpRequest extends OutgoingRequest {
  /** Straight there by default. */
  readonly way?: Way | undefined
}

/** An answer, or as much of it as arrived. */
export type HttpAnswer = OutgoingAnswer

/**
 * Sends one request, on a connection of its own, and never again; see `send-once.ts`.
 *
 * @throws OAuthError with the reason `timeout` when there is no answer; its delivery tells whether the request
 *   can have arrived
 */
export async function sendOnce({ way, ...request }: HttpRequest): Promise<HttpAnswer> {
  request.signal?.throwIfAborted()
  try {
    return await send(request, await way?.(request.url))
  } catch (error) {
    if (!(error instanceof KeymuxError) || error.code === 'vault_locked') throw error
    const delivery = error instanceof NoAnswerError && error.sent ? 'unknown' : 'not_sent'
    throw new OAuthError(
      error.code,
      error.message,
      { reason: 'timeout', delivery },
      { hint: error.hint, cause: error.cause },
    )
  }
}
