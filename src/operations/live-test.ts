import type { OutgoingAnswer } from '../domain/egress.js'
import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import type { Keymux } from '../domain/keymux.js'
import { parseFlatJson } from '../domain/nesting.js'
import { redactKnown } from '../domain/redact.js'
import type { FailureReason, UnusableReason } from '../domain/usage.js'
import { explainResponse } from '../policy/classify-response.js'
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
  readonly reason?: UnusableReason
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
  {
    resolver,
    providers,
    profiles,
    config,
    egress,
  }: Pick<Keymux, 'resolver' | 'providers' | 'profiles' | 'config' | 'egress'>,
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
  let answer: OutgoingAnswer
  try {
    answer = await egress.send({ ...request, signal, timeoutMs: TIME_LIMIT_MS }, { provider, profileId: id })
  } catch (error) {
    signal.throwIfAborted()
    if (!isKeymuxError(error, 'provider_unreachable') && !isKeymuxError(error, 'proxy_failed')) throw error
    return { outcome: 'unreachable', reason: 'timeout', message: error.message }
  }
  const { status, headers } = answer
  const body = Buffer.from(answer.body).subarray(0, BODY_LIMIT)
  if (status >= 300 && status < 400)
    return { outcome: 'unreachable', status, message: 'it answered with a redirect' }
  const verdict = explainResponse({
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
  const { reason, retryAfterMs, certainty, decision } = verdict
  // Some providers repeat the key, and not every key looks like one.
  const message = redactKnown(verdict.message, [credential])
  const by = decision.by === 'words' || decision.by === 'status' ? decision.by : 'code'
  await profiles.reportFailure(id, reason, {
    signal,
    message,
    certainty,
    told: { by, status },
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

/** Cohere's check answers 200 with `{"valid": false}` for a key it does not know. */
function saysInvalid(body: Uint8Array): boolean {
  try {
    const answer: unknown = parseFlatJson(new TextDecoder().decode(body))
    return answer instanceof Object && 'valid' in answer && answer.valid === false
  } catch {
    return false
  }
}
