import type { ProviderMetadata } from '../domain/provider.js'

/** First parts of the paths of OpenAI's API, and of those that others have beside them. */
const OPENAI_PATHS: readonly string[] = [
  'chat',
  'completions',
  'responses',
  'models',
  'embeddings',
  'audio',
  'images',
  'moderations',
  'files',
  'batches',
  'fim',
  'ocr',
  'agents',
  'conversations',
  'classifiers',
  'libraries',
  'fine_tuning',
  'fine_tunings',
]

const VERSION = '/v\\d+(?:(?:alpha|beta)\\d*)?'
const VERSION_AT_END = new RegExp(`${VERSION}$`)
const VERSION_INSIDE = new RegExp(`${VERSION}(?=/|$)`)
const OWN_PATHS = new WeakMap<ProviderMetadata, RegExp>()

/**
 * A path as it stands under a base URL of this provider, so that clients may have what both begin or end with in their
 * base URL or not: a prefix or a version that the base URL ends with does not stand there twice, and the prefix that it
 * lacks is put before the paths of the provider's API. Other paths are left as they are.
 *
 * @param base path of the base URL, without a trailing slash
 * @param path relative to it, without the query; empty or with a leading slash
 */
export function apiPath(provider: ProviderMetadata, base: string, path: string): string {
  const { apiPrefix, compatiblePath } = provider
  for (const prefix of [compatiblePath, apiPrefix]) {
    if (prefix !== undefined && base.endsWith(prefix) && begins(path, prefix))
      return path.slice(prefix.length)
  }
  const version = VERSION_AT_END.exec(base)?.[0]
  if (version !== undefined) return begins(path, version) ? path.slice(version.length) : path
  if (apiPrefix === undefined) return path
  return path.replace(ownPaths(provider, apiPrefix), base.endsWith(apiPrefix) ? '' : apiPrefix)
}

/** A path of OpenAI's API, with or without its `/v1`, as it is at another provider. */
export function compatiblePath({ compatiblePath: prefix = '' }: ProviderMetadata, path: string): string {
  return `${prefix}${path.replace(/^\/v1(?=[/?]|$)/, '')}`
}

function begins(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`)
}

/** Where a path of the API begins, with or without the version that its prefix has. */
function ownPaths(provider: ProviderMetadata, prefix: string): RegExp {
  const known = OWN_PATHS.get(provider)
  if (known !== undefined) return known
  const version = VERSION_INSIDE.exec(prefix)?.[0]
  const optional = version === undefined ? '' : `(?:${version})?`
  const names = (provider.apiPaths ?? OPENAI_PATHS).join('|')
  const made = new RegExp(`^${optional}(?=/(?:${names})(?:/|$))`)
  OWN_PATHS.set(provider, made)
  return made
}
