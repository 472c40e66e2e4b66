import { type JsonEntry, JsonReader } from '../domain/json-reader.js'
import { Collector, type Reading } from './collector.js'
import { readEntries } from './contents.js'
import type { ImportContext, Importer } from './draft.js'
import { enterpriseBaseUrl } from './hosts.js'
import { readEpoch, readLogin } from './login.js'
import { folder, joinPath } from './places.js'
import { knownProvider, UNKNOWN_PROVIDER } from './provider-names.js'

/** opencode: keys and logins by provider. It keeps to the XDG folders on every platform. */
export const opencode: Importer = {
  name: 'opencode',
  label: 'opencode',
  defaultPaths: (home, env, platform) => {
    const data = folder(env, 'XDG_DATA_HOME', platform, home, '.local', 'share')
    return [joinPath(platform, data, 'opencode', 'auth.json')]
  },
  parse: (contents, context) => {
    const found = new Collector()
    found.takeEach(readEntries(contents), (entry) => readEntry(entry, context))
    return found.result()
  },
}

function readEntry({ key, value, path }: JsonEntry, context: ImportContext): Reading {
  const fields = new JsonReader(value, path)
  const type = fields.text('type')
  if (type === 'wellknown') {
    return { skipped: 'its token belongs to a server of its own, not to a provider' }
  }
  if (type !== 'api' && type !== 'oauth') return { skipped: 'it is neither an API key nor an OAuth login' }
  const provider = knownProvider(key, context)
  if (provider === undefined) return UNKNOWN_PROVIDER
  const common = { provider, name: 'opencode', source: 'opencode' }
  const otherwise = `opencode-${key}`
  if (type === 'api') {
    const secret = fields.optionalText('key')
    if (secret === undefined) return { skipped: 'it is empty' }
    return { draft: { ...common, mode: 'api_key', secret }, otherwise }
  }
  const login = {
    ...common,
    accessToken: fields.optionalText('access'),
    refreshToken: fields.optionalText('refresh'),
    expiresAt: readEpoch(fields, 'expires'),
    account: fields.optionalText('accountId'),
    baseUrl: enterpriseBaseUrl(fields),
  }
  return readLogin(login, context.takeOver, otherwise)
}
