import { withoutUndefined } from '../domain/defined.js'
import type { HttpAnswer, Way } from './http.js'
import { sendOnce } from './http.js'
import type { TokenGrant } from './token-answer.js'
import { readFields, readGrant } from './token-answer.js'
import { tokenError } from './token-error.js'

/** The program that asks, as the authorization server knows it. */
export interface OAuthClient {
  readonly id: string
  readonly secret?: string
  /** How the secret travels: in the body, or as HTTP Basic (RFC 6749 section 2.3.1). Default `body`. */
  readonly secretIn?: 'body' | 'header'
}

/** A request to a token endpoint. */
export interface TokenRequest {
  readonly endpoint: string
  readonly client: OAuthClient
  readonly fields: Readonly<Record<string, string | undefined>>
  /** How the body is written. Default `form`. */
  readonly body?: 'form' | 'json'
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number
  /** A field that says how it stands in place of `error`. */
  readonly statusField?: string | undefined
  /** Straight there by default. */
  readonly way?: Way | undefined
  readonly now: () => Date
}

/**
 * Asks a token endpoint once. Whatever the status, an answer with an access token in it counts as one: a
 * rotated token must not be thrown away because a proxy on the way was unhappy.
 *
 * @throws OAuthError
 */
export async function requestToken(request: TokenRequest): Promise<TokenGrant> {
  const answer = await sendOnce(tokenMessage(request))
  const fields = readFields(answer)
  const now = request.now()
  const grant = isRedirect(answer) ? undefined : readGrant(fields, now, answer.headers.date)
  if (grant !== undefined) return grant
  const status = request.statusField === undefined ? undefined : fields[request.statusField]
  throw tokenError(answer, status === undefined ? fields : { error: status, ...fields }, now)
}

/** A request as it is sent, with the client's identity in the place the server wants. */
export function tokenMessage({
  endpoint,
  client,
  fields,
  body = 'form',
  signal,
  timeoutMs,
  way,
}: Omit<TokenRequest, 'now'>): Parameters<typeof sendOnce>[0] {
  const basic = client.secret !== undefined && client.secretIn === 'header'
  const all = withoutUndefined({
    ...fields,
    client_id: basic ? undefined : client.id,
    client_secret: basic ? undefined : client.secret,
  })
  return {
    method: 'POST',
    url: endpoint,
    headers: {
      'content-type': body === 'json' ? 'application/json' : 'application/x-www-form-urlencoded',
      ...(basic ? { authorization: basicHeader(client.id, client.secret ?? '') } : {}),
    },
    body: body === 'json' ? JSON.stringify(all) : new URLSearchParams(all).toString(),
    signal,
    way,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  }
}

function basicHeader(id: string, secret: string): string {
  // Both halves are form-encoded first (RFC 6749 section 2.3.1).
  const encode = (text: string): string => new URLSearchParams({ x: text }).toString().slice(2)
  return `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}`
}

function isRedirect({ status }: HttpAnswer): boolean {
  return status >= 300 && status < 400
}
