import { type AuthorizationServer, validateAuthResponse } from 'oauth4webapi'
import { KeymuxError } from '../domain/errors.js'
import { sameIssuer } from './id-token.js'
import { isState } from './loopback.js'
import type { OAuthSettings } from './settings.js'

const LONGEST_PASTE = 8_192

/** The code of an authorization response that is right in every respect. */
export function checkedCode(
  settings: OAuthSettings,
  params: URLSearchParams,
  state: string | undefined,
): string {
  const error = params.get('error')
  if (state !== undefined) checkResponse(settings, params, state, error !== null)
  if (error !== null) throw authorizationError(error)
  const code = params.get('code')
  if (code === null || code === '' || code.length > LONGEST_PASTE)
    throw new KeymuxError('login_failed', 'the login ended without a code')
  return code
}

/** RFC 6749 section 4.1.2.1. */
function hintOf(code: string): string {
  if (code === 'invalid_scope') return 'check the scopes: those that are configured, or --scope'
  if (code === 'server_error' || code === 'temporarily_unavailable')
    return 'nothing was changed; the trouble is at the provider, try again later'
  return 'check the client id and its redirect address'
}

/** State and issuer (RFC 9207). An error's own words are left to the caller. */
function checkResponse(
  settings: OAuthSettings,
  params: URLSearchParams,
  state: string,
  isError: boolean,
): void {
  const iss = params.get('iss')
  if (iss === null && settings.namesIssuer && isState(params.get('state'), state)) throw unnamed()
  const issuer = iss !== null && isExpected(iss, settings) ? iss : (settings.issuer ?? 'urn:unknown')
  const server: AuthorizationServer = {
    issuer,
    authorization_response_iss_parameter_supported: settings.namesIssuer,
  }
  const checked = new URLSearchParams(params)
  if (isError) {
    checked.delete('error')
    checked.delete('error_description')
    checked.set('code', 'none')
  }
  try {
    validateAuthResponse(server, { client_id: settings.client.id }, checked, state)
  } catch {
    throw new KeymuxError('login_failed', 'the answer came from another authorization server', {
      hint: 'start again, and be wary: somebody may have mixed up two logins',
    })
  }
}

function isExpected(iss: string, settings: OAuthSettings): boolean {
  return settings.issuer === undefined ? isOfOrigin(iss, settings) : sameIssuer(iss, settings.issuer)
}

/** RFC 9207 section 2.4: who has said that he names himself has to. */
function unnamed(): KeymuxError {
  return new KeymuxError('login_failed', 'the answer does not say which authorization server it came from', {
    hint: 'start again; this server promises to say so, ask those who run it if it happens again',
  })
}

/** Without a configured issuer, one on the host of the authorization endpoint is believed. */
function isOfOrigin(iss: string, { authorizationEndpoint }: OAuthSettings): boolean {
  return URL.canParse(iss) && new URL(iss).origin === new URL(authorizationEndpoint ?? '').origin
}

function authorizationError(error: string): KeymuxError {
  if (error === 'access_denied') {
    return new KeymuxError('login_denied', 'the login was denied', { hint: 'nothing was changed' })
  }
  // A provider's words, or anybody's: a code is repeated, prose is not.
  const code = /^[a-z0-9_.-]{1,64}$/i.test(error) ? error : 'an error of its own'
  return new KeymuxError('login_failed', `the authorization server answered ${code}`, {
    hint: hintOf(code),
  })
}

/** The parameters of an address that somebody pasted, or of the part of it that matters. */
export function pastedParams(text: string): URLSearchParams | undefined {
  const line = text.trim()
  if (line === '' || line.length > LONGEST_PASTE) return undefined
  if (URL.canParse(line)) return new URL(line).searchParams
  return line.includes('=') ? new URLSearchParams(line.replace(/^[?#]/, '')) : undefined
}
