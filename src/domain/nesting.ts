/**
 * How many levels of anything from outside are read. What keymux reads lies above the tenth; a text that
 * nests without end exhausts the stack of whoever walks through it, and near its end V8 aborts the process.
 */
export const MAX_NESTING = 64

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b])
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d])

/**
 * Whether a JSON text opens more than `limit` brackets inside one another; those in its strings do not count.
 * Any text will do, broken ones too. Linear in the text, without recursion; stops where the limit is passed.
 */
export function nestsDeeply(text: string, limit: number = MAX_NESTING): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = closingQuote(text, at)
    else if (OPENING.has(code)) {
      depth += 1
      if (depth > limit) return true
    } else if (CLOSING.has(code)) depth = Math.max(0, depth - 1)
  }
  return false
}

/**
 * `JSON.parse` for a text from outside.
 *
 * @throws SyntaxError for what is no JSON, RangeError for what nests deeper than {@link MAX_NESTING}
 */
export function parseFlatJson(text: string): unknown {
  if (nestsDeeply(text)) throw new RangeError(`nested deeper than ${MAX_NESTING} levels`)
  return JSON.parse(text)
}

/** Leaps from quote to quote: most of a document is text. */
function closingQuote(text: string, open: number): number {
  for (let at = text.indexOf('"', open + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let backslashes = 0
    while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes += 1
    if (backslashes % 2 === 0) return at
  }
  return text.length
}
