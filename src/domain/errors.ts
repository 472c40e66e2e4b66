/**
 * Every error code keymux can raise, and the exit status the command line gives it.
 *
 * Codes are part of the public contract: they are only ever added.
 */
export const ERROR_CODES = {
  // 1: something failed that no other status describes
  internal_error: 1,
  test_failed: 1,
  config_unreadable: 1,
  reference_unresolved: 1,
  refresh_failed: 1,
  login_failed: 1,
  login_denied: 1,
  login_expired: 1,
  provider_unreachable: 1,
  proxy_failed: 1,
  check_failed: 1,
  import_failed: 1,
  aborted: 1,
  output_failed: 1,
  reveal_refused: 1,
  endpoint_refused: 1,
  // 2: the caller asked for something malformed
  usage: 2,
  invalid_profile_id: 2,
  unknown_provider: 2,
  unsupported_mode: 2,
  invalid_secret: 2,
  secret_in_argv: 2,
  invalid_value: 2,
  unsupported_coding: 2,
  body_too_large: 2,
  invalid_config: 2,
  invalid_reference: 2,
  invalid_import: 2,
  invalid_provider: 2,
  foreign_host: 2,
  // 3: the vault is shut, or the key offered does not open it
  vault_locked: 3,
  wrong_passphrase: 3,
  wrong_key_file: 3,
  // 4: there is no such thing
  vault_not_found: 4,
  profile_not_found: 4,
  secret_not_found: 4,
  slot_not_found: 4,
  provider_not_found: 4,
  file_not_found: 4,
  gateway_not_found: 4,
  // 5: every candidate is unusable for now
  no_usable_profile: 5,
  // 6: the vault's bytes are not what keymux wrote last
  vault_corrupt: 6,
  vault_tampered: 6,
  vault_rolled_back: 6,
  // 7: it exists already, or somebody else changed it meanwhile
  vault_exists: 7,
  profile_exists: 7,
  provider_exists: 7,
  file_exists: 7,
  conflict: 7,
  last_slot: 7,
  // 8: the place where the vault lives does not cooperate
  storage_unavailable: 8,
  storage_full: 8,
  storage_read_only: 8,
  storage_busy: 8,
  unsafe_permissions: 8,
  vault_too_new: 8,
  vault_too_old: 8,
  // 126 and 127: what a shell answers for a program that cannot run, or is not there
  program_not_runnable: 126,
  program_not_found: 127,
  // 130: the person pressed Ctrl-C
  interrupted: 130,
} as const

/** A stable, machine-readable error code. */
export type ErrorCode = keyof typeof ERROR_CODES

/** What may accompany an error's sentence. */
export interface KeymuxErrorOptions {
  /** What the reader can do about it: one phrase, no trailing full stop. */
  readonly hint?: string | undefined
  /** The underlying failure, for debuggers. It must not carry a secret, a header or a body. */
  readonly cause?: unknown
}

/**
 * The base of every error keymux throws on purpose.
 *
 * `code` is stable and safe to branch on; `message` is for people and may change. Neither ever
 * contains a secret.
 */
export class KeymuxError extends Error {
  override readonly name: string = 'KeymuxError'
  readonly code: ErrorCode
  readonly hint?: string

  constructor(code: ErrorCode, message: string, options: KeymuxErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    if (options.hint !== undefined) this.hint = options.hint
  }

  /** The exit status of the command line for this error. */
  get exitCode(): number {
    return ERROR_CODES[this.code]
  }
}

/** Why one candidate could not be handed out. */
export interface CandidateReason {
  readonly profileId: string
  /** The profile's state: `cooling`, `disabled`, `off`, `expired`, `invalid`, or what failed when it was tried. */
  readonly state: string
  /** The failure reason behind a cooldown or disable, or an error code. */
  readonly reason?: string
  /** When the profile becomes usable by itself. */
  readonly until?: Date
}

/** No profile of the provider can be handed out now. Code `no_usable_profile`. */
export class NoUsableProfileError extends KeymuxError {
  override readonly name = 'NoUsableProfileError'
  readonly provider: string
  /** Every candidate that was looked at, in the order of choice. */
  readonly attemptedProfiles: readonly string[]
  /** The soonest instant at which one of them becomes usable by itself. */
  readonly retryAt?: Date
  readonly reasons: readonly CandidateReason[]
  /** The pool that the request stayed in; `null` is that of profiles without one. Absent where there are no pools. */
  readonly pool?: string | null

  constructor(
    provider: string,
    details: {
      readonly attemptedProfiles: readonly string[]
      readonly reasons: readonly CandidateReason[]
      readonly retryAt?: Date | undefined
      readonly pool?: string | null | undefined
    },
    message: string,
    options: KeymuxErrorOptions = {},
  ) {
    super('no_usable_profile', message, options)
    this.provider = provider
    this.attemptedProfiles = details.attemptedProfiles
    this.reasons = details.reasons
    if (details.retryAt !== undefined) this.retryAt = details.retryAt
    if (details.pool !== undefined) this.pool = details.pool
  }
}

/** Whether `error` is a {@link KeymuxError}, optionally one with the given code. */
export function isKeymuxError(error: unknown, code?: ErrorCode): error is KeymuxError {
  return error instanceof KeymuxError && (code === undefined || error.code === code)
}
