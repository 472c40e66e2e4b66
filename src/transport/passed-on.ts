import type { Answer, AnswerBody, BodySink } from '../domain/forwarding.js'
import type { ProviderFamily } from '../domain/provider.js'
import { RedactingStream, redactKnown } from '../domain/redact.js'
import type { CredentialForms } from './credential-forms.js'
import { decodeBeginning } from './decode.js'
import type { Exchange } from './exchange.js'
import { answerHeaders, headerValue, without } from './headers.js'
import { bodyOf, ownAnswer } from './own-answer.js'

type Parts = Pick<Answer, 'status' | 'statusText' | 'headers' | 'body'>

/** A credential shorter than this is found in any text by chance. */
const SHORTEST_CREDENTIAL = 4

/** An upstream's answer as it may be passed on: where head or a body that is here repeat the credential, without it. */
export function passedOn(exchange: Exchange, credential: string, forms: CredentialForms): Parts {
  const parts = headPassedOn(exchange, credential, forms)
  const whole = exchange.whole()
  if (whole === undefined || isShort(credential) || !repeats(whole, forms.plainOf(credential))) return parts
  return withText(parts, redactKnown(whole.toString('utf8'), [credential]))
}

/** {@link passedOn} for an error: some providers repeat the key in its text, and the client must not see it. */
export function errorPassedOn(
  exchange: Exchange,
  credential: string,
  family: ProviderFamily | undefined,
  forms: CredentialForms,
): Parts {
  const parts = headPassedOn(exchange, credential, forms)
  if (isShort(credential)) return parts
  const coding = headerValue(exchange.headers, 'content-encoding')
  const text = decodeBeginning(exchange.beginning(), coding)
  if (text === undefined) {
    exchange.cancel()
    const message = 'the provider answered with an error that cannot be read'
    const own = ownAnswer(family ?? 'openai', {
      status: parts.status,
      code: 'keymux_unreadable_error',
      message,
    })
    return { ...own, statusText: parts.statusText }
  }
  const isWhole = exchange.whole() !== undefined
  if (!isWhole && (coding === undefined || text === exchange.beginning())) {
    return {
      ...parts,
      headers: without(parts.headers, 'content-length'),
      body: new Redacted(exchange, credential),
    }
  }
  const clean = redactKnown(text.toString('utf8'), [credential])
  if (isWhole && clean === text.toString('utf8')) return parts
  // Of a compressed body that is longer than what is held, the rest is let go: it could repeat the key as well.
  exchange.cancel()
  return withText(parts, clean)
}

function headPassedOn(exchange: Exchange, credential: string, forms: CredentialForms): Parts {
  const { status, statusText } = exchange
  const mayLeak = !isShort(credential) && statusText.length >= credential.trim().length
  const leaks = mayLeak && redactKnown(statusText, [credential]) !== statusText
  return {
    status,
    statusText: leaks ? '' : statusText,
    headers: withoutCredential(answerHeaders(exchange.headers), credential, forms),
    body: exchange,
  }
}

/** Whether a body holds the credential as it is or as JSON writes it: all that an answer which works is searched for. */
function repeats(body: Buffer, plain: readonly string[]): boolean {
  return plain.some((form) => body.includes(form))
}

function withText(parts: Parts, text: string): Parts {
  const bytes = Buffer.from(text)
  const headers = without(without(parts.headers, 'content-encoding'), 'content-length')
  return { ...parts, headers: [...headers, 'content-length', String(bytes.length)], body: bodyOf(bytes) }
}

function withoutCredential(headers: string[], credential: string, forms: CredentialForms): string[] {
  // No form of it is shorter than it is itself: most answers have no header that long.
  if (isShort(credential) || !headers.some((text) => text.length >= credential.length)) return headers
  const known = forms.allOf(credential)
  // A line feed stands in no header, so that no form is found across two of them.
  const all = headers.join('\n')
  if (!known.some((form) => all.includes(form))) return headers
  const leaks = (text: string): boolean => known.some((form) => text.includes(form))
  return headers.filter((_, index) => !leaks(headers[index - (index % 2) + 1] ?? ''))
}

function isShort(credential: string): boolean {
  return credential.length < SHORTEST_CREDENTIAL
}

/** A body that is still arriving, without a credential that may be repeated anywhere in it. */
class Redacted implements AnswerBody {
  readonly #inner: AnswerBody
  readonly #stream: RedactingStream

  constructor(inner: AnswerBody, credential: string) {
    this.#inner = inner
    this.#stream = new RedactingStream(credential)
  }

  whole(): undefined {
    return undefined
  }

  pipe(sink: BodySink): void {
    // One character for each byte: whatever the text's own coding, its bytes come out as they went in.
    const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
    this.#inner.pipe({
      data: (chunk) => {
        const clean = this.#stream.push(chunk.toString('latin1'))
        return clean === '' || sink.data(bytes(clean))
      },
      end: () => {
        const rest = this.#stream.end()
        if (rest !== '') sink.data(bytes(rest))
        sink.end()
      },
      fail: (error) => sink.fail(error),
    })
  }

  resume(): void {
    this.#inner.resume()
  }

  cancel(reason?: unknown): void {
    this.#inner.cancel(reason)
  }
}
