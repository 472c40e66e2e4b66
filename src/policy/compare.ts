import type { ResponseVerdict } from './classify-response.js'
import { namesPart } from './names-part.js'

/*
 * A refusal of which nothing is known for sure may lie in the request or in the account. One other account tells: where
 * it refuses in the same way the request is at fault, where it serves the account was.
 */

/** How long a refusal that two accounts agreed on is remembered: 10 min, in milliseconds. */
export const REFUSAL_KEPT_MS = 600_000
/** So many of the refusals that are remembered are put to a second account all the same: one in ten. */
export const ASKED_ALL_THE_SAME = 0.1

/** Statuses that refuse a request without saying whose fault that is. */
const REFUSALS: ReadonlySet<number> = new Set([400, 403, 404, 413, 422])

/**
 * Paths of known dialects on which a model answers or embeds. Counting tokens is neither, and costs nothing to ask again.
 */
const COMPARED_PATHS =
  /\/(?:chat\/completions|completions|responses|messages|embeddings)(?:\?|$)|:(?:generateContent|streamGenerateContent|embedContent|batchEmbedContents)(?:\?|$)/

/** Whether a verdict leaves open whose fault it is. A request that is too large is, unless its status alone says so. */
export function isOpenRefusal(
  { reason, scope, certainty, message }: Omit<ResponseVerdict, 'retryAfterMs'>,
  status: number,
): boolean {
  if (scope !== 'request' || certainty !== 'presumed' || !REFUSALS.has(status)) return false
  if (namesPart(message)) return false
  return reason === 'format' || reason === 'unknown' || (reason === 'context_overflow' && status === 413)
}

/** Whether a request of this path may be put to a second account. */
export function isComparedPath(path: string): boolean {
  return COMPARED_PATHS.test(path)
}
