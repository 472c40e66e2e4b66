import { quote } from '../domain/ids.js'

/** A way through a configuration, in the source's own keys. */
export type Path = readonly (string | number)[]

/** One thing that is wrong: where, and what was expected there. */
export interface ConfigProblem {
  readonly path: Path
  readonly message: string
  /** The problem is the key itself, not what it holds. */
  readonly atKey?: boolean
}

/** Where a parser stands, how keys are written there, and whom it tells of problems. */
export interface Spot {
  readonly path: Path
  readonly key: (name: string) => string
  /** Names a place for a message. */
  readonly where: (path: Path) => string
  readonly report: (problem: ConfigProblem) => void
}

/** Reads one value; reports what is wrong with it and gives `undefined` then. */
export type Parser<T> = (value: unknown, spot: Spot) => T | undefined

/** Limits of a number. */
interface Limits {
  readonly min?: number
  /** Exclusive lower limit. */
  readonly above?: number
  readonly max: number
  readonly whole?: boolean
}

/** A finite number within limits. `what` says what it counts. */
export function number(what: string, { min, above, max, whole = false }: Limits): Parser<number> {
  const range = above === undefined ? `from ${min} to ${max}` : `above ${above} and up to ${max}`
  return (value, spot) => {
    if (
      typeof value === 'number' &&
      value <= max &&
      (above === undefined ? value >= (min ?? -Infinity) : value > above) &&
      (!whole || Number.isInteger(value))
    ) {
      return value
    }
    return refuse(spot, `${what} ${range}`, value)
  }
}

/** `true` or `false`. */
export const boolean: Parser<boolean> = (value, spot) =>
  typeof value === 'boolean' ? value : refuse(spot, 'true or false', value)

/** One of a few words. */
export function oneOf<T extends string>(words: readonly T[]): Parser<T> {
  return (value, spot) => words.find((word) => word === value) ?? refuse(spot, list(words, 'or'), value)
}

/** A text of a form, put into its canonical shape by `normalize`. */
export function matching(
  what: string,
  pattern: RegExp,
  normalize: (text: string) => string = (text) => text,
): Parser<string> {
  return (value, spot) =>
    typeof value === 'string' && pattern.test(value) ? normalize(value) : refuse(spot, what, value)
}

/** A provider's name as a key; lower-cased. */
export const providerKey: Parser<string> = matching(
  'a provider name: 1 to 64 of a-z 0-9 . _ -, a letter or digit first',
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
  (text) => text.toLowerCase(),
)

/** A mapping whose content is judged elsewhere. */
export const passed: Parser<Readonly<Record<string, unknown>>> = (value, spot) =>
  isMapping(value) ? value : refuse(spot, 'a mapping', value)

/** A list of so many of the same kind. */
export function listOf<T>(item: Parser<T>, { min, max }: { min: number; max: number }): Parser<T[]> {
  return (value, spot) => {
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      return refuse(spot, `a list of ${min} to ${max} entries`, value)
    }
    return value.flatMap((inner: unknown, index) => item(inner, at(spot, index)) ?? [])
  }
}

/** A mapping with keys of a form and values of one kind. Nothing at all counts as an empty one. */
export function keyed<T>(key: Parser<string>, item: Parser<T>): Parser<Record<string, T>> {
  return (value, spot) => {
    if (value !== null && !isMapping(value)) return refuse(spot, 'a mapping', value)
    const found = new Map<string, T>()
    for (const [name, inner] of Object.entries(value ?? {})) {
      const inside = at(spot, name)
      const atKey = (message: string): void => spot.report({ path: inside.path, message, atKey: true })
      const canonical = key(name, { ...inside, report: ({ message }) => atKey(message) })
      const parsed = item(inner, inside)
      if (canonical === undefined || parsed === undefined) continue
      if (found.has(canonical)) atKey(`${quote(canonical)} is there twice, in another spelling`)
      found.set(canonical, parsed)
    }
    return dictionary(found)
  }
}

/** A mapping with known keys, each optional; others are refused. Nothing at all counts as an empty one. */
export function record<T extends object>(
  fields: { readonly [K in keyof T]-?: Parser<T[K]> },
): Parser<Partial<T>> {
  return (value, spot) => {
    if (value !== null && !isMapping(value)) return refuse(spot, 'a mapping', value)
    const parsers = new Map(
      Object.entries<Parser<unknown>>(fields).map(([field, parser]) => [spot.key(field), { field, parser }]),
    )
    const found: [string, unknown][] = []
    for (const [name, inner] of Object.entries(value ?? {})) {
      const known = parsers.get(name)
      if (known === undefined) {
        const message = `unknown key; ${list([...parsers.keys()], 'and')} are known here`
        spot.report({ path: at(spot, name).path, message, atKey: true })
      } else if (inner !== undefined) {
        const parsed = known.parser(inner, at(spot, name))
        if (parsed !== undefined) found.push([known.field, parsed])
      }
    }
    return Object.fromEntries(found) as Partial<T>
  }
}

/** An object without a prototype, so that a name such as `constructor` finds nothing by accident. */
export function dictionary<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  const result: Record<string, T> = Object.create(null)
  for (const [name, value] of entries) result[name] = value
  return result
}

function at(spot: Spot, step: string | number): Spot {
  return { ...spot, path: [...spot.path, step] }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** Says what was expected. Texts are not repeated: one of them may be a key in the wrong place. */
function refuse(spot: Spot, expected: string, value: unknown): undefined {
  spot.report({ path: spot.path, message: `expected ${expected}, not ${kind(value)}` })
  return undefined
}

function kind(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return value === '' ? 'an empty text' : 'this text'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`
  return typeof value === 'object' ? 'a mapping' : `a ${typeof value}`
}

function list(words: readonly string[], joint: 'and' | 'or'): string {
  return words.length < 2
    ? words.join('')
    : `${words.slice(0, -1).join(', ')} ${joint} ${words[words.length - 1]}`
}
