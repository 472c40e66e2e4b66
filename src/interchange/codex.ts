import type { JsonReader } from '../domain/json-reader.js'
import { Collector, type Reading } from './collector.js'
import { readObject } from './contents.js'
import type { Importer } from './draft.js'
import { readLogin } from './login.js'
import { folder, joinPath } from './places.js'

const ID = 'openai:codex'
const CHATGPT = 'https://chatgpt.com/backend-api/codex'

/** Codex: an API key, a ChatGPT login, or both. */
export const codex: Importer = {
  name: 'codex',
  label: 'Codex',
  defaultPaths: (home, env, platform) => [
    joinPath(platform, folder(env, 'CODEX_HOME', platform, home, '.codex'), 'auth.json'),
  ],
  parse: (contents, { takeOver }) => {
    const file = readObject(contents)
    const secret = file.optionalText('OPENAI_API_KEY')
    const tokens = file.section('tokens')
    const found = new Collector()
    if (secret !== undefined) {
      const draft = { provider: 'openai', name: 'codex', mode: 'api_key', secret, source: 'codex' } as const
      found.take(ID, { draft })
    }
    if (tokens !== undefined) found.take(ID, readTokens(tokens, takeOver))
    if (secret === undefined && tokens === undefined) {
      found.skip(ID, 'the file holds neither an API key nor a login')
    }
    return found.result()
  },
}

function readTokens(tokens: JsonReader, takeOver: boolean | undefined): Reading {
  const account = tokens.optionalText('account_id')
  const login = {
    provider: 'openai',
    name: 'codex',
    accessToken: tokens.optionalText('access_token'),
    refreshToken: tokens.optionalText('refresh_token'),
    idToken: tokens.optionalText('id_token'),
    account,
    // A ChatGPT login is no key of the API: Codex sends its requests there, and names the account in each.
    baseUrl: CHATGPT,
    headers: account === undefined ? undefined : { 'chatgpt-account-id': account },
    source: 'codex',
  }
  return readLogin(login, takeOver, 'codex-login')
}
