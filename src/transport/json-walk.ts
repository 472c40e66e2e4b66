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
  let at = start + 1
  while (at < text.length) {
    at = skipSpace(text, at)
    if (text[at] === COMMA) {
      at += 1
      continue
    }
    if (text[at] !== QUOTE) return
    const keyStart = at
    const keyEnd = endOfString(text, at)
    at = skipSpace(text, keyEnd)
    if (text[at] !== COLON) return
    at = skipSpace(text, at + 1)
    const end = endOfValue(text, at)
    yield { keyStart, keyEnd, start: at, end }
    at = end
  }
}

/** The elements of the array that begins at `start`, in the same way. */
export function* elements(text: Buffer, start: number): Generator<Span> {
  if (text[start] !== OPEN_BRACKET) return
  let at = start + 1
  while (at < text.length) {
    at = skipSpace(text, at)
    if (text[at] === COMMA) {
      at += 1
      continue
    }
    if (at >= text.length || text[at] === CLOSE_BRACKET || text[at] === CLOSE_BRACE) return
    const end = endOfValue(text, at)
    yield { start: at, end }
    at = end
  }
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
    return text.toString('latin1', keyStart + 1, keyEnd - 1) === name
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
    return this.members.findLast((one) => isKey(this.bytes, one, name))
  }
}
