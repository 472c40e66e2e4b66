import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import { parseProfileId } from '../domain/ids.js'
import type { JsonReader } from '../domain/json-reader.js'
import type { AuthMode } from '../domain/profile.js'
import { AUTH_MODES } from '../domain/profile.js'
import type { NewProfile } from '../domain/profiles.js'
import { looksLikeSecret } from '../domain/redact.js'
import { idText, optionalIdText, rawArgument } from './arguments.js'
import { secretsInData } from './credential-data.js'

/** Reads what `add` takes. */
export function readAdd(fields: JsonReader): { profile: NewProfile; replace: boolean } {
  const secrets = withoutUndefined({
    api_key: fields.optionalText('api_key'),
    token: fields.optionalText('token'),
  })
  const mode = addMode(fields, secrets)
  const profile = withoutUndefined({
    ...readName(fields),
    mode,
    secret: mode === 'oauth' ? undefined : secrets[mode],
    priority: fields.optionalInteger('priority', Number.MIN_SAFE_INTEGER),
    baseUrl: fields.optionalText('base_url'),
    account: fields.optionalText('account'),
    models: fields.optionalTexts('models'),
  })
  return { profile, replace: fields.optionalFlag('replace') ?? false }
}

/** The mode that is asked for, or follows from the secret; every other mode's secret is refused. */
function addMode(
  fields: JsonReader,
  secrets: { readonly api_key?: string; readonly token?: string },
): AuthMode {
  const given = fields.optionalOneOf('mode', AUTH_MODES)
  const there = (['api_key', 'token'] as const).filter((name) => secrets[name] !== undefined)
  const mode = given ?? there[0]
  if (mode === undefined) throw fields.wrong('mode', `one of ${AUTH_MODES.join(', ')}`)
  const misplaced = there.find((name) => name !== mode)
  if (misplaced !== undefined) throw fields.wrong(misplaced, `nothing, because the mode is ${mode}`)
  if (mode !== 'oauth' && secrets[mode] === undefined) {
    throw new KeymuxError('invalid_secret', `${mode}: expected a text, because the mode is ${mode}`)
  }
  return mode
}

function readName(fields: JsonReader): { provider: string; name?: string } {
  const name = optionalIdText(fields, 'name')
  // Names are shown everywhere.
  if (name !== undefined && looksLikeSecret(name)) throw fields.wrong('name', 'a name, not a secret')
  return withoutUndefined({ provider: idText(fields, 'provider'), name })
}

/** Reads the profile id. @throws KeymuxError `invalid_profile_id` */
export function readId(fields: JsonReader): string {
  return parseProfileId(idText(fields, 'profile_id')).id
}

/** Reads what `list` takes. */
export function readFilter(fields: JsonReader): { provider?: string; mode?: AuthMode; enabled?: boolean } {
  return withoutUndefined({
    provider: optionalIdText(fields, 'provider'),
    mode: fields.optionalOneOf('mode', AUTH_MODES),
    enabled: fields.optionalFlag('enabled'),
  })
}

/** Reads what `import` takes; the data itself is read once the mode is known. */
export function readImport(
  fields: JsonReader,
  args: unknown,
): { wanted: { provider: string; name?: string; mode: AuthMode }; data: unknown; replace: boolean } {
  return {
    wanted: { ...readName(fields), mode: fields.oneOf('mode', AUTH_MODES) },
    data: rawArgument(args, 'data'),
    replace: fields.optionalFlag('replace') ?? false,
  }
}

/** Secrets among any arguments, so that no message repeats them. */
export function secretsOf(args: unknown): string[] {
  try {
    const texts = ['api_key', 'token'].map((name) => rawArgument(args, name))
    return [...texts.filter((text) => typeof text === 'string'), ...secretsInData(rawArgument(args, 'data'))]
  } catch {
    return []
  }
}
