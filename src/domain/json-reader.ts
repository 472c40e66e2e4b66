import { KeymuxError } from './errors.js'
import { quote } from './ids.js'
import { MAX_NESTING, nestsDeeply } from './nesting.js'
import { parseTime } from './rfc3339.js'

/** A JSON value as keymux writes it. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject

/** A JSON object as keymux writes it. */
export interface JsonObject {
  readonly [name: string]: JsonValue
}

/** One entry of a JSON object that is a map. */
export interface JsonEntry {
  readonly key: string
  readonly value: unknown
  readonly path: string
}

/**
 * Reads the fields of one untrusted JSON object, strictly. Every problem is a KeymuxError
 * `invalid_import` that names the field and what was expected, and never shows a value. Fields nobody
 * asks for are ignored; `null` counts as absent, as in Go.
 */
export class JsonReader {
  readonly path: string
  readonly #object: object

  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw unexpected(path, 'an object')
    this.path = path
    this.#object = value
  }

  /** A text that must be there. */
  text(name: string): string {
    const value = this.#value(name)
    if (typeof value !== 'string') throw this.wrong(name, 'a text')
    return value
  }

  /** A text; the empty one counts as absent. */
  optionalText(name: string): string | undefined {
    const value = this.#value(name)
    return value === undefined || value === '' ? undefined : this.text(name)
  }

  flag(name: string): boolean {
    const value = this.#value(name)
    if (typeof value !== 'boolean') throw this.wrong(name, 'true or false')
    return value
  }

  optionalFlag(name: string): boolean | undefined {
    return this.#value(name) === undefined ? undefined : this.flag(name)
  }

  /** A whole number of at least `lowest` that a JavaScript number holds exactly. */
  integer(name: string, lowest: number): number {
    return readInteger(this.#value(name), this.#pathOf(name), lowest)
  }

  optionalInteger(name: string, lowest: number): number | undefined {
    return this.#value(name) === undefined ? undefined : this.integer(name, lowest)
  }

  time(name: string): Date {
    const value = this.#value(name)
    const time = typeof value === 'string' ? parseTime(value) : undefined
    if (time === undefined) throw this.wrong(name, 'an RFC 3339 time')
    return time
  }

  optionalTime(name: string): Date | undefined {
    return this.#value(name) === undefined ? undefined : this.time(name)
  }

  /** A list of texts; the empty one counts as absent. */
  optionalTexts(name: string): string[] | undefined {
    const value = this.#value(name)
    if (value === undefined) return undefined
    if (!Array.isArray(value)) throw this.wrong(name, 'a list of texts')
    const texts = Array.from(value, (item: unknown, index) => {
      if (typeof item !== 'string') throw unexpected(`${this.#pathOf(name)}[${index}]`, 'a text')
      return item
    })
    return texts.length === 0 ? undefined : texts
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.#value(name)
    const found = choices.find((choice) => choice === value)
    if (found === undefined) throw this.wrong(name, `one of ${choices.join(', ')}`)
    return found
  }

  optionalOneOf<T extends string>(name: string, choices: readonly T[]): T | undefined {
    return this.optionalText(name) === undefined ? undefined : this.oneOf(name, choices)
  }

  section(name: string): JsonReader | undefined {
    const value = this.#value(name)
    return value === undefined ? undefined : new JsonReader(value, this.#pathOf(name))
  }

  /** The entries of a field that is a map; none when it is absent. `__proto__` is no key. */
  entries(name: string): JsonEntry[] {
    const map = this.section(name)
    if (map === undefined) return []
    return Object.entries(map.#object).map(([key, value]) => {
      const path = `${map.path}[${quote(key)}]`
      if (key === '__proto__') throw unexpected(path, 'another key')
      return { key, value, path }
    })
  }

  /** The error for a field whose value is not what was expected. */
  wrong(name: string, expected: string): KeymuxError {
    return unexpected(this.#pathOf(name), expected)
  }

  #pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`
  }

  // Own fields alone: a value inherited from a tampered prototype is not part of the document.
  #value(name: string): unknown {
    const value: unknown =
      Object.getOwnPropertyDescriptor(this.#object, name) && Reflect.get(this.#object, name)
    return value === null ? undefined : value
  }
}

/** A whole number of at least `lowest`. @throws KeymuxError `invalid_import` */
export function readInteger(value: unknown, path: string, lowest: number): number {
  if (!Number.isSafeInteger(value) || Number(value) < lowest) {
    throw unexpected(path, lowest < 0 ? 'a whole number' : `a whole number of at least ${lowest}`)
  }
  return Number(value)
}

/** The error for a value at `path` that is not what was expected. */
export function unexpected(path: string, expected: string): KeymuxError {
  return new KeymuxError('invalid_import', `${path === '' ? 'the document' : path}: expected ${expected}`)
}

/**
 * Parses JSON text. The error says where it breaks off but quotes nothing of it: the text may hold secrets.
 *
 * @throws KeymuxError `invalid_import`
 */
export function parseJson(text: string): unknown {
  if (nestsDeeply(text)) {
    throw new KeymuxError('invalid_import', `this is nested deeper than ${MAX_NESTING} levels`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    const position = /at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(String(error))?.[1]
    const line = position === undefined ? undefined : text.slice(0, Number(position)).split('\n').length
    throw new KeymuxError(
      'invalid_import',
      `this is not JSON${line === undefined ? '' : `: it breaks off in line ${line}`}`,
    )
  }
}
