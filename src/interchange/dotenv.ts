import { DEFAULT_PROFILE_NAME } from '../domain/ids.js'
import { readText } from './contents.js'
import type { FileContents, ImportResultDraft } from './draft.js'
import { type AddressMeanings, draftsOf, type VariableMeanings, type VariableValue } from './env.js'
import { variableReferred } from './variables.js'

const ASSIGNMENT = /[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*/y
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }
const REFERS = { skipped: 'its value refers to another variable or a command' }

/** Where a value ends, and what it is. */
interface Scanned {
  /** Offset of what follows the value, or of the line feed after it. */
  readonly end: number
  readonly read: VariableValue
}

/**
 * The credentials in the text of a `.env` file: `NAME=value` with an optional `export`; values bare, in
 * single quotes (literal) or double quotes (escapes `\n \r \t \" \\ \$`), quoted ones over several lines;
 * comments after ` #`. Nothing is expanded: a value with `${NAME}` or `$(command)` is skipped. Of a
 * repeated name the last counts. Other variables are ignored.
 *
 * @param profileName the profile's name; where it is taken already, the variable's name is used
 * @throws KeymuxError `invalid_import` for what is no text
 */
export function parseDotenv(
  contents: FileContents,
  meanings: VariableMeanings,
  profileName: string = DEFAULT_PROFILE_NAME,
  addresses?: AddressMeanings,
): ImportResultDraft {
  const text = readText(contents).replace(/\r\n?/g, '\n')
  return draftsOf(readAssignments(text), meanings, profileName, 'dotenv', addresses)
}

function readAssignments(text: string): Map<string, VariableValue> {
  const values = new Map<string, VariableValue>()
  for (let line = 1, start = 0; start < text.length; ) {
    ASSIGNMENT.lastIndex = start
    const name = ASSIGNMENT.exec(text)?.[1]
    let next = lineEnd(text, start) + 1
    if (name !== undefined) {
      const { end, read } = scanValue(text, ASSIGNMENT.lastIndex, line)
      values.set(name, read)
      next = Math.max(next, lineEnd(text, end) + 1)
    }
    line += lineFeeds(text, start, next)
    start = next
  }
  return values
}

function scanValue(text: string, start: number, line: number): Scanned {
  const quote = text[start]
  const lineStop = lineEnd(text, start)
  if (quote !== '"' && quote !== "'" && quote !== '`') {
    return { end: lineStop, read: plain(text.slice(start, lineStop)) }
  }
  const close = closingQuote(text, start, quote)
  // A quote that is not closed ends with its line, so that it does not swallow the lines after it.
  if (close < 0) return { end: lineStop, read: { failed: `line ${line}: the quote is not closed` } }
  const rest = text.slice(close + 1, lineEnd(text, close))
  if (!/^[ \t]*(?:#|$)/.test(rest)) {
    return { end: lineStop, read: { failed: `line ${line}: there is text after the closing quote` } }
  }
  return { end: close, read: quoted(text.slice(start + 1, close), quote) }
}

function plain(rest: string): VariableValue {
  const value = withoutComment(rest).trim()
  const refers = /\$[{(]|`/.test(value) || variableReferred(value) !== undefined
  return refers ? REFERS : { value }
}

function quoted(body: string, quote: '"' | "'" | '`'): VariableValue {
  if (quote === "'") return { value: body }
  // A shell runs what stands in backquotes.
  if (quote === '`') return REFERS
  const bare = body.replace(/\\[\s\S]/g, ' ')
  if (/\$[{(]/.test(bare) || variableReferred(body) !== undefined) return REFERS
  const value = body.replace(/\\([\s\S])/g, (whole, character: string) =>
    /["\\$`]/.test(character) ? character : (ESCAPES[character] ?? whole),
  )
  return { value }
}

function closingQuote(text: string, open: number, quote: string): number {
  if (quote !== '"') return text.indexOf(quote, open + 1)
  for (let at = open + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === quote) return at
  }
  return -1
}

/** A `#` at the beginning or after a blank begins a comment. */
function withoutComment(rest: string): string {
  for (let at = rest.indexOf('#'); at >= 0; at = rest.indexOf('#', at + 1)) {
    if (at === 0 || rest[at - 1] === ' ' || rest[at - 1] === '\t') return rest.slice(0, at)
  }
  return rest
}

function lineEnd(text: string, from: number): number {
  const at = text.indexOf('\n', from)
  return at < 0 ? text.length : at
}

function lineFeeds(text: string, from: number, to: number): number {
  let count = 0
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count += 1
  return count
}
