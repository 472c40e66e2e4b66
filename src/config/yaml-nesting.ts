import { Lexer, LineCounter, Parser } from 'yaml'
import { MAX_NESTING } from '../domain/nesting.js'

/** A place in a text, both from 1. */
export interface TextPlace {
  readonly line: number
  readonly col: number
}

/**
 * Where a YAML text nests deeper than `limit`; `undefined` where it does not. Brackets and indents count, and
 * so do sequences and keys that follow each other on one line. Linear in the text, without recursion.
 *
 * The library makes its nodes by recursion, which two thousand brackets suffice to exhaust. The parser below
 * it keeps a stack of its own, and how high that is tells the depth. Nodes lie at most twice as deep: a pair in
 * a list, `[a: 1]`, is a mapping of its own.
 */
export function deepPlaceInYaml(text: string, limit: number = MAX_NESTING): TextPlace | undefined {
  const lines = new LineCounter()
  lines.addNewLine(0)
  const parser = new Parser(lines.addNewLine)
  for (const lexeme of new Lexer().lex(text)) {
    const at = parser.offset
    // What comes out are whole documents; what is not whole yet is what counts.
    Array.from(parser.next(lexeme))
    // At the bottom of the stack is the document, and at its top may be a scalar.
    if (parser.stack.length > limit + 2) return lines.linePos(at)
  }
  return undefined
}
