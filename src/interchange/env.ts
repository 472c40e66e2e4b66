import { DEFAULT_PROFILE_NAME } from '../domain/ids.js'
import type { AuthMode } from '../domain/profile.js'
import { Collector } from './collector.js'
import type { Environment, ImportResultDraft } from './draft.js'

/** What a variable holds: the key or token of a provider. */
export interface VariableMeaning {
  readonly provider: string
  readonly mode: Extract<AuthMode, 'api_key' | 'token'>
}

/** The variables that mean something, the preferred one of a provider first. */
export type VariableMeanings = ReadonlyMap<string, VariableMeaning>

/** A variable's value, or why there is none. */
export type VariableValue =
  | { readonly value: string }
  | { readonly skipped: string }
  | { readonly failed: string }

/**
 * The credentials among environment variables. Other variables are ignored, empty ones are skipped.
 *
 * @param profileName the profile's name; where it is taken already, the variable's name is used
 */
export function parseEnvironment(
  env: Environment,
  meanings: VariableMeanings,
  profileName: string = DEFAULT_PROFILE_NAME,
): ImportResultDraft {
  const values = new Map<string, VariableValue>()
  for (const name of meanings.keys()) {
    const value = Object.hasOwn(env, name) ? env[name] : undefined
    if (value !== undefined) values.set(name, { value: value.trim() })
  }
  return draftsOf(values, meanings, profileName, 'env')
}

/** Drafts of the variables that mean something, in the order of their meanings. */
export function draftsOf(
  values: ReadonlyMap<string, VariableValue>,
  meanings: VariableMeanings,
  profileName: string,
  source: string,
): ImportResultDraft {
  const found = new Collector()
  for (const [variable, { provider, mode }] of meanings) {
    const read = values.get(variable)
    if (read === undefined) continue
    if ('failed' in read) found.fail(variable, read.failed)
    else if ('skipped' in read) found.skip(variable, read.skipped)
    else if (read.value === '') found.skip(variable, 'it is empty')
    else {
      const draft = { provider, name: profileName, mode, secret: read.value, source }
      found.take(variable, { draft, otherwise: variable })
    }
  }
  return found.result()
}
