import { type JsonEntry, JsonReader } from '../domain/json-reader.js'
import { Collector, type Reading } from './collector.js'
import { readEntries } from './contents.js'
import type { Environment, Importer } from './draft.js'
import { copilotBaseUrl } from './hosts.js'
import { profileNameOr, readLogin } from './login.js'
import { folder, joinPath } from './places.js'

/**
 * GitHub Copilot's editor plug-ins: `apps.json`, keyed by `HOST:APP`, or the older `hosts.json`, keyed by
 * host. The tokens do not expire.
 */
export const copilot: Importer = {
  name: 'copilot',
  label: 'GitHub Copilot',
  defaultPaths: (home, env, platform) =>
    ['apps.json', 'hosts.json'].map((file) =>
      joinPath(platform, configFolder(home, env, platform), 'github-copilot', file),
    ),
  parse: (contents, { takeOver }) => {
    const found = new Collector()
    found.takeEach(readEntries(contents), (entry) => readApp(entry, takeOver))
    return found.result()
  },
}

function readApp({ key, value, path }: JsonEntry, takeOver: boolean | undefined): Reading {
  const fields = new JsonReader(value, path)
  const [host = '', app = ''] = key.split(':')
  const baseUrl = copilotBaseUrl(host, path)
  const user = profileNameOr(fields.optionalText('user'), 'copilot')
  const name = baseUrl === undefined ? user : profileNameOr(`${user}@${host}`, user)
  const login = {
    provider: 'github-copilot',
    name,
    named: true,
    accessToken: fields.optionalText('oauth_token'),
    refreshToken: fields.optionalText('refresh_token'),
    baseUrl,
    source: 'copilot',
  }
  return readLogin(login, takeOver, profileNameOr(`${name}-${app}`, name))
}

function configFolder(home: string, env: Environment, platform: string): string {
  return platform === 'win32'
    ? folder(env, 'LOCALAPPDATA', platform, home, 'AppData', 'Local')
    : folder(env, 'XDG_CONFIG_HOME', platform, home, '.config')
}
