import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import { newProfileId, parseProfileName, parseProviderName, quote } from '../domain/ids.js'
import type { AuthMode, AuthProfile } from '../domain/profile.js'
import { AUTH_MODES, NO_KEY } from '../domain/profile.js'
import type { NewProfile } from '../domain/profiles.js'
import type { ProviderMetadata } from '../domain/provider.js'
import type { ProviderLookup } from '../domain/providers.js'
import { checkSecret } from '../domain/secret.js'
import { isOpenToAll } from '../oauth/open-login.js'
import { baseUrlMissing } from '../providers/base-url.js'
import { checkSettings, normalBaseUrl, normalHeaders, normalProxy } from './settings.js'

const MAX_TEXT = 1024
const REFERENCE = /^(vault|env|file|exec):\/\/(.+)$/s

/**
 * Checks what `add` was given and makes a profile of it. Where the provider needs no key, none has to be given.
 *
 * @throws KeymuxError `invalid_profile_id`, `unknown_provider`, `unsupported_mode`, `invalid_secret`,
 * `invalid_reference`, `invalid_value`
 */
export function buildProfile(input: NewProfile, providers: ProviderLookup, now: Date): AuthProfile {
  const provider = knownProvider(input.provider, providers)
  const name = parseProfileName(input.name === undefined || input.name === '' ? 'default' : input.name)
  const mode = input.mode ?? defaultMode(input, provider)
  const profile: AuthProfile = withoutUndefined({
    id: newProfileId(provider.name, name),
    provider: provider.name,
    name,
    mode,
    priority: input.priority ?? 0,
    enabled: input.enabled ?? true,
    createdAt: now,
    updatedAt: now,
    account: input.account,
    models: input.models,
    baseUrl: input.baseUrl === undefined ? undefined : normalBaseUrl(input.baseUrl),
    pool: input.pool,
    concurrency: input.concurrency,
    weight: input.weight,
    headers: input.headers === undefined ? undefined : normalHeaders(input.headers),
    proxy: input.proxy === undefined ? undefined : normalProxy(input.proxy),
    apiKey:
      mode === 'api_key'
        ? withoutUndefined({ key: keyOf(input, provider), keyRef: input.reference })
        : undefined,
    token:
      mode === 'token'
        ? withoutUndefined({ token: input.secret, tokenRef: input.reference, expiresAt: input.expiresAt })
        : undefined,
    oauth:
      mode === 'oauth' && input.oauth !== undefined
        ? { ...input.oauth, provider: provider.name, profileName: name }
        : undefined,
  })
  refuseMisplaced(input, mode)
  checkProfile(profile, providers)
  return profile
}

/** The key that was given; where none was and none is needed, what stands for it. */
function keyOf({ secret, reference }: NewProfile, { keyless }: ProviderMetadata): string | undefined {
  return secret ?? (keyless === true && reference === undefined ? NO_KEY : undefined)
}

/** A login with a client that was registered for it also stands where the provider's modes know of none. */
function supports(
  provider: ProviderMetadata,
  { mode, oauth }: AuthProfile,
  providers: ProviderLookup,
): boolean {
  if (providers.supportsMode(provider.name, mode)) return true
  return mode === 'oauth' && oauth?.clientId !== undefined && isOpenToAll(provider)
}

/**
 * Checks a whole profile before it is stored.
 *
 * @throws KeymuxError as {@link buildProfile}
 */
export function checkProfile(profile: AuthProfile, providers: ProviderLookup): void {
  const provider = knownProvider(profile.provider, providers)
  parseProfileName(profile.name)
  if (profile.id !== newProfileId(provider.name, profile.name)) {
    throw new KeymuxError(
      'invalid_profile_id',
      `${quote(profile.id)} is not ${provider.name}:${profile.name}`,
    )
  }
  if (!AUTH_MODES.includes(profile.mode) || !supports(provider, profile, providers)) {
    throw new KeymuxError('unsupported_mode', `${provider.name} does not support ${quote(profile.mode)}`, {
      hint: `use ${[...new Set([...provider.modes, 'token'])].join(', ')}`,
    })
  }
  if (provider.baseUrlExample !== undefined && (profile.baseUrl ?? provider.baseUrl) === undefined)
    throw baseUrlMissing(provider)
  checkCredential(profile)
  checkSettings(profile)
  checkTime('created_at', profile.createdAt)
  checkTime('updated_at', profile.updatedAt)
  if (profile.token?.expiresAt !== undefined) checkTime('expires_at', profile.token.expiresAt)
  if (profile.oauth !== undefined) checkTime('expires_at', profile.oauth.expiresAt)
}

/**
 * Checks a reference's form.
 *
 * @throws KeymuxError `invalid_reference`
 */
export function checkReference(reference: string): void {
  if (!reference.includes('://') && /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(reference)) return
  const match = REFERENCE.exec(reference)
  if (match === null || reference.length > MAX_TEXT * 4) {
    throw new KeymuxError('invalid_reference', `${quote(reference)} is not a reference keymux knows`, {
      hint: 'use vault://NAME, env://VAR, file:///absolute/path or, where the config allows it, exec://COMMAND',
    })
  }
}

function knownProvider(name: string, providers: ProviderLookup): ProviderMetadata {
  const provider = providers.get(parseProviderName(name))
  if (provider === undefined) {
    throw new KeymuxError('unknown_provider', `there is no provider ${quote(name)}`, {
      hint: 'see keymux providers, or declare it with keymux providers add FILE',
    })
  }
  return provider
}

function defaultMode(input: NewProfile, provider: ProviderMetadata): AuthMode {
  if (input.oauth !== undefined) return 'oauth'
  if (input.secret === undefined && input.reference === undefined) return provider.modes[0] ?? 'api_key'
  return provider.modes.includes('api_key') ? 'api_key' : 'token'
}

function refuseMisplaced(input: NewProfile, mode: AuthMode): void {
  if (mode === 'oauth' && (input.secret !== undefined || input.reference !== undefined)) {
    throw new KeymuxError('invalid_value', 'an OAuth profile takes no key', {
      hint: 'add it without one and run keymux login, or use --mode token',
    })
  }
  if (mode !== 'oauth' && input.oauth !== undefined) {
    throw new KeymuxError('invalid_value', `OAuth credentials do not belong to a profile of mode ${mode}`)
  }
  if (mode !== 'token' && input.expiresAt !== undefined) {
    throw new KeymuxError('invalid_value', 'only a token has an expiry of its own', {
      hint: 'use --mode token',
    })
  }
}

function checkCredential(profile: AuthProfile): void {
  const { mode, apiKey, token, oauth } = profile
  if (mode === 'oauth') {
    // A profile without credentials waits for its login.
    if (oauth === undefined) return
    if (oauth.accessToken !== '') checkSecret(oauth.accessToken)
    if (oauth.refreshToken !== '') checkSecret(oauth.refreshToken)
    if (oauth.clientSecretRef !== undefined) checkReference(oauth.clientSecretRef)
    return
  }
  const secret = mode === 'api_key' ? apiKey?.key : token?.token
  const reference = mode === 'api_key' ? apiKey?.keyRef : token?.tokenRef
  if (secret !== undefined && reference !== undefined) {
    throw new KeymuxError('invalid_secret', `${profile.id} has both a secret and a reference`, {
      hint: 'give one',
    })
  }
  if (reference !== undefined && reference !== '') checkReference(reference)
  else checkSecret(secret ?? '')
}

function checkTime(field: string, value: Date): void {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) {
    throw new KeymuxError('invalid_value', `${field} is not a time`)
  }
}
