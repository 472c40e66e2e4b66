import { ERROR_CODES, KeymuxError, NoUsableProfileError } from '../../domain/errors.js'
import { printable, printableJson } from '../../domain/printable.js'
import { redactSecrets } from '../../domain/redact.js'
import { formatTime } from '../../domain/rfc3339.js'

/** An error as it is shown. */
export interface ErrorReport {
  readonly exitCode: number
  /** `keymux: what: hint`, without a line feed. */
  readonly line: string
  /** `{"error":{…}}`, without a line feed. */
  readonly json: string
}

// A message that repeats an answer's body can be huge: enough is looked at to tell, and enough of it shown.
const LOOKED_AT = 65_536
const LONGEST = 2_000

/**
 * What keymux itself calls records and files by in errors of the vault and of its storage: hashes, which say nothing,
 * and without which nobody can tell what is meant.
 */
const OWN_NAME =
  /((?<=\brecord )[a-z]{1,20}\/[0-9a-f]{32}\b|(?<=[-/])(?:locks|pins|gateways|spill)\/[0-9a-f]{32}\b)/
const OF_VAULT = /^(?:vault|storage)_|^unsafe_permissions$/

/** Turns anything thrown into what people and programs are shown. Never a stack, never a secret. */
export function reportError(error: unknown): ErrorReport {
  const known = error instanceof KeymuxError ? error : unexpected(error)
  const own = OF_VAULT.test(known.code) ? OWN_NAME : undefined
  const message = clean(known.message, own)
  const hint = known.hint === undefined ? undefined : clean(known.hint, own)
  const fields = {
    code: known.code,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(known instanceof NoUsableProfileError ? unusableFields(known) : {}),
  }
  return {
    exitCode: ERROR_CODES[known.code],
    line: `keymux: ${message}${hint === undefined ? '' : `: ${hint}`}`,
    json: printableJson(JSON.stringify({ error: fields })),
  }
}

/** An error of the caller's making. */
export function usageError(message: string, hint?: string): KeymuxError {
  return new KeymuxError('usage', message, hint === undefined ? {} : { hint })
}

/** What a file that cannot be read or written means. Gives other errors back as they are. */
export function fileError(error: unknown, path: string, doing: 'read' | 'written'): unknown {
  const code = systemCode(error)
  if (code === undefined) return error
  if (code === 'ENOENT') return new KeymuxError('file_not_found', `there is no ${path}`, { cause: error })
  if (code === 'EEXIST') return new KeymuxError('file_exists', `${path} exists already`, { cause: error })
  return new KeymuxError('storage_unavailable', `${path} cannot be ${doing} (${code})`, { cause: error })
}

function unusableFields(error: NoUsableProfileError): Record<string, unknown> {
  return {
    provider: error.provider,
    attempted_profiles: error.attemptedProfiles,
    ...(error.retryAt === undefined ? {} : { retry_at: formatTime(error.retryAt) }),
    reasons: error.reasons.map(({ profileId, state, reason, until }) => ({
      profile_id: profileId,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(until === undefined ? {} : { until: formatTime(until) }),
    })),
  }
}

function unexpected(error: unknown): KeymuxError {
  const what = error instanceof Error ? error.message : typeof error === 'string' ? error : ''
  return new KeymuxError('internal_error', `internal error: ${what === '' ? 'unknown' : what}`, {
    hint: 'set KEYMUX_DEBUG=1 to see where',
    cause: error,
  })
}

function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** One line without secrets, whatever was in it. */
function clean(text: string, own: RegExp | undefined): string {
  const looked = text.slice(0, LOOKED_AT)
  // Splitting by a group keeps what it matched, at every second place.
  const parts = own === undefined ? [looked] : looked.split(own)
  const flat = parts
    .map((part, at) => (at % 2 === 1 ? part : redactSecrets(part)))
    .join('')
    .replace(/\s*[\r\n]+\s*/g, ' ')
    .trim()
  return printable(flat.length > LONGEST ? `${flat.slice(0, LONGEST)}…` : flat)
}
