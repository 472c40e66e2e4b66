import { withoutUndefined } from '../domain/defined.js'
import type { ErrorCode } from '../domain/errors.js'
import { KeymuxError } from '../domain/errors.js'
import { printable } from '../domain/printable.js'
import { redactSecrets } from '../domain/redact.js'
import type { ToolOutcome } from '../domain/tools.js'

/** A result that says why nothing came of it. */
export interface ToolFailure extends ToolOutcome {
  readonly success: false
  readonly error: string
  readonly code: ErrorCode
}

// A foreign manager may put an answer's body into its error: enough is looked at to tell.
const LONGEST = 2_000

// What the command line would type, in the words of the tools.
const HINTS: Partial<Record<ErrorCode, string>> = {
  profile_exists: 'pass replace: true to overwrite it, or choose another name',
  aborted: 'call again',
}

/**
 * The failure for anything thrown: one sentence, its stable code, a hint.
 *
 * @param secrets texts that must not be repeated, besides everything that looks like a secret
 */
export function toolFailure(error: unknown, secrets: readonly string[], aborted: boolean): ToolFailure {
  const known = aborted ? new KeymuxError('aborted', 'the call was aborted') : asKeymuxError(error)
  const hint = HINTS[known.code] ?? known.hint
  return withoutUndefined({
    success: false as const,
    error: oneLine(known.message, secrets),
    code: known.code,
    hint: hint === undefined ? undefined : oneLine(hint, secrets),
  }) as ToolFailure
}

/** One line without secrets, whatever was in it. */
export function oneLine(text: string, secrets: readonly string[] = []): string {
  const clean = redactSecrets(text.slice(0, LONGEST), secrets)
  return printable(clean.replace(/\s*[\r\n]+\s*/g, ' ').trim())
}

function asKeymuxError(error: unknown): KeymuxError {
  if (error instanceof KeymuxError) return error
  const what = error instanceof Error && error.message !== '' ? error.message : 'unknown'
  return new KeymuxError('internal_error', `internal error: ${what}`)
}
