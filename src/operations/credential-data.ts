import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import { JsonReader, parseJson, unexpected } from '../domain/json-reader.js'
import type { AuthMode, AuthProfile } from '../domain/profile.js'
import { profileToJson } from '../domain/profile-codec.js'
import type { NewProfile } from '../domain/profiles.js'
import { looksLikeSecret } from '../domain/redact.js'
import { GO_ZERO_TIME_MS } from '../domain/rfc3339.js'
import { checkSecret } from '../domain/secret.js'
import { checkReference } from '../profiles/validate.js'
import { rawArgument } from './arguments.js'

/** The part of a new profile that authenticates. */
export type NewCredential = Pick<NewProfile, 'secret' | 'reference' | 'expiresAt' | 'oauth'>

// Room for two secrets of 1 MiB, every character of them escaped.
const LONGEST_DATA = 16 * 1024 * 1024
const CLIENT_SECRET_REFERENCE = 'client_secret_ref'
const SECRET_FIELDS = [
  'key',
  'key_ref',
  'token',
  'token_ref',
  'access_token',
  'refresh_token',
  CLIENT_SECRET_REFERENCE,
]

/**
 * Reads credential data as the original writes it: `{key|key_ref}`, `{token|token_ref, expires_at}`, or
 * `{access_token, refresh_token, expires_at, email, client_id, scopes, metadata}`. Other fields are ignored.
 *
 * @param data parsed, or as JSON text
 * @throws KeymuxError `invalid_import`, `invalid_secret`, `invalid_reference`; the message names the field
 */
export function readCredentialData(mode: AuthMode, data: unknown): NewCredential {
  const fields = new JsonReader(parsed(data), 'data')
  if (mode === 'api_key') return secretOrReference(fields, 'key', 'key_ref')
  if (mode === 'oauth') return { oauth: readOAuth(fields) }
  return withoutUndefined({
    ...secretOrReference(fields, 'token', 'token_ref'),
    expiresAt: fields.optionalTime('expires_at'),
  })
}

/**
 * A profile's credential as {@link readCredentialData} reads it; `undefined` when it has none. Where the secret of
 * its OAuth client is kept is left out: only a person may say that.
 */
export function writeCredentialData(profile: AuthProfile): object | undefined {
  const { api_key, token, oauth } = profileToJson(profile)
  const data = { api_key, token, oauth }[profile.mode]
  if (typeof data !== 'object' || data === null) return undefined
  return Object.fromEntries(Object.entries(data).filter(([name]) => name !== CLIENT_SECRET_REFERENCE))
}

/** Every text in credential data that must not be repeated. */
export function secretsInData(data: unknown): string[] {
  if (typeof data === 'string') return [data]
  const texts = SECRET_FIELDS.map((field) => rawArgument(data, field))
  return texts.filter((text) => typeof text === 'string')
}

function parsed(data: unknown): unknown {
  if (typeof data !== 'string') return data
  if (data.length > LONGEST_DATA) throw unexpected('data', `at most ${LONGEST_DATA} characters`)
  return inField('data', () => parseJson(data))
}

function secretOrReference(fields: JsonReader, secretField: string, referenceField: string): NewCredential {
  const secret = fields.optionalText(secretField)
  const reference = fields.optionalText(referenceField)
  if (secret !== undefined && reference !== undefined) {
    throw fields.wrong(referenceField, `nothing, because ${fields.path}.${secretField} is there`)
  }
  if (reference !== undefined) {
    // A key in this place would be shown wherever the profile is listed.
    if (looksLikeSecret(reference)) throw fields.wrong(referenceField, 'a reference, not the secret itself')
    inField(`${fields.path}.${referenceField}`, () => checkReference(reference))
    return { reference }
  }
  return { secret: secretText(fields, secretField, fields.text(secretField)) }
}

function readOAuth(fields: JsonReader): NonNullable<NewProfile['oauth']> {
  const accessToken = fields.optionalText('access_token')
  const refreshToken = fields.optionalText('refresh_token')
  if (accessToken === undefined && refreshToken === undefined) throw fields.wrong('access_token', 'a text')
  if (fields.optionalText(CLIENT_SECRET_REFERENCE) !== undefined) {
    throw fields.wrong(CLIENT_SECRET_REFERENCE, 'nothing, because only a person may name it: keymux login')
  }
  // Without a time nothing tells when to renew; what can be renewed is then renewed at first use.
  const expiresAt = refreshToken === undefined ? fields.time('expires_at') : fields.optionalTime('expires_at')
  return withoutUndefined({
    accessToken: secretText(fields, 'access_token', accessToken),
    refreshToken: secretText(fields, 'refresh_token', refreshToken),
    expiresAt: expiresAt ?? new Date(GO_ZERO_TIME_MS),
    email: fields.optionalText('email'),
    clientId: fields.optionalText('client_id'),
    scopes: fields.optionalTexts('scopes'),
    metadata: readMetadata(fields),
    loginNeeded: fields.optionalFlag('login_needed') || undefined,
  })
}

function readMetadata(fields: JsonReader): Record<string, string> | undefined {
  const entries = fields.entries('metadata').map(({ key, value, path }): [string, string] => {
    if (typeof value !== 'string') throw unexpected(path, 'a text')
    return [key, value]
  })
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

/** The text, checked; an absent one becomes empty. */
function secretText(fields: JsonReader, name: string, text: string | undefined): string {
  if (text === undefined) return ''
  inField(`${fields.path}.${name}`, () => checkSecret(text))
  return text
}

/** Runs a check; its error is told with the name of the field. */
function inField<T>(path: string, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!(error instanceof KeymuxError)) throw error
    throw new KeymuxError(error.code, `${path}: ${error.message}`, {
      hint: error.hint,
    })
  }
}
