/** A value in a JSON text: the index of its first byte, and the one after its last. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A member of an object. */
export interface Member extends Span {
  /** Where its key begins, quotes included. */
  readonly keyStart: number
  readonly keyEnd: number
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])
const LONGEST_NAME = 1_024

/**
 * The members of the object that begins at `start`, without parsing their values: those are stepped over. A text that is
 * cut off or broken is read as far as it goes; what is no object has no members.
 */
export function* members(text: Buffer, start: number): Generator<Member> {
  if (text[start] !== OPEN_BRACE) return
  for (let one = memberAt(text, start + 1); one !== undefined; one = memberAt(text, one.end)) yield one
}

/** The elements of the array that begins at `start`, in the same way. */
export function* elements(text: Buffer, start: number): Generator<Span> {
  if (text[start] !== OPEN_BRACKET) return
  for (let one = elementAt(text, start + 1); one !== undefined; one = elementAt(text, one.end)) yield one
}

function memberAt(text: Buffer, from: number): Member | undefined {
  const keyStart = skipCommas(text, from)
  if (text[keyStart] !== QUOTE) return undefined
  const keyEnd = endOfString(text, keyStart)
  const colon = skipSpace(text, keyEnd)
  if (text[colon] !== COLON) return undefined
  const start = skipSpace(text, colon + 1)
  return { keyStart, keyEnd, start, end: endOfValue(text, start) }
}

function elementAt(text: Buffer, from: number): Span | undefined {
  const start = skipCommas(text, from)
  const first = text[start]
  if (first === undefined || first === CLOSE_BRACKET || first === CLOSE_BRACE) return undefined
  return { start, end: endOfValue(text, start) }
}

function skipCommas(text: Buffer, from: number): number {
  let at = skipSpace(text, from)
  while (text[at] === COMMA) at = skipSpace(text, at + 1)
  return at
}

/** The member of this name; of several the last counts, as it does for parsers. */
export function member(text: Buffer, start: number, name: string): Member | undefined {
  let found: Member | undefined
  for (const one of members(text, start)) if (isKey(text, one, name)) found = one
  return found
}

/** Whether a member is called `name`, however that is written. */
export function isKey(text: Buffer, { keyStart, keyEnd }: Member, name: string): boolean {
  if (keyEnd - keyStart === name.length + 2) {
    // Most keys of that length begin otherwise, and need not be made a text.
    const begins = text[keyStart + 1] === name.charCodeAt(0)
    return begins && text.toString('latin1', keyStart + 1, keyEnd - 1) === name
  }
  return text.subarray(keyStart, keyEnd).includes(BACKSLASH) && stringAt(text, keyStart, keyEnd) === name
}

/** Where the value of a JSON text begins. */
export function startOf(text: Buffer): number {
  const marked = text.subarray(0, 3).equals(BYTE_ORDER_MARK)
  return skipSpace(text, marked ? 3 : 0)
}

/** Whether the value at `start` is an object. */
export function isObject(text: Buffer, start: number): boolean {
  return text[start] === OPEN_BRACE
}

/** Whether the value at `start` is a string. */
export function isString(text: Buffer, start: number): boolean {
  return text[start] === QUOTE
}

export function skipSpace(text: Buffer, start: number): number {
  let at = start
  while (at < text.length && isSpace(text[at])) at += 1
  return at
}

/** The index after the closing quote. Leaps from quote to quote: most of a body is text. */
export function endOfString(text: Buffer, start: number): number {
  for (let at = text.indexOf(QUOTE, start + 1); at >= 0; at = text.indexOf(QUOTE, at + 1)) {
    let backslashes = 0
    while (text[at - 1 - backslashes] === BACKSLASH) backslashes += 1
    if (backslashes % 2 === 0) return at + 1
  }
  return text.length
}

/** A string's text; `undefined` for what is none, or broken, or longer than `longest` bytes. */
export function stringAt(
  text: Buffer,
  start: number,
  end: number,
  longest: number = LONGEST_NAME,
): string | undefined {
  if (end - start > longest || text[start] !== QUOTE) return undefined
  try {
    const value: unknown = JSON.parse(text.toString('utf8', start, end))
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** The index after a value, whatever it is. */
function endOfValue(text: Buffer, start: number): number {
  const first = text[start]
  if (first === QUOTE) return endOfString(text, start)
  let at = start
  let depth = 0
  while (at < text.length) {
    const byte = text[at]
    if (byte === QUOTE) {
      at = endOfString(text, at)
      continue
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth -= 1
      // The closing bracket of what stands around a number or word.
      if (depth < 0) return at
      if (depth === 0) return at + 1
    } else if (depth === 0 && (byte === COMMA || isSpace(byte))) return at
    at += 1
  }
  return at
}

/** A JSON text whose members are looked for more than once. */
export class JsonText {
  readonly bytes: Buffer
  #members: readonly Member[] | undefined

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  /** Those of the first level, found in one walk. */
  get members(): readonly Member[] {
    this.#members ??= [...members(this.bytes, startOf(this.bytes))]
    return this.#members
  }

  /** The one of this name; of several the last counts, as it does for parsers. */
  find(name: string): Member | undefined {
    const { members, bytes } = this
    for (let index = members.length - 1; index >= 0; index -= 1) {
      const one = members[index]
      if (one !== undefined && isKey(bytes, one, name)) return one
    }
    return undefined
  }
}
