/**
 * Validation that names the part of the request that is wrong says whose fault it is (Anthropic's `messages.1.content: …`,
 * Google's `Invalid JSON payload received`). Parts that depend on what an account may use are not among them.
 */
const NAMES_PART =
  /^(?:(?:messages|system|max_tokens|temperature|top_k|top_p|stop_sequences|stream|input|contents)\b[\w.[\]]{0,64}: |Invalid JSON payload received\b|Invalid value at ')/

/** Whether a message names the part of the request that is wrong. */
export function namesPart(message: string): boolean {
  return NAMES_PART.test(message)
}
