import type { OwnFailureRule } from '../../domain/failure-rule.js'
import type { FetchLike } from '../../domain/ports.js'
import type { AuthMode } from '../../domain/profile.js'
import type { ProviderMetadata } from '../../domain/provider.js'
import type { CheckAnswer } from '../../policy/check-answer.js'
import { checkRequest } from '../../providers/request.js'

/** Lists of models are long, and their beginning will do. */
const LONGEST_BODY = 256 * 1024

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
  readonly send: FetchLike
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
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), parts.timeLimitMs)
  try {
    return await answered(question, parts, AbortSignal.any([parts.signal, over.signal]))
  } catch {
    parts.signal.throwIfAborted()
    return undefined
  } finally {
    clearTimeout(timer)
  }
}

async function answered(
  { provider, mode, credential, baseUrl, headers = {} }: CheckQuestion,
  { send, now, rules }: AskParts,
  signal: AbortSignal,
): Promise<CheckAnswer | undefined> {
  const request = checkRequest(provider, mode, credential, baseUrl)
  if (request === undefined) return undefined
  const response = await send(request.url, {
    method: request.method,
    headers: { ...tokenHeaders(provider, mode, credential), ...headers, ...request.headers },
    ...(request.body === undefined ? {} : { body: request.body }),
    // A redirect would carry the credential to another host.
    redirect: 'manual',
    signal,
  })
  const { body, whole } = await beginningOf(response)
  const { name, family, failureFamily } = provider
  return {
    provider: name,
    family,
    failureFamily,
    status: response.status,
    headers: response.headers,
    body,
    whole,
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

async function beginningOf(response: Response): Promise<{ body: Uint8Array; whole: boolean }> {
  const chunks: Uint8Array[] = []
  let size = 0
  if (response.body !== null) {
    for await (const chunk of response.body) {
      chunks.push(chunk)
      size += chunk.byteLength
      // Leaving the loop cancels the rest.
      if (size > LONGEST_BODY) break
    }
  }
  return { body: Buffer.concat(chunks).subarray(0, LONGEST_BODY), whole: size <= LONGEST_BODY }
}
