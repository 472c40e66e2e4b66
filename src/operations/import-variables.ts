import type { Providers } from '../domain/providers.js'
import type {
  AddressMeaning,
  AddressMeanings,
  VariableMeaning,
  VariableMeanings,
} from '../interchange/env.js'
import { addressEnvNames } from '../providers/request.js'

/** Which variables hold keys and tokens of which providers. */
export function meaningsOf(providers: Pick<Providers, 'list'>): VariableMeanings {
  const meanings = new Map<string, VariableMeaning>()
  const add = (variable: string | undefined, meaning: VariableMeaning): void => {
    if (variable !== undefined && !meanings.has(variable)) meanings.set(variable, meaning)
  }
  const all = providers.list()
  for (const { name, envKey, envAliases = [], directEnvKeys = [] } of all) {
    for (const variable of [envKey, ...envAliases, ...directEnvKeys])
      add(variable, { provider: name, mode: 'api_key' })
  }
  for (const { name, tokenEnvKey } of all) add(tokenEnvKey, { provider: name, mode: 'token' })
  return meanings
}

/** Which variables hold base URLs of which providers. */
export function addressesOf(providers: Pick<Providers, 'list'>): AddressMeanings {
  const addresses = new Map<string, AddressMeaning>()
  for (const provider of providers.list()) {
    const { name, baseUrl } = provider
    for (const variable of addressEnvNames(provider))
      addresses.set(variable, { provider: name, own: baseUrl })
  }
  return addresses
}
