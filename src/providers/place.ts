import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'

/** How keys are written where a provider is declared: `baseUrl` in code, `base_url` in files. */
export type Spelling = 'camel' | 'snake'

/** Reads one value, or throws what {@link Place.fail} gives. */
export type Read<T> = (value: unknown, at: Place) => T

/** A declaration that cannot be used. Code `invalid_provider`. */
export class DeclarationError extends KeymuxError {
  override readonly name = 'DeclarationError'
  /** Where in it, in its own keys. */
  readonly path: readonly (string | number)[]

  constructor(message: string, path: readonly (string | number)[], hint?: string) {
    super('invalid_provider', message, hint === undefined ? {} : { hint })
    this.path = path
  }
}

/** A spot inside a provider's declaration: reads values there and names the spot in errors. */
export class Place {
  readonly #provider: string
  readonly #spelling: Spelling
  readonly #steps: readonly (string | number)[]

  constructor(provider: string, spelling: Spelling, steps: readonly (string | number)[] = []) {
    this.#provider = provider
    this.#spelling = spelling
    this.#steps = steps
  }

  get #path(): string {
    return this.#steps
      .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
      .join('')
      .slice(1)
  }

  /** The spot as messages name it. */
  describe(): string {
    return `provider ${quote(this.#provider)}: ${this.#path === '' ? 'its declaration' : this.#path}`
  }

  /** The error that says what was expected here. The value itself is never repeated: it may be a secret. */
  fail(expected: string, hint?: string): KeymuxError {
    return new DeclarationError(`${this.describe()} must be ${expected}`, this.#steps, hint)
  }

  /** The error that says what is wrong here. */
  refuse(message: string): KeymuxError {
    return new DeclarationError(`${this.describe()}: ${message}`, this.#steps)
  }

  /** The spot one key further down. `key` is in camelCase. */
  child(key: string): Place {
    return new Place(this.#provider, this.#spelling, [...this.#steps, this.spell(key)])
  }

  /** The spot of an element of a list. */
  item(index: number): Place {
    return new Place(this.#provider, this.#spelling, [...this.#steps, index])
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
      const where = this.#path === '' ? '' : `${this.#path}: `
      throw new DeclarationError(
        `provider ${quote(this.#provider)}: ${where}unknown key ${quote(unknown)}`,
        [...this.#steps, unknown],
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
