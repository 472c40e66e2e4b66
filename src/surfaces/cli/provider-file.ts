import type { BigIntStats } from 'node:fs'
import { isNode, isScalar, isSeq, isMap as isYamlMap, LineCounter, parseDocument } from 'yaml'
import { refuseMistrusted } from '../../config/trusted-path.js'
import { deepPlaceInYaml } from '../../config/yaml-nesting.js'
import { KeymuxError } from '../../domain/errors.js'
import { MAX_NESTING } from '../../domain/nesting.js'
import { parseCustomProvider } from '../../providers/custom.js'
import { DeclarationError } from '../../providers/place.js'
import { readSecretFile } from '../../system/safe-file.js'

/** A provider's declaration as a file holds it. */
export interface DeclaredProvider {
  /** In lower case. */
  readonly name: string
  readonly declaration: unknown
}

/**
 * Reads the declarations of custom providers from YAML or JSON: one with its `name` among its keys, or
 * several as `{NAME: {…}}`. All of them are checked.
 *
 * A file that others may change is refused: what is kept is to be what was looked at.
 *
 * @throws KeymuxError `invalid_provider` naming file and line or key, `unsafe_permissions`, `file_not_found`,
 *   `storage_unavailable`
 */
export async function readProviderFile(path: string): Promise<DeclaredProvider[]> {
  const { value, lineOf } = parse((await readSecretFile(path, { check: refuseOthers })).toString(), path)
  const declared = declarationsOf(value)
  if (declared === undefined || declared.length === 0) {
    throw new KeymuxError('invalid_provider', `${path}: expected the declaration of a provider`, {
      hint: 'write name: and base_url:, or several as NAME: {base_url: …}',
    })
  }
  return declared.map(({ name, declaration, keys }) => {
    try {
      return { name: parseCustomProvider(name, declaration).name, declaration }
    } catch (error) {
      if (!(error instanceof KeymuxError)) throw error
      const at = error instanceof DeclarationError ? lineOf([...keys, ...error.path]) : path
      throw new KeymuxError('invalid_provider', `${at}: ${error.message}`, {
        hint: error.hint,
        cause: error,
      })
    }
  })
}

const refuseOthers = (path: string, stats: BigIntStats): Promise<void> =>
  refuseMistrusted(path, stats, 'it says where keys go')

/** A declaration, and the keys that lead to it in its file. */
interface FoundProvider extends DeclaredProvider {
  readonly keys: readonly string[]
}

function declarationsOf(value: unknown): FoundProvider[] | undefined {
  if (!isMap(value)) return undefined
  const { name, ...declaration } = value
  if (typeof name === 'string') return [{ name, declaration, keys: [] }]
  return Object.entries(value).map(([each, inner]) => ({ name: each, declaration: inner, keys: [each] }))
}

/** A file's value, and where in it something stands: `FILE:LINE:COLUMN` of a key, or of the nearest one that is there. */
interface ParsedFile {
  readonly value: unknown
  readonly lineOf: (keys: readonly (string | number)[]) => string
}

/** The parser's own sentences may quote the file, so they go no further. */
function parse(text: string, path: string): ParsedFile {
  const deep = deepPlaceInYaml(text)
  if (deep !== undefined) {
    const message = `${path}:${deep.line}:${deep.col}: expected at most ${MAX_NESTING} levels of nesting`
    throw new KeymuxError('invalid_provider', message)
  }
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, logLevel: 'error' })
  const [first] = document.errors
  if (first !== undefined) {
    const { line, col } = lineCounter.linePos(first.pos[0])
    throw new KeymuxError('invalid_provider', `${path}:${line}:${col}: this is neither YAML nor JSON`)
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 })
    return { value, lineOf: (keys) => placeOf(document.contents, keys, lineCounter, path) }
  } catch {
    throw new KeymuxError('invalid_provider', `${path}: it repeats too much by aliases`)
  }
}

function placeOf(
  contents: unknown,
  keys: readonly (string | number)[],
  lineCounter: LineCounter,
  path: string,
): string {
  let node = contents
  let at: number | undefined
  for (const key of keys) {
    const [place, next] = stepInto(node, key)
    if (place === undefined) break
    at = place
    node = next
  }
  if (at === undefined) return path
  const { line, col } = lineCounter.linePos(at)
  return `${path}:${line}:${col}`
}

/** Where a key or an element of a node stands, and its value. */
function stepInto(node: unknown, key: string | number): [place: number | undefined, value: unknown] {
  if (isSeq(node)) {
    const item = node.items[Number(key)]
    return [isNode(item) ? item.range?.[0] : undefined, item]
  }
  const pair = isYamlMap(node)
    ? node.items.find((item) => isScalar(item.key) && item.key.value === key)
    : undefined
  return [isScalar(pair?.key) ? pair.key.range?.[0] : undefined, pair?.value]
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
