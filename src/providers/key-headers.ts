import { builtinProviders } from './registry.js'
import { credentialHeader } from './request.js'

const places = Object.values(builtinProviders).map((provider) => credentialHeader(provider, 'api_key'))

/** The headers in which built-in providers take their keys, in lower case: clients of theirs send theirs there. */
export const KEY_HEADERS: ReadonlySet<string> = new Set(places.map(({ header }) => header))

/** The words that stand before a key in `Authorization`, in lower case. */
export const KEY_SCHEMES: ReadonlySet<string> = new Set(
  places.flatMap(({ header, prefix }) =>
    header === 'authorization' && prefix !== undefined ? [prefix.toLowerCase()] : [],
  ),
)
