import type { JsonReader } from '../domain/json-reader.js'
import { Collector } from './collector.js'
import { readObject } from './contents.js'
import type { Importer } from './draft.js'
import { readEpoch, readLogin } from './login.js'
import { joinPath } from './places.js'

/** Qwen Code's login. Its tokens are valid at the address that came with them, not at DashScope's. */
export const qwenCode: Importer = {
  name: 'qwen-code',
  label: 'Qwen Code',
  defaultPaths: (home, _env, platform) => [joinPath(platform, home, '.qwen', 'oauth_creds.json')],
  parse: (contents, { takeOver }) => {
    const file = readObject(contents)
    const login = {
      provider: 'qwen',
      name: 'qwen-code',
      accessToken: file.optionalText('access_token'),
      refreshToken: file.optionalText('refresh_token'),
      idToken: file.optionalText('id_token'),
      expiresAt: readEpoch(file, 'expiry_date'),
      baseUrl: resourceUrl(file),
      source: 'qwen-code',
    }
    const found = new Collector()
    found.take('qwen:qwen-code', readLogin(login, takeOver))
    return found.result()
  },
}

/** `portal.qwen.ai` and `https://portal.qwen.ai/v1` are the same address to the tool. */
function resourceUrl(file: JsonReader): string | undefined {
  const text = file.optionalText('resource_url')
  if (text === undefined) return undefined
  const address = /^https?:\/\//i.test(text) ? text : `https://${text}`
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') {
    throw file.wrong('resource_url', 'an https address')
  }
  const path = url.pathname.replace(/\/$/, '')
  return `${url.origin}${path.endsWith('/v1') ? path : `${path}/v1`}`
}
