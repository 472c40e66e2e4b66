import type { Egress } from '../../domain/egress.js'
import type { OwnFailureRule } from '../../domain/failure-rule.js'
import type { AuthMode } from '../../domain/profile.js'
import type { ProviderMetadata } from '../../domain/provider.js'
import type { CheckAnswer } from '../../policy/check-answer.js'
import { checkRequest } from '../../providers/request.js'

/** What is asked. */
export interface CheckQuestion {
  readonly provider: ProviderMetadata
  readonly mode: AuthMode
  readonly credential: string
  readonly baseUrl: string | undefined
  /** Headers of the profile's own. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** How it is asked. */
export interface AskParts {
  readonly send: Egress['send']
  /** Whose question it is: decides on the proxy. */
  readonly profileId: string
  readonly timeLimitMs: number
  readonly now: () => Date
  readonly rules: readonly OwnFailureRule[]
  readonly signal: AbortSignal
}

/**
 * Asks a provider's cheap check. `undefined` where nothing was answered in time, or the question cannot be sent.
 *
 * @throws the signal's reason
 */
export async function askCheck(question: CheckQuestion, parts: AskParts): Promise<CheckAnswer | undefined> {
  try {
    return await answered(question, parts)
  } catch {
    parts.signal.throwIfAborted()
    return undefined
  }
}

async function answered(
  { provider, mode, credential, baseUrl, headers = {} }: CheckQuestion,
  { send, profileId, timeLimitMs, now, rules, signal }: AskParts,
): Promise<CheckAnswer | undefined> {
  const request = checkRequest(provider, mode, credential, baseUrl)
  if (request === undefined) return undefined
  const { name, family, failureFamily } = provider
  const sent = { ...tokenHeaders(provider, mode, credential), ...headers, ...request.headers }
  const answer = await send(
    { ...request, headers: sent, signal, timeoutMs: timeLimitMs },
    { provider: name, profileId },
  )
  return {
    provider: name,
    family,
    failureFamily,
    status: answer.status,
    headers: answer.headers,
    body: Buffer.from(answer.body),
    whole: answer.complete,
    now: now(),
    rules,
  }
}

function tokenHeaders(
  { tokenHeaders: byPrefix = {} }: ProviderMetadata,
  mode: AuthMode,
  credential: string,
): Readonly<Record<string, string>> {
  if (mode === 'api_key') return {}
  return Object.entries(byPrefix).find(([begin]) => credential.startsWith(begin))?.[1] ?? {}
}
