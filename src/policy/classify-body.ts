import { items, own } from './classify-fields.js'
import { parseTolerantly } from './classify-json.js'
import { LOOKED_AT } from './classify-wording.js'

/** What a response's body turned out to be. */
export interface BodyContent {
  /** Parsed JSON: the body's own, or the data of the first event of a stream. */
  readonly value?: unknown
  /** Name of the first event of a stream. */
  readonly event?: string
  /** Plain text, when it is neither JSON nor markup. */
  readonly text?: string
  /** The page's title, when it is HTML or XML: such a page is not the API itself speaking. */
  readonly title?: string
  /** The text that all of it was read from, where it came as text or bytes. */
  readonly source?: string
}

const STREAM_LINE = /^(?::|(?:data|event|id|retry):)/
const SCALAR = /^(?:null|true|false|-?[\d.]{1,32})\s*$/
const TITLE = /<(?:title|h1)\b[^>]{0,200}>([^<]{1,300})/i
// Control characters other than white space, and what is left of bytes that are no UTF-8: compressed or binary.
const BINARY = /[\0-\x08\x0e-\x1a\x1c-\x1f\ufffd]/

// Without one of these an answer is a success for sure, and need not be parsed.
const FAILURE_HINT = /"(?:error|base_resp|success)"|^event: ?(?:error|response\.failed)/m

/**
 * Reads a body of any kind: text, bytes, or a value parsed already. Only the first 64 KiB are looked at,
 * and nothing throws. With `successful`, a body without any hint of a failure is not read any further.
 */
export function readContent(
  body: unknown,
  contentType: string | undefined,
  successful: boolean,
): BodyContent {
  const text = textOfBody(body)
  if (text === undefined) return { value: body }
  if (successful && !FAILURE_HINT.test(text)) return {}
  const start = text.trimStart()
  const claimsEvents = contentType?.includes('event-stream') === true && !/^[[{<"]/.test(start)
  const isStream = claimsEvents || STREAM_LINE.test(start)
  return { ...(isStream ? firstEvent(start) : readText(start)), source: start }
}

/**
 * Whether a body that came with a status of success reports a failure all the same: `{"error": …}` of
 * OpenAI, OpenRouter and Gemini, `{"type": "error"}` of Anthropic, `base_resp` of MiniMax.
 */
export function reportsFailure({ event, value }: BodyContent): boolean {
  if (event === 'error' || event === 'response.failed') return true
  const [root] = Array.isArray(value) ? value : [value]
  if (own(root, 'type') === 'error' || own(root, 'object') === 'error') return true
  const status = own(own(root, 'base_resp'), 'status_code')
  if (typeof status === 'number' && status !== 0) return true
  if (isAnswer(own(root, 'object')) && isFilled(own(root, 'error'))) return true
  if (own(root, 'success') === false) return true
  // OpenRouter puts the failure of an upstream into the choice that it was to give.
  const [choice] = items(own(root, 'choices'), 1)
  return isFilled(own(choice, 'error')) || own(choice, 'finish_reason') === 'error'
}

/** Jobs and batches are fetched with success even where they tell of a failure of their own. */
function isAnswer(kind: unknown): boolean {
  return (
    typeof kind !== 'string' ||
    /^(?:chat\.completion|text_completion|response|message|list|embedding)\b/.test(kind)
  )
}

function isFilled(error: unknown): boolean {
  if (typeof error === 'string') return error.trim() !== ''
  return ['message', 'code', 'type', 'status'].some((key) => own(error, key) != null)
}

function textOfBody(body: unknown): string | undefined {
  if (body === undefined || body === null) return ''
  if (typeof body === 'string') return body.slice(0, LOOKED_AT).replace(/^\ufeff/, '')
  const bytes = bytesOf(body)
  if (bytes !== undefined) return new TextDecoder(encodingOf(bytes)).decode(bytes)
  return typeof body === 'object' ? undefined : ''
}

/** JSON is UTF-8 (RFC 8259 section 8.1); some servers of Windows send what begins with another mark. */
function encodingOf([first, second]: Uint8Array): string {
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  return first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8'
}

function bytesOf(body: unknown): Uint8Array | undefined {
  if (body instanceof ArrayBuffer) return new Uint8Array(body, 0, Math.min(body.byteLength, LOOKED_AT))
  if (!ArrayBuffer.isView(body)) return undefined
  return new Uint8Array(body.buffer, body.byteOffset, Math.min(body.byteLength, LOOKED_AT))
}

function readText(text: string): BodyContent {
  if (text === '' || SCALAR.test(text)) return {}
  if (text.startsWith('<')) return { title: TITLE.exec(text)?.[1] ?? '' }
  if (/^[[{"]/.test(text)) {
    const value = parseTolerantly(text)
    return typeof value === 'string' ? { text: value } : { value }
  }
  return BINARY.test(text.slice(0, 1024)) ? {} : { text }
}

/** The first event that says something: comments, keep-alive pings and events without data are passed over. */
function firstEvent(stream: string): BodyContent {
  let event = ''
  let data: string[] = []
  for (const line of [...stream.split(/\r\n|\n|\r/), '']) {
    const [, field, value = ''] = /^(data|event): ?(.*)$/s.exec(line) ?? []
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value.trim()
    if (line !== '') continue
    if (data.length > 0 && event !== 'ping') break
    event = ''
    data = []
  }
  const content = readText(data.join('\n').trim())
  return event === '' ? content : { ...content, event }
}
