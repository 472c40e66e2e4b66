import { Collector } from './collector.js'
import { readObject } from './contents.js'
import type { Importer } from './draft.js'
import { readEpoch, readLogin } from './login.js'
import { folder, joinPath } from './places.js'

/** Claude Code's login. (On macOS it is kept in the keychain instead of the file.) */
export const claudeCode: Importer = {
  name: 'claude-code',
  label: 'Claude Code',
  defaultPaths: (home, env, platform) => [
    joinPath(platform, folder(env, 'CLAUDE_CONFIG_DIR', platform, home, '.claude'), '.credentials.json'),
  ],
  parse: (contents, { takeOver }) => {
    const file = readObject(contents)
    const fields = file.section('claudeAiOauth')
    if (fields === undefined) throw file.wrong('claudeAiOauth', 'an object')
    const login = {
      provider: 'anthropic',
      name: 'claude-code',
      accessToken: fields.optionalText('accessToken'),
      refreshToken: fields.optionalText('refreshToken'),
      expiresAt: readEpoch(fields, 'expiresAt'),
      scopes: fields.optionalTexts('scopes'),
      metadata: { subscription_type: fields.optionalText('subscriptionType') },
      source: 'claude-code',
    }
    const found = new Collector()
    found.take('anthropic:claude-code', readLogin(login, takeOver))
    return found.result()
  },
}
