import { type JsonReader, unexpected } from '../domain/json-reader.js'

const HOST = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/

/**
 * The address of GitHub Copilot for a login on a GitHub host: `https://copilot-api.HOST`, and none of its
 * own for github.com.
 *
 * @throws KeymuxError `invalid_import` for what is no host name
 */
export function copilotBaseUrl(host: string, path: string): string | undefined {
  const name = host
    .toLowerCase()
    .replace(/^https?:\/\//, '')
    .replace(/\/$/, '')
  if (!HOST.test(name)) throw unexpected(path, 'a host name')
  return name === 'github.com' ? undefined : `https://copilot-api.${name}`
}

/** {@link copilotBaseUrl} of the field `enterpriseUrl`, where there is one. */
export function enterpriseBaseUrl(fields: JsonReader): string | undefined {
  const host = fields.optionalText('enterpriseUrl')
  return host === undefined ? undefined : copilotBaseUrl(host, `${fields.path}.enterpriseUrl`)
}
