import { KeymuxError } from '../../domain/errors.js'
import { quote } from '../../domain/ids.js'
import type { Parameters } from './parameters.js'

/** Smallest and largest value allowed, both included. */
export interface Range {
  readonly min?: number
  readonly max?: number
}

/** What a command was given, by the names of its own spec. Asking for an undeclared name is a bug and throws. */
export class CommandInput {
  readonly #spec: Parameters
  readonly #arguments: readonly unknown[]
  readonly #options: Readonly<Record<string, unknown>>

  /** `options` by long name without the dashes: `from-env`, and `browser` for `--no-browser`. */
  constructor(spec: Parameters, args: readonly unknown[], options: Readonly<Record<string, unknown>>) {
    this.#spec = spec
    this.#arguments = args
    this.#options = options
  }

  /** A required argument. */
  argument(name: string): string {
    const value = this.optionalArgument(name)
    if (value === undefined) throw new Error(`argument ${name} is optional`)
    return value
  }

  /** An argument that may be missing. */
  optionalArgument(name: string): string | undefined {
    const value = this.#arguments[this.#position(name)]
    return typeof value === 'string' ? value : undefined
  }

  /** Every value of a variadic argument. */
  variadic(name: string): readonly string[] {
    const value = this.#arguments[this.#position(name)]
    return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
  }

  /** Whether `--NAME` was given; for `no-NAME`, whether that was. */
  flag(name: string): boolean {
    this.#declared(name)
    return name.startsWith('no-') ? this.#options[name.slice(3)] === false : this.#options[name] === true
  }

  /** The value of `--NAME`. */
  text(name: string): string | undefined {
    this.#declared(name)
    const value = this.#options[name]
    return typeof value === 'string' ? value : undefined
  }

  /** Every value of a repeatable `--NAME`. */
  texts(name: string): readonly string[] {
    this.#declared(name)
    const value = this.#options[name]
    return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
  }

  /**
   * The value of `--NAME`, a whole number.
   *
   * @throws KeymuxError `invalid_value`
   */
  integer(name: string, range: Range = {}): number | undefined {
    const text = this.text(name)
    return text === undefined ? undefined : parseInteger(`--${name}`, text, range)
  }

  #position(name: string): number {
    const position = this.#spec.arguments?.findIndex((argument) => argument.name === name) ?? -1
    if (position < 0) throw new Error(`argument ${name} is not declared`)
    return position
  }

  #declared(name: string): void {
    const known = this.#spec.options?.some((option) => longFlag(option.flags) === `--${name}`)
    if (known !== true) throw new Error(`option --${name} is not declared`)
  }
}

/** The long flag of an option's flags: `--quiet` of `-q, --quiet`. */
export function longFlag(flags: string): string {
  return /--[a-z][a-z0-9-]*/.exec(flags)?.[0] ?? flags
}

/** Whether the option takes a value. */
export function takesValue(flags: string): boolean {
  return flags.includes('<')
}

/**
 * A whole number, decimal.
 *
 * @throws KeymuxError `invalid_value`
 */
export function parseInteger(what: string, text: string, range: Range = {}): number {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = range
  const value = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  const limits =
    range.min === undefined && range.max === undefined
      ? ''
      : ` ${range.max === undefined ? `of at least ${min}` : `between ${min} and ${max}`}`
  throw new KeymuxError('invalid_value', `${what} wants a whole number${limits}, not ${quote(text)}`)
}
