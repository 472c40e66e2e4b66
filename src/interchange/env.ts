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

/** The variables that hold base URLs, the preferred one of a provider first. */
export type AddressMeanings = ReadonlyMap<string, AddressMeaning>

/** Whose base URL a variable holds. */
export interface AddressMeaning {
  readonly provider: string
  /** The provider's own base URL. */
  readonly own?: string | undefined
}

const NO_ADDRESSES: AddressMeanings = new Map()

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
  addresses: AddressMeanings = NO_ADDRESSES,
): ImportResultDraft {
  const values = new Map<string, VariableValue>()
  for (const name of [...meanings.keys(), ...addresses.keys()]) {
    const value = Object.hasOwn(env, name) ? env[name] : undefined
    if (value !== undefined) values.set(name, { value: value.trim() })
  }
  return draftsOf(values, meanings, profileName, 'env', addresses)
}

/** Drafts of the variables that mean something, in the order of their meanings. */
export function draftsOf(
  values: ReadonlyMap<string, VariableValue>,
  meanings: VariableMeanings,
  profileName: string,
  source: string,
  addresses: AddressMeanings = NO_ADDRESSES,
): ImportResultDraft {
  const found = new Collector()
  const baseUrls = baseUrlsOf(values, addresses)
  for (const [variable, { provider, mode }] of meanings) {
    const read = values.get(variable)
    if (read === undefined) continue
    if ('failed' in read) found.fail(variable, read.failed)
    else if ('skipped' in read) found.skip(variable, read.skipped)
    else if (read.value === '') found.skip(variable, 'it is empty')
    else {
      const baseUrl = baseUrls.get(provider)
      if (baseUrl === null) {
        found.skip(variable, 'the base URL that goes with it cannot be read')
        continue
      }
      const draft = {
        provider,
        name: profileName,
        mode,
        secret: read.value,
        source,
        ...(baseUrl && { baseUrl }),
      }
      found.take(variable, { draft, otherwise: variable })
    }
  }
  return found.result()
}

/** The base URL that goes with the keys of a provider, which must not be shown to anybody else; `null` cannot be read. */
function baseUrlsOf(
  values: ReadonlyMap<string, VariableValue>,
  addresses: AddressMeanings,
): ReadonlyMap<string, string | null> {
  const found = new Map<string, string | null>()
  for (const [variable, { provider, own }] of addresses) {
    const read = values.get(variable)
    if (read === undefined || found.has(provider)) continue
    if (!('value' in read)) found.set(provider, null)
    // Programs differ in whether the version belongs to it: the provider's host is the provider.
    else if (read.value !== '' && (own === undefined || originOf(read.value) !== originOf(own))) {
      found.set(provider, read.value)
    }
  }
  return found
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url
}
