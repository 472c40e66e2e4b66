import type { OwnFailureRule } from '../domain/failure-rule.js'
import type { RawHeaders } from '../domain/forwarding.js'
import type { ProviderFamily } from '../domain/provider.js'
import { own } from '../policy/classify-fields.js'
import { parseTolerantly } from '../policy/classify-json.js'
import type { ResponseVerdict } from '../policy/classify-response.js'
import { explainResponse } from '../policy/classify-response.js'
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
  /** Whose way of telling failures the provider has, where its definition says so. */
  readonly failureFamily?: string | undefined
  readonly model: string | undefined
  readonly status: number
  readonly headers: RawHeaders
  readonly now: () => Date
  /** Rules of the owner's own about failures. */
  readonly rules?: readonly OwnFailureRule[] | undefined
  /** What is due where a model was asked, by the path and the body of the request. Absent: nobody knows. */
  readonly due?: AnswerDue | undefined
}

/** An answer that is due is JSON or events, and says something. */
export interface AnswerDue {
  /** It may be empty: the request asked for nothing to be generated. */
  readonly mayBeEmpty: boolean
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
  if (context.due !== undefined && !BODILESS.has(status) && !isCoded(headers)) return new DueGate(context)
  if (context.due !== undefined && HTML.test(headerValue(headers, 'content-type') ?? '')) return PAGE
  return gateOfKind(context, kind)
}

function gateOfKind(context: GateContext, kind: BodyKind): Gate {
  if (kind === 'events') return new StreamGate(context)
  if (kind === 'json')
    return new JsonGate(context, (headerValue(context.headers, 'content-type') ?? '') !== '')
  return FIRST_BYTE
}

/** Statuses of answers without a body (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])
const HTML = /^\s*(?:text\/html|application\/xhtml\+xml)\b/i
const STREAM_LINE = /^(?:data|event|id|retry)?:/
const PAGE: Ruling = { kind: 'senseless', message: 'it answered with a web page' }
const NO_ANSWER: Ruling = { kind: 'senseless', message: 'its answer is empty' }

/**
 * An answer of a model: what it consists of is told by how it begins, for some upstreams label errors as events and events
 * as JSON. A page, a text and nothing at all are none.
 */
class DueGate implements Gate {
  readonly #context: GateContext
  #gate: Gate | undefined

  constructor(context: GateContext) {
    this.#context = context
  }

  data(chunk: Buffer, held: () => Buffer): Ruling {
    if (this.#gate !== undefined) return this.#gate.data(chunk, held)
    const begun = this.#begin(held(), false)
    if (begun === undefined) return HOLD
    if ('kind' in begun) return begun
    this.#gate = begun
    return begun.data(held(), held)
  }

  end(held: Buffer, complete: boolean): Ruling {
    if (this.#gate !== undefined) return this.#gate.end(held, complete)
    const begun = this.#begin(held, true)
    if (begun === undefined) return complete ? NO_ANSWER : RELEASE
    if ('kind' in begun) return begun
    const ruling = begun.data(held, () => held)
    return ruling.kind === 'hold' ? begun.end(held, complete) : ruling
  }

  /** `undefined` while there is nothing but space. */
  #begin(held: Buffer, over: boolean): Gate | Ruling | undefined {
    const text = held.toString('latin1', 0, 256).replace(/^(?:\xef\xbb\xbf)?\s+/, '')
    if (text === '' && held.length < HELD_BYTES) return undefined
    // So much tells a line of events from words.
    if (text.length < 6 && !over && !/^[{["<:]/.test(text)) return undefined
    if (text.startsWith('<')) return PAGE
    if (STREAM_LINE.test(text)) return new StreamGate(this.#context)
    if (/^[{[]/.test(text)) return new JsonGate(asJson(this.#context), true)
    const kind = bodyKind(this.#context.headers)
    if (kind !== 'other') return gateOfKind(this.#context, kind)
    return { kind: 'senseless', message: 'it answered with a text where JSON was due' }
  }
}

/** What an answer is read as is not always what it claims to be. */
function asJson(context: GateContext): GateContext {
  return { ...context, headers: ['content-type', 'application/json', ...context.headers] }
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
    if (body.includes('"error"') || body.includes('"base_resp"') || body.includes('"success"')) {
      const ruling = judged(this.#context, body, true)
      if (ruling !== undefined) return ruling
    }
    return complete && saysNothing(this.#context, body.toString('utf8')) ? NO_ANSWER : RELEASE
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
      if (/"response\.completed"/.test(event.data) && saysNothing(this.#context, event.data)) return NO_ANSWER
      if (this.#context.due !== undefined && event.data.trim() === '[DONE]') return NO_ANSWER
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

/** A response that is complete, and has neither an output nor an account of it. */
function saysNothing({ due }: GateContext, text: string): boolean {
  if (due === undefined || due.mayBeEmpty || !/"output"\s*:\s*\[\s*\]/.test(text)) return false
  const value = parseTolerantly(text)
  const response = own(value, 'response') ?? value
  const [output, usage] = [own(response, 'output'), own(response, 'usage')]
  return (
    own(response, 'status') === 'completed' && Array.isArray(output) && output.length === 0 && usage == null
  )
}

type BodyKind = 'events' | 'json' | 'other'

/** What the body of an answer consists of, by its head. */
export function bodyKind(headers: RawHeaders): BodyKind {
  const type = headerValue(headers, 'content-type') ?? ''
  if (EVENT_STREAM.test(type)) return 'events'
  return type === '' || JSON_TYPE.test(type) ? 'json' : 'other'
}

function judged(context: GateContext, held: Buffer, plain = false): Ruling | undefined {
  const verdict = classified(context, plain ? held : (decoded(context, held) ?? ''))
  return verdict === undefined ? undefined : { kind: 'failed', verdict }
}

function classified(context: GateContext, body: Buffer | string): ResponseVerdict | undefined {
  const { provider, family, failureFamily, model, status, headers, rules } = context
  return explainResponse({
    rules,
    provider,
    family,
    failureFamily,
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
