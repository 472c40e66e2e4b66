import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'

/** How keys are written where a provider is declared: `baseUrl` in code, `base_url` in files. */
export type Spelling = 'camel' | 'snake'

/** Reads one value, or throws what {@link Place.fail} gives. */
export type Read<T> = (value: unknown, at: Place) => T

/** What is wrong with a provider's declaration, and where in it. Code `invalid_provider`. */
export class InvalidDeclarationError extends KeymuxError {
  /** The keys that lead there, as the declaration writes them; empty for the declaration itself. */
  readonly path: readonly string[]

  constructor(path: readonly string[], message: string, hint: string | undefined) {
    super('invalid_provider', message, hint === undefined ? {} : { hint })
    this.path = path
  }
}

/** A spot inside a provider's declaration: reads values there and names the spot in errors. */
export class Place {
  readonly #provider: string
  readonly #spelling: Spelling
  readonly #path: readonly string[]

  constructor(provider: string, spelling: Spelling, path: readonly string[] = []) {
    this.#provider = provider
    this.#spelling = spelling
    this.#path = path
  }

  /** The error that says what was expected here. The value itself is never repeated: it may be a secret. */
  fail(expected: string, hint?: string): KeymuxError {
    const subject = this.#path.length === 0 ? 'its declaration' : this.#path.join('.')
    const message = `provider ${quote(this.#provider)}: ${subject} must be ${expected}`
    return new InvalidDeclarationError(this.#path, message, hint)
  }

  /** The spot one key further down. `key` is in camelCase. */
  child(key: string): Place {
    return new Place(this.#provider, this.#spelling, [...this.#path, this.spell(key)])
  }

  /** A key as this declaration writes it. */
  spell(key: string): string {
    return this.#spelling === 'camel' ? key : key.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
  }

  /** The fields of an object with these (camelCase) keys and no others. */
  object<Key extends string>(value: unknown, keys: readonly Key[]): Fields<Key> {
    const names = keys.map((key) => this.spell(key))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.fail(`an object with ${names.join(', ')}`)
    }
    const unknown = Object.keys(value).find((name) => !names.includes(name))
    if (unknown !== undefined) {
      const where = this.#path.length === 0 ? '' : `${this.#path.join('.')}: `
      throw new InvalidDeclarationError(
        [...this.#path, unknown],
        `provider ${quote(this.#provider)}: ${where}unknown key ${quote(unknown)}`,
        `use ${names.join(', ')}`,
      )
    }
    return new Fields<Key>(this, new Map(Object.entries(value)))
  }
}

/** The fields of one object. An absent field and an undefined one are the same. */
export class Fields<Key extends string> {
  readonly #place: Place
  readonly #values: ReadonlyMap<string, unknown>

  constructor(place: Place, values: ReadonlyMap<string, unknown>) {
    this.#place = place
    this.#values = values
  }

  has(key: Key): boolean {
    return this.#values.get(this.#place.spell(key)) !== undefined
  }

  optional<T>(key: Key, read: Read<T>): T | undefined {
    const value = this.#values.get(this.#place.spell(key))
    return value === undefined ? undefined : read(value, this.#place.child(key))
  }

  required<T>(key: Key, read: Read<T>): T {
    return read(this.#values.get(this.#place.spell(key)), this.#place.child(key))
  }
}
