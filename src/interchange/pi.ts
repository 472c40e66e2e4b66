import { type JsonEntry, JsonReader } from '../domain/json-reader.js'
import { Collector, type Reading } from './collector.js'
import { readEntries } from './contents.js'
import type { ImportContext, Importer } from './draft.js'
import { enterpriseBaseUrl } from './hosts.js'
import { readEpoch, readLogin } from './login.js'
import { folder, joinPath } from './places.js'
import { knownProvider, UNKNOWN_PROVIDER } from './provider-names.js'
import { variableNamed } from './variables.js'

/** The pi coding agent: keys and logins by provider. */
export const pi: Importer = {
  name: 'pi',
  label: 'pi',
  defaultPaths: (home, env, platform) => [
    joinPath(platform, folder(env, 'PI_CODING_AGENT_DIR', platform, home, '.pi', 'agent'), 'auth.json'),
  ],
  parse: (contents, context) => {
    const found = new Collector()
    found.takeEach(readEntries(contents), (entry) => readEntry(entry, context))
    return found.result()
  },
}

function readEntry({ key, value, path }: JsonEntry, context: ImportContext): Reading {
  const fields = new JsonReader(value, path)
  const type = fields.text('type')
  if (type !== 'api_key' && type !== 'oauth') {
    return { skipped: 'it is neither an API key nor an OAuth login' }
  }
  const provider = knownProvider(key, context)
  if (provider === undefined) return UNKNOWN_PROVIDER
  const common = { provider, name: 'pi', source: 'pi' }
  const otherwise = `pi-${key}`
  if (type === 'api_key') {
    const secret = readKey(fields.optionalText('key'))
    if ('skipped' in secret) return secret
    return { draft: { ...common, mode: 'api_key', ...secret }, otherwise }
  }
  const login = {
    ...common,
    accessToken: fields.optionalText('access'),
    refreshToken: fields.optionalText('refresh'),
    expiresAt: readEpoch(fields, 'expires'),
    email: fields.optionalText('email'),
    account: fields.optionalText('accountId'),
    metadata: { project_id: fields.optionalText('projectId') },
    baseUrl: enterpriseBaseUrl(fields),
  }
  return readLogin(login, context.takeOver, otherwise)
}

/** A key is a command (`!pass show x`), a variable's name, or the key itself. */
function readKey(
  key: string | undefined,
): { readonly secret: string } | { readonly reference: string } | { readonly skipped: string } {
  if (key === undefined) return { skipped: 'it is empty' }
  if (key.startsWith('!')) return { skipped: 'its key is the output of a command, which is not run' }
  const variable = variableNamed(key)
  return variable === undefined ? { secret: key } : { reference: `env://${variable}` }
}
