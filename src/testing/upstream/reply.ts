import type { Answer, Reply } from './types.js'

type Headers = Readonly<Record<string, string>>

/** A whole JSON body, its length announced. */
export function jsonAnswer(status: number, body: unknown, headers: Headers = {}): Answer {
  const text = JSON.stringify(body)
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      ...headers,
    },
    pieces: [text],
  }
}

/** A stream of server-sent events, each written by itself. */
export function streamAnswer(events: readonly string[], headers: Headers = {}): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', ...headers },
    pieces: events,
  }
}

/**
 * An answer of your own.
 *
 * @param body text or bytes as they are; anything else as JSON
 */
export function reply(status: number, body: unknown = '', headers: Headers = {}): Reply {
  if (typeof body !== 'string' && !(body instanceof Uint8Array))
    return { answer: () => jsonAnswer(status, body, headers) }
  const length = String(typeof body === 'string' ? Buffer.byteLength(body) : body.length)
  return { answer: () => ({ status, headers: { 'content-length': length, ...headers }, pieces: [body] }) }
}

/** Sends the client elsewhere. Status 307 keeps method and body; nothing of keymux may follow it with a credential. */
export function redirect(to: string, status = 307): Reply {
  return reply(status, '', { location: to })
}
