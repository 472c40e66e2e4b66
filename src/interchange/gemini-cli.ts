import { Collector } from './collector.js'
import { readObject } from './contents.js'
import type { FileContents, Importer } from './draft.js'
import { readEpoch, readLogin } from './login.js'
import { folder, joinPath } from './places.js'

const ACCOUNTS = 'google_accounts.json'

/** Gemini CLI's Google login; the file beside it names the account. */
export const geminiCli: Importer = {
  name: 'gemini-cli',
  label: 'Gemini CLI',
  companions: [ACCOUNTS],
  defaultPaths: (home, env, platform) => [
    joinPath(platform, folder(env, 'GEMINI_CLI_HOME', platform, home), '.gemini', 'oauth_creds.json'),
  ],
  parse: (contents, { takeOver, companions }) => {
    const file = readObject(contents)
    const login = {
      provider: 'gemini',
      name: 'gemini-cli',
      accessToken: file.optionalText('access_token'),
      refreshToken: file.optionalText('refresh_token'),
      idToken: file.optionalText('id_token'),
      expiresAt: readEpoch(file, 'expiry_date'),
      email: activeAccount(companions?.[ACCOUNTS]),
      scopes: scopesOf(file.optionalText('scope')),
      source: 'gemini-cli',
    }
    const found = new Collector()
    found.take('gemini:gemini-cli', readLogin(login, takeOver))
    return found.result()
  },
}

/** The scopes of a space-delimited list (RFC 6749 section 3.3). */
function scopesOf(scope: string | undefined): string[] | undefined {
  const scopes = scope?.split(' ').filter((one) => one !== '')
  return scopes?.length === 0 ? undefined : scopes
}

function activeAccount(accounts: FileContents | undefined): string | undefined {
  return accounts === undefined ? undefined : readObject(accounts).optionalText('active')
}
