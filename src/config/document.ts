import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
} from 'yaml'
import { ConfigError, refuseProblems, showPath } from './errors.js'
import type { Path } from './parsers.js'
import { type KeymuxConfig, readConfig } from './schema.js'

// Aliases may repeat a few values, not blow a small file up.
const MAX_ALIASES = 100

/** What the YAML parser's codes mean; its own sentences may repeat parts of the file. */
const SYNTAX: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'expected a name after * or &',
  BAD_DQ_ESCAPE: 'this escape is not known in double quotes',
  BAD_INDENT: 'the indentation does not fit, or a bracket before it is not closed',
  BAD_SCALAR_START: 'a value that begins like this must be quoted',
  BLOCK_AS_IMPLICIT_KEY: 'a mapping must begin on a line of its own',
  MISSING_CHAR: 'a closing quote, bracket, comma or colon is missing',
  MULTILINE_IMPLICIT_KEY: 'a key must be on one line; is a colon missing?',
  MULTIPLE_DOCS: 'expected one document, not several',
  TAB_AS_INDENT: 'expected spaces for indentation, not a tab',
  TAG_RESOLVE_FAILED: 'this tag is not known here',
}

/** Names a place in the file by its offset. */
type Place = (offset: number) => string

/**
 * Reads a configuration from YAML. `file` is named in messages.
 *
 * @throws ConfigError `invalid_config`, naming line, column, key and what was expected
 */
export function parseConfigText(text: string, file: string): KeymuxConfig {
  const lines = new LineCounter()
  const place: Place = (offset) => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`
  }
  // Nesting without end exhausts the parser's stack.
  const guarded = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      if (error instanceof ConfigError) throw error
      throw new ConfigError([`${file}: this is nested too deeply, or repeats too much by aliases`])
    }
  }
  const document = guarded(() => parse(text, lines))
  refuseSyntax(document, place)
  guarded(() => refuseStructure(document, place))
  const value: unknown = guarded(() => document.toJS({ maxAliasCount: MAX_ALIASES }))
  const locate = (path: Path, atKey: boolean): string => {
    const shown = showPath(path)
    return `${place(offsetOf(document, path, atKey))}${shown === '' ? '' : `: ${shown}`}`
  }
  const { config, problems } = readConfig(value ?? null, 'snake_case', (path) => locate(path, true))
  refuseProblems(problems, locate)
  return config
}

// The parser's own search for duplicate keys takes quadratic time.
function parse(text: string, lineCounter: LineCounter): Document.Parsed {
  return parseDocument(text, { lineCounter, uniqueKeys: false, prettyErrors: false, logLevel: 'error' })
}

/** The first mistake alone: those after it mostly follow from it. */
function refuseSyntax(document: Document.Parsed, place: Place): void {
  const problems = [...document.errors, ...document.warnings]
  let first = problems[0]
  for (const problem of problems) if (first !== undefined && problem.pos[0] < first.pos[0]) first = problem
  if (first === undefined) return
  throw new ConfigError([`${place(first.pos[0])}: ${SYNTAX[first.code] ?? 'this is not valid YAML'}`])
}

/** Refuses keys that are there twice or are no plain texts, aliases without measure, and loops of them. */
function refuseStructure(document: Document.Parsed, place: Place): void {
  const refuse = (node: unknown, message: string): never => {
    throw new ConfigError([`${place(startOf(node) ?? 0)}: ${message}`])
  }
  let aliases = 0
  visit(document, {
    Alias(_key, alias, path) {
      aliases += 1
      if (aliases > MAX_ALIASES) refuse(alias, `expected at most ${MAX_ALIASES} aliases`)
      const target = alias.resolve(document)
      if (target === undefined) refuse(alias, 'this alias has no anchor before it')
      if (path.some((ancestor) => ancestor === target)) refuse(alias, 'this alias contains itself')
    },
    Map(_key, map) {
      const seen = new Set<string>()
      for (const { key } of map.items) {
        if (!isScalar(key) || (typeof key.value !== 'string' && typeof key.value !== 'number')) {
          return refuse(startOf(key) === undefined ? map : key, 'expected a plain text as key')
        }
        const name = String(key.value)
        if (seen.has(name)) refuse(key, `${showPath([name])}: this key is there twice`)
        seen.add(name)
      }
      return undefined
    },
  })
}

/** The offset of what `path` leads to, or of the deepest part of it that exists. */
function offsetOf(document: Document.Parsed, path: Path, atKey: boolean): number {
  let node: unknown = document.contents
  let key = startOf(node) ?? 0
  let offset = key
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === step)
      if (pair === undefined) return key
      key = startOf(pair.key) ?? key
      node = pair.value
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step]
      key = startOf(node) ?? key
    } else {
      return key
    }
    offset = startOf(node) ?? key
  }
  return atKey ? key : offset
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}
