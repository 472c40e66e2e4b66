import type { RawHeaders } from '../domain/forwarding.js'
import type { ProviderFamily } from '../domain/provider.js'
import type { ResponseVerdict } from '../policy/classify-response.js'
import { classifyResponse } from '../policy/classify-response.js'
import { decodeBeginning } from './decode.js'
import { carriesContent } from './event-content.js'
import { EventReader, type ServerSentEvent } from './event-stream.js'
import { headerObject, headerValue } from './headers.js'

/** How much of an answer is held back at most before it is passed on: 64 KiB, what classification looks at. */
export const HELD_BYTES = 65_536

/** What is to become of an answer: go on holding it, pass it on, or leave it, for it is a failure. */
export type Ruling =
  | { readonly kind: 'hold' }
  | { readonly kind: 'release' }
  | { readonly kind: 'failed'; readonly verdict: ResponseVerdict }
  /** The upstream does not speak as a provider does. */
  | { readonly kind: 'senseless'; readonly message: string }

/** What the judgement of an answer depends on. */
export interface GateContext {
  readonly provider: string
  readonly family: ProviderFamily | undefined
  readonly model: string | undefined
  readonly status: number
  readonly headers: RawHeaders
  readonly now: () => Date
}

/** Looks at an answer as it arrives, until it is clear what it is. */
export interface Gate {
  /** @param held everything so far, this chunk included */
  data(chunk: Buffer, held: () => Buffer): Ruling
  /** The body is over, or `HELD_BYTES` of it are here, or its time is up. */
  end(held: Buffer, complete: boolean): Ruling
}

export const HOLD: Ruling = { kind: 'hold' }
export const RELEASE: Ruling = { kind: 'release' }

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
const EVENT_STREAM = /^\s*text\/event-stream\b/i
const JSON_TYPE = /^[^;]*[/+]json\b/i

/** The gate for an answer, or what is clear from its head. */
export function gateFor(context: GateContext): Gate | Ruling {
  const { status, headers } = context
  if (status >= 400 && status < 600) return new ErrorGate(context)
  if (REDIRECTS.has(status)) {
    return { kind: 'senseless', message: 'it answered with a redirect, which keymux does not follow' }
  }
  if (status < 200 || status >= 600) {
    return { kind: 'senseless', message: `it answered with the status ${status}` }
  }
  const kind = bodyKind(headers)
  if (kind === 'events') return new StreamGate(context)
  if (kind === 'json') return new JsonGate(context, (headerValue(headers, 'content-type') ?? '') !== '')
  return FIRST_BYTE
}

/** A body of another kind is passed on with its first bytes. */
const FIRST_BYTE: Gate = { data: () => RELEASE, end: () => RELEASE }

/** An answer with an error status: a failure, and its body tells which. */
class ErrorGate implements Gate {
  readonly #context: GateContext

  constructor(context: GateContext) {
    this.#context = context
  }

  data(): Ruling {
    return HOLD
  }

  end(held: Buffer): Ruling {
    return judged(this.#context, held) ?? RELEASE
  }
}

/**
 * A successful answer in JSON: MiniMax and others put errors into these. An object is read whole (its reader
 * has to wait for all of it anyway), the list that Gemini streams as far as the first element's first field.
 */
class JsonGate implements Gate {
  readonly #context: GateContext
  /** Whether the answer claims to be JSON. */
  readonly #declared: boolean
  readonly #coded: boolean
  #known = false

  constructor(context: GateContext, declared: boolean) {
    this.#context = context
    this.#declared = declared
    this.#coded = isCoded(context.headers)
  }

  data(_chunk: Buffer, held: () => Buffer): Ruling {
    if (this.#known || this.#coded) return HOLD
    const text = held().toString('latin1', 0, 256)
    if (!this.#declared && !/^\s*[{[]/.test(text)) return /\S/.test(text) ? RELEASE : HOLD
    if (!/^\s*\[/.test(text)) {
      this.#known = /\S/.test(text)
      return HOLD
    }
    const field = /^\s*\[\s*\{\s*"([^"]*)"/.exec(text)?.[1]
    if (field !== undefined && field !== 'error') return RELEASE
    return HOLD
  }

  end(held: Buffer, complete: boolean): Ruling {
    const body = this.#coded ? decoded(this.#context, held) : held
    if (body === undefined || body.length === 0) return RELEASE
    if (this.#declared && complete && !isJsonLike(body)) {
      return { kind: 'senseless', message: 'its answer claims to be JSON and is not' }
    }
    if (!body.includes('"error"') && !body.includes('"base_resp"')) return RELEASE
    return judged(this.#context, body, true) ?? RELEASE
  }
}

/** A stream of events: held until one carries content; an error before that is a failure. */
class StreamGate implements Gate {
  readonly #context: GateContext
  readonly #coded: boolean
  #reader = new EventReader()

  constructor(context: GateContext) {
    this.#context = context
    this.#coded = isCoded(context.headers)
  }

  data(chunk: Buffer, held: () => Buffer): Ruling {
    if (!this.#coded) return this.#judge(this.#reader.push(chunk))
    // Codings are decoded from their beginning each time: it is little, and seldom.
    const text = decoded(this.#context, held())
    if (text === undefined) return HOLD
    this.#reader = new EventReader()
    return this.#judge(this.#reader.push(text))
  }

  end(held: Buffer, complete: boolean): Ruling {
    if (this.#coded && decoded(this.#context, held) === undefined) return RELEASE
    const ruling = this.#judge(this.#reader.end())
    if (ruling.kind !== 'hold') return ruling
    return complete ? { kind: 'senseless', message: 'its stream ended before its answer began' } : RELEASE
  }

  #judge(events: readonly ServerSentEvent[]): Ruling {
    for (const event of events) {
      const failure = this.#failure(event)
      if (failure !== undefined) return failure
      if (carriesContent(event)) return RELEASE
    }
    return HOLD
  }

  #failure(event: ServerSentEvent): Ruling | undefined {
    const verdict = eventFailure(this.#context, event)
    return verdict === undefined ? undefined : { kind: 'failed', verdict }
  }
}

/** The failure that an event of a stream tells of, if it does. */
export function eventFailure(
  context: GateContext,
  { event, data }: ServerSentEvent,
): ResponseVerdict | undefined {
  if (event !== 'error' && !/"(?:error|base_resp)"|response\.failed/.test(data)) return undefined
  // Some leave the name of the event out, and have its type in the data alone.
  const name = event === '' ? (/^\s*\{\s*"type"\s*:\s*"([\w.]{1,64})"/.exec(data)?.[1] ?? '') : event
  const lines = data.split('\n').map((line) => `data: ${line}`)
  const text = `${name === '' ? '' : `event: ${name}\n`}${lines.join('\n')}\n\n`
  const headers = ['content-type', 'text/event-stream', ...context.headers]
  return classified({ ...context, headers }, Buffer.from(text))
}

/** What the body of an answer consists of, by its head. */
export function bodyKind(headers: RawHeaders): 'events' | 'json' | 'other' {
  const type = headerValue(headers, 'content-type') ?? ''
  if (EVENT_STREAM.test(type)) return 'events'
  return type === '' || JSON_TYPE.test(type) ? 'json' : 'other'
}

function judged(context: GateContext, held: Buffer, plain = false): Ruling | undefined {
  const verdict = classified(context, plain ? held : (decoded(context, held) ?? ''))
  return verdict === undefined ? undefined : { kind: 'failed', verdict }
}

function classified(context: GateContext, body: Buffer | string): ResponseVerdict | undefined {
  const { provider, family, model, status, headers } = context
  return classifyResponse({
    provider,
    family,
    model,
    status,
    headers: headerObject(headers),
    body,
    now: context.now(),
  })
}

function decoded({ headers }: GateContext, held: Buffer): Buffer | undefined {
  return decodeBeginning(held, headerValue(headers, 'content-encoding'))
}

/** Whether a body has to be decoded to be read. */
export function isCoded(headers: RawHeaders): boolean {
  const coding = headerValue(headers, 'content-encoding')
  return coding !== undefined && !/^\s*(?:identity)?\s*$/i.test(coding)
}

const JSON_BEGINNINGS: ReadonlySet<number> = new Set(Buffer.from('{["tfn-0123456789'))
/** Space, tab, line feed, carriage return, and the bytes of a byte order mark. */
const PASSED_OVER: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf])

/** Whether a text begins as JSON does, or is empty. Some upstreams send white space while they work. */
function isJsonLike(body: Buffer): boolean {
  const first = body.find((byte) => !PASSED_OVER.has(byte))
  return first === undefined || JSON_BEGINNINGS.has(first)
}
