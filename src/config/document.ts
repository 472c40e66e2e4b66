import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml'
import type { KeymuxConfig } from '../domain/config.js'
import { MAX_NESTING } from '../domain/nesting.js'
import { ConfigError, refuseProblems, showPath } from './errors.js'
import type { Path } from './parsers.js'
import { readConfig } from './schema.js'
import { deepPlaceInYaml } from './yaml-nesting.js'

// Aliases may repeat a few values, not blow a small file up.
const MAX_ALIASES = 100
/** How many values a configuration may come to when its aliases are written out. */
const MAX_REPEATED = 100_000
const TOO_DEEP = `expected at most ${MAX_NESTING} levels of nesting`

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
  // A mistake of the library's must not end a gateway that reads its config again.
  const guarded = <T>(work: () => T): T => {
    try {
      return work()
    } catch {
      throw new ConfigError([`${file}: this cannot be read as YAML`])
    }
  }
  const deep = guarded(() => deepPlaceInYaml(text))
  if (deep !== undefined) throw new ConfigError([`${file}:${deep.line}:${deep.col}: ${TOO_DEEP}`])
  const document = guarded(() => parse(text, lines))
  refuseSyntax(document, place)
  refuseStructure(document, place)
  // How much aliases repeat has been looked at, in less time than the library takes for it.
  const value: unknown = guarded(() => document.toJS({ maxAliasCount: -1 }))
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
  const anchors = new Map<string, Node>()
  const targets = new Map<Alias, Node>()
  visit(document, {
    Alias(_key, alias, path) {
      if (targets.size === MAX_ALIASES) refuse(alias, `expected at most ${MAX_ALIASES} aliases`)
      const target = anchors.get(alias.source)
      if (target === undefined) return refuse(alias, 'this alias has no anchor before it')
      if (path.some((ancestor) => ancestor === target)) refuse(alias, 'this alias contains itself')
      targets.set(alias, target)
      return undefined
    },
    Value(_key, node) {
      if (node.anchor !== undefined) anchors.set(node.anchor, node)
      if (!isMap(node)) return
      const seen = new Set<string>()
      for (const { key } of node.items) {
        if (!isScalar(key) || (typeof key.value !== 'string' && typeof key.value !== 'number')) {
          return refuse(startOf(key) === undefined ? node : key, 'expected a plain text as key')
        }
        const name = String(key.value)
        if (seen.has(name)) refuse(key, `${showPath([name])}: this key is there twice`)
        seen.add(name)
      }
    },
  })
  const { depth, repeated } = measure(document.contents, targets)
  if (depth > MAX_NESTING) refuse(document.contents, TOO_DEEP)
  if (repeated > MAX_REPEATED) refuse(document.contents, 'this repeats too much by aliases')
}

/** What a document comes to with its aliases written out. */
interface Measure {
  readonly depth: number
  /** Values that are there because of an alias. */
  readonly repeated: number
  readonly values: number
}

/** Takes one step a node: an alias stands after what it repeats, which has been measured by then. */
function measure(root: unknown, targets: ReadonlyMap<Alias, Node>): Measure {
  const known = new Map<unknown, Measure>()
  const nothing: Measure = { depth: 0, repeated: 0, values: 0 }
  const of = (node: unknown): Measure => {
    if (isAlias(node)) {
      const target = known.get(targets.get(node)) ?? nothing
      return { ...target, repeated: target.values }
    }
    const children = isPair(node) ? [node.key, node.value] : isCollection(node) ? node.items : []
    let [depth, repeated, values] = [0, 0, 1]
    for (const child of children) {
      const one = of(child)
      depth = Math.max(depth, one.depth)
      repeated += one.repeated
      values += one.values
    }
    const found = { depth: isCollection(node) ? depth + 1 : depth, repeated, values }
    if (isNode(node) && node.anchor !== undefined) known.set(node, found)
    return found
  }
  return of(root)
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
