import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import type { ConfigProblem, Path } from './parsers.js'

/** Where something is in a configuration: in a file, or in an object. */
export type Locate = (path: Path, atKey: boolean) => string

/** A configuration that cannot be used, with everything that is wrong with it. Code `invalid_config`. */
export class ConfigError extends KeymuxError {
  override readonly name = 'ConfigError'
  /** One line each: where, and what was expected. */
  readonly problems: readonly string[]

  constructor(problems: readonly string[], options: { hint?: string; cause?: unknown } = {}) {
    const [first = 'the configuration cannot be used', ...others] = problems
    super('invalid_config', others.length === 0 ? first : `${first} (and ${others.length} more)`, options)
    this.problems = problems
  }
}

/** Throws when there are problems. */
export function refuseProblems(problems: readonly ConfigProblem[], locate: Locate): void {
  if (problems.length === 0) return
  throw new ConfigError(
    problems.map(({ path, message, atKey = false }) => `${locate(path, atKey)}: ${message}`),
  )
}

/** A path in the usual notation: `chains.fast[0]`. A key that is no plain word is quoted, and cut when long. */
export function showPath(path: Path): string {
  const steps = path.map((step, index) => {
    if (typeof step === 'number') return `[${step}]`
    const shown = /^[\w-]{1,64}$/.test(step) ? step : quote(step)
    return index === 0 ? shown : `.${shown}`
  })
  return steps.join('')
}
