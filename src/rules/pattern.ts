import { createRequire as requireFrom } from 'node:module'
import { KeymuxError } from '../domain/errors.js'
import type { TextPattern } from '../domain/failure-rule.js'

/** Longest pattern, in characters. */
export const LONGEST_PATTERN = 500
/** How much of a text is searched, in characters. */
export const SEARCHED = 16_384
/** Steps that a pattern may come to: repetitions multiply them, and a search takes time in proportion. */
const MOST_STEPS = 1_000
const CASE_INSENSITIVE = 1

/** What is used of the library. */
interface Re2 {
  readonly RE2JS: {
    compile(source: string, flags: number): { test(text: string): boolean; programSize(): number }
  }
}

/** What people write who know other engines, and what it would be there. */
const UNKNOWN_HERE: readonly (readonly [RegExp, string])[] = [
  [/^(?:[^\\]|\\[^1-9k])*\\(?:[1-9]|k[<{'])/s, 'back-references (\\1) are not known here'],
  [/\(\?<?[=!]/, 'look-around such as (?=…) and (?<!…) is not known here'],
  [/\(\?>|[*+?}]\+/, 'possessive repetition such as (?>…) and a++ is not known here'],
]

let loaded: Re2 | undefined

/**
 * Makes a pattern with RE2's syntax (github.com/google/re2/wiki/Syntax), which takes time in proportion to the text
 * whatever it is: so there are no back-references and no look-around. It is looked for anywhere in the first 16 KiB of a
 * text, and in any case unless it says `(?-i)`.
 *
 * @throws KeymuxError `invalid_value` for one that is empty, longer than 500 characters, too large when its repetitions
 *   are written out, or no such pattern; the pattern itself is not repeated
 * @example
 * failurePattern('quota of \\d+ (?:tokens|requests) is used up').test('Your quota of 5 tokens is used up') // true
 */
export function failurePattern(source: string): TextPattern {
  if (source === '' || source.length > LONGEST_PATTERN) {
    throw refused(`expected a pattern of 1 to ${LONGEST_PATTERN} characters`)
  }
  // Loaded with the first pattern: few have one, and it is large.
  loaded ??= requireFrom(import.meta.url)('re2js') as Re2
  const pattern = compiled(loaded, source)
  if (pattern.programSize() > MOST_STEPS) {
    throw refused('this pattern is too large when its repetitions are written out')
  }
  return Object.freeze({ source, test: (text: string) => pattern.test(text.slice(0, SEARCHED)) })
}

function compiled({ RE2JS }: Re2, source: string): ReturnType<Re2['RE2JS']['compile']> {
  try {
    return RE2JS.compile(source, CASE_INSENSITIVE)
  } catch (error) {
    const other = UNKNOWN_HERE.find(([sign]) => sign.test(source))?.[1]
    throw refused(other ?? `this is no pattern that RE2 knows${reasonOf(error)}`, error)
  }
}

/** The library's sentence without the part of the pattern that it repeats: it may be a key in the wrong place. */
function reasonOf(error: unknown): string {
  const said =
    error instanceof Error ? /^error parsing regexp: ([a-z -]{1,60})/i.exec(error.message)?.[1] : ''
  return said === undefined || said === '' ? '' : ` (${said.trim()})`
}

function refused(message: string, cause?: unknown): KeymuxError {
  return new KeymuxError('invalid_value', message, {
    hint: 'see github.com/google/re2/wiki/Syntax',
    ...(cause === undefined ? {} : { cause }),
  })
}
