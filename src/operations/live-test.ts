import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import type { Keymux } from '../domain/keymux.js'
import { parseFlatJson } from '../domain/nesting.js'
import type { FailureReason } from '../domain/usage.js'
import { classifyFailure } from '../policy/classify-message.js'
import { classifyResponse } from '../policy/classify-response.js'
import { failureSource } from '../policy/own-rules.js'
import { checkRequest } from '../providers/request.js'

/** What a provider said to a credential. */
export interface LiveResult {
  /**
   * `limited`: the credential cannot serve now, as the provider says, or as was known before (then there is no
   * `status`); `unrenewable`: it has expired, and there is no new one; `unreachable`: nothing was learnt.
   */
  readonly outcome: 'works' | 'limited' | 'refused' | 'unrenewable' | 'unreachable' | 'unsupported'
  readonly status?: number
  readonly reason?: FailureReason
  readonly message?: string
}

const TIME_LIMIT_MS = 15_000
const BODY_LIMIT = 64 * 1024
/** What says that the credential itself is refused. */
const REFUSALS: readonly FailureReason[] = ['auth', 'auth_permanent', 'session_expired', 'billing']

/**
 * How long a command waits for the renewal of a token that is still good, in milliseconds: it does not live long
 * enough to renew in the background, and the program that it starts may live longer than the token.
 */
export const RENEWAL_WAIT_MS = 3_000

/**
 * Asks the provider with its cheap check, and records the outcome as any other request's.
 *
 * @throws KeymuxError `reference_unresolved`, `profile_not_found`, `aborted`
 */
export async function askProvider(
  { resolver, providers, profiles, config }: Pick<Keymux, 'resolver' | 'providers' | 'profiles' | 'config'>,
  id: string,
  { signal, now }: { readonly signal: AbortSignal; readonly now: Date },
): Promise<LiveResult> {
  const [provider = '', name] = splitId(id)
  const metadata = providers.get(provider)
  const profile = await profiles.get(id, { signal })
  if (metadata === undefined || profile === undefined) {
    throw new KeymuxError('profile_not_found', `there is no profile "${id}"`)
  }
  const credential = await credentialOf({ resolver, profiles }, provider, name, id, signal)
  if (typeof credential !== 'string') return credential
  const request = checkRequest(metadata, profile.mode, credential, profile.baseUrl ?? metadata.baseUrl)
  if (request === undefined) return { outcome: 'unsupported' }
  let response: Response
  let body: Uint8Array
  try {
    response = await fetch(request.url, {
      method: request.method,
      headers: request.headers,
      ...(request.body === undefined ? {} : { body: request.body }),
      // A redirect would carry the credential to another host.
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIME_LIMIT_MS)]),
    })
    body = await readUpTo(response, BODY_LIMIT)
  } catch (error) {
    signal.throwIfAborted()
    return { outcome: 'unreachable', reason: classifyFailure(error), message: networkMessage(error) }
  }
  const { status, headers } = response
  if (status >= 300 && status < 400)
    return { outcome: 'unreachable', status, message: 'it answered with a redirect' }
  const verdict = classifyResponse({
    ...failureSource(provider, metadata, config.failureRules),
    status,
    headers,
    body,
    now,
  })
  if (verdict === undefined && saysInvalid(body)) {
    const message = 'the provider says that the key is not valid'
    await profiles.reportFailure(id, 'auth', { signal, message })
    return { outcome: 'refused', status, reason: 'auth', message }
  }
  if (verdict === undefined) {
    await profiles.markSuccess(id, { signal })
    return { outcome: 'works', status }
  }
  const { reason, message, retryAfterMs } = verdict
  await profiles.reportFailure(id, reason, {
    signal,
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
  return { outcome: REFUSALS.includes(reason) ? 'refused' : 'limited', status, reason, message }
}

/** The credential of exactly this profile, cooling or not: a test may ask about a profile at rest. */
async function credentialOf(
  { resolver, profiles }: Pick<Keymux, 'resolver' | 'profiles'>,
  provider: string,
  name: string | undefined,
  id: string,
  signal: AbortSignal,
): Promise<string | LiveResult> {
  try {
    const options = { strict: true, renewalWaitMs: RENEWAL_WAIT_MS, signal }
    return (await resolver.resolve(provider, name, options)).credential
  } catch (error) {
    if (!isKeymuxError(error, 'no_usable_profile')) throw error
    const { expired, state, renewal, unusableReason } = await profiles.view(id, { signal })
    if (expired && (renewal !== undefined || state === 'expired' || state === 'invalid')) {
      const reason = renewal?.reason ?? (state === 'invalid' ? 'session_expired' : undefined)
      const message = 'it has expired and could not be renewed'
      return { outcome: 'unrenewable', message, ...(reason === undefined ? {} : { reason }) }
    }
    return {
      outcome: 'limited',
      message: `${id} is set aside: reset it to ask the provider`,
      ...(unusableReason === undefined ? {} : { reason: unusableReason }),
    }
  }
}

function splitId(id: string): [string, string] {
  const colon = id.lastIndexOf(':')
  return [id.slice(0, colon), id.slice(colon + 1)]
}

async function readUpTo(response: Response, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  if (response.body === null) return new Uint8Array()
  for await (const chunk of response.body) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size >= limit) break
  }
  return Buffer.concat(chunks).subarray(0, limit)
}

function networkMessage(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError')
    return `no answer within ${TIME_LIMIT_MS / 1_000} s`
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'network error'
  return code
}

/** Cohere's check answers 200 with `{"valid": false}` for a key it does not know. */
function saysInvalid(body: Uint8Array): boolean {
  try {
    const answer: unknown = parseFlatJson(new TextDecoder().decode(body))
    return answer instanceof Object && 'valid' in answer && answer.valid === false
  } catch {
    return false
  }
}
