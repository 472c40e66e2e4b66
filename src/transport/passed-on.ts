import { decodeBeginning } from './decode.js'
import type { Exchange } from './exchange.js'
import { answerHeaders, headerValue, without } from './headers.js'
import { bodyOf } from './own-answer.js'
import type { Answer } from './types.js'

type Parts = Pick<Answer, 'status' | 'statusText' | 'headers' | 'body'>

/** A credential shorter than this is found in any text by chance. */
const SHORTEST_CREDENTIAL = 4
const REDACTED = '[redacted]'

/** An upstream's answer as it may be passed on; a header that repeats the credential is left out. */
export function passedOn(exchange: Exchange, credential: string): Parts {
  const { status, statusText } = exchange
  return {
    status,
    statusText,
    headers: withoutCredential(answerHeaders(exchange.headers), credential),
    body: exchange,
  }
}

/** {@link passedOn} for an error: some providers repeat the key in its text, and the client must not see it. */
export function errorPassedOn(exchange: Exchange, credential: string): Parts {
  const parts = passedOn(exchange, credential)
  const coding = headerValue(exchange.headers, 'content-encoding')
  const text = decodeBeginning(exchange.beginning(), coding)
  if (text === undefined || credential.length < SHORTEST_CREDENTIAL || !text.includes(credential))
    return parts
  // Of a body that is longer than what is held, the rest is let go: it could repeat the key as well.
  exchange.cancel()
  const bytes = Buffer.from(text.toString('utf8').replaceAll(credential, REDACTED))
  const headers = without(without(parts.headers, 'content-encoding'), 'content-length')
  return { ...parts, headers: [...headers, 'content-length', String(bytes.length)], body: bodyOf(bytes) }
}

function withoutCredential(headers: string[], credential: string): string[] {
  if (credential.length < SHORTEST_CREDENTIAL) return headers
  const leaks = headers.some((text) => text.includes(credential))
  if (!leaks) return headers
  return headers.filter((_, index) => !(headers[index - (index % 2) + 1] ?? '').includes(credential))
}
