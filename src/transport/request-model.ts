/** Where a JSON body names its model: the text, and the bytes of its value, quotes included. */
interface ModelPlace {
  /** Absent when the value is none. */
  readonly model: string | undefined
  readonly start: number
  readonly end: number
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const MODEL_KEY = Buffer.from('"model"')
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

/** Gemini names the model in the path: `/v1beta/models/NAME:generateContent`. */
const IN_PATH = /\/(?:models|tunedModels)\/([^/:?#]{1,256}):[A-Za-z]+(?:[?#]|$)/

/** The model a request is for: as its JSON body names it, or as its path does. */
export function requestedModel(path: string, body: Buffer | undefined): string | undefined {
  const named = body === undefined ? undefined : findModel(body)?.model
  if (named !== undefined) return named === '' ? undefined : named
  const inPath = IN_PATH.exec(path)?.[1]
  return inPath === undefined ? undefined : decoded(inPath)
}

/**
 * The body with another model; the other bytes stay as they are. One that names none gets it, one that is no
 * JSON object stays the same.
 */
export function withModel(body: Buffer, model: string): Buffer {
  const value = Buffer.from(JSON.stringify(model))
  const place = findModel(body)
  if (place !== undefined) {
    return Buffer.concat([body.subarray(0, place.start), value, body.subarray(place.end)])
  }
  const start = startOf(body)
  if (body[start] !== OPEN_BRACE) return body
  const empty = body[skipSpace(body, start + 1)] === CLOSE_BRACE
  const member = Buffer.concat([Buffer.from('"model":'), value, Buffer.from(empty ? '' : ',')])
  return Buffer.concat([body.subarray(0, start + 1), member, body.subarray(start + 1)])
}

/**
 * Finds the top-level `model` of a JSON object without parsing the rest: values are stepped over. The last
 * one counts, as it does for parsers; a body that is cut off or broken is read as far as it goes.
 */
export function findModel(body: Buffer): ModelPlace | undefined {
  let at = startOf(body)
  if (body[at] !== OPEN_BRACE) return undefined
  let found: ModelPlace | undefined
  at += 1
  while (at < body.length) {
    at = skipSpace(body, at)
    if (body[at] === COMMA) {
      at += 1
      continue
    }
    if (body[at] !== QUOTE) return found
    const keyEnd = endOfString(body, at)
    const isModel = isModelKey(body, at, keyEnd)
    at = skipSpace(body, keyEnd)
    if (body[at] !== COLON) return found
    at = skipSpace(body, at + 1)
    const end = endOfValue(body, at)
    if (isModel) {
      found = { model: body[at] === QUOTE ? textOf(body, at, end) : undefined, start: at, end }
    }
    at = end
  }
  return found
}

/** Whether a key is `model`, however it is written. */
function isModelKey(body: Buffer, start: number, end: number): boolean {
  if (end - start === MODEL_KEY.length) return body.compare(MODEL_KEY, 0, MODEL_KEY.length, start, end) === 0
  return body.subarray(start, end).includes(BACKSLASH) && textOf(body, start, end) === 'model'
}

function startOf(body: Buffer): number {
  const marked = body.subarray(0, 3).equals(BYTE_ORDER_MARK)
  return skipSpace(body, marked ? 3 : 0)
}

function skipSpace(body: Buffer, start: number): number {
  let at = start
  while (at < body.length && isSpace(body[at])) at += 1
  return at
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** The index after a value, whatever it is. */
function endOfValue(body: Buffer, start: number): number {
  const first = body[start]
  if (first === QUOTE) return endOfString(body, start)
  let at = start
  let depth = 0
  while (at < body.length) {
    const byte = body[at]
    if (byte === QUOTE) {
      at = endOfString(body, at)
      continue
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth -= 1
      // The closing brace of the object around a number or word.
      if (depth < 0) return at
      if (depth === 0) return at + 1
    } else if (depth === 0 && (byte === COMMA || isSpace(byte))) return at
    at += 1
  }
  return at
}

/** The index after the closing quote. Leaps from quote to quote: most of a body is text. */
function endOfString(body: Buffer, start: number): number {
  for (let at = body.indexOf(QUOTE, start + 1); at >= 0; at = body.indexOf(QUOTE, at + 1)) {
    let backslashes = 0
    while (body[at - 1 - backslashes] === BACKSLASH) backslashes += 1
    if (backslashes % 2 === 0) return at + 1
  }
  return body.length
}

/** A JSON string's text; `undefined` for one that is broken, or longer than any name. */
function textOf(body: Buffer, start: number, end: number): string | undefined {
  if (end - start > 1_024) return undefined
  try {
    const text: unknown = JSON.parse(body.toString('utf8', start, end))
    return typeof text === 'string' ? text : undefined
  } catch {
    return undefined
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
