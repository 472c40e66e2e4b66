import type { ProviderFamily, UnpaidAnswer } from '../domain/provider.js'
import type { OwnMessage } from './own-answer.js'

/** Why no account can serve, where waiting does not mend it: each was refused, or each is unpaid. */
export type Lasting = 'refused' | 'unpaid'

/** A candidate as far as it matters here. */
interface Candidate {
  readonly state: string
  /** The failure behind its state, or what the request met. */
  readonly reason: string
}

const REFUSED: ReadonlySet<string> = new Set(['auth', 'auth_permanent', 'session_expired'])
/** A login that has ended, and a credential that is not there, are of no more use than one that was refused. */
const WITHOUT_CREDENTIAL: ReadonlySet<string> = new Set(['invalid', 'expired'])
/** Its owner keeps them out of this. */
const NOT_ASKED: ReadonlySet<string> = new Set(['off', 'not_allowed'])

/** What all candidates of a request have in common, where that lasts until a person does something. */
export function isLasting(candidates: readonly Candidate[]): Lasting | undefined {
  const asked = candidates.filter(({ state }) => !NOT_ASKED.has(state))
  if (asked.length === 0) return undefined
  if (asked.every(({ state, reason }) => WITHOUT_CREDENTIAL.has(state) || REFUSED.has(reason)))
    return 'refused'
  return asked.every(({ reason }) => reason === 'billing') ? 'unpaid' : undefined
}

const INSUFFICIENT_QUOTA = 'insufficient_quota'

const QUOTA: UnpaidAnswer = {
  status: 429,
  message: 'You exceeded your current quota, please check your plan and billing details',
}

/** How each family says that an account is unpaid, as `keymux/testing` plays it. */
const UNPAID: Readonly<Record<ProviderFamily, UnpaidAnswer>> = {
  openai: QUOTA,
  anthropic: {
    status: 400,
    type: 'invalid_request_error',
    code: 'keymux_no_usable_profile',
    message: 'Your credit balance is too low',
  },
  gemini: { status: 403, code: 'BILLING_DISABLED', message: 'This requires billing to be enabled' },
}

/**
 * What a client is told then: it must not ask again by itself, and a person must be able to see what to do.
 */
export function lastingMessage(
  kind: Lasting,
  {
    family,
    unpaid = UNPAID[family],
    what,
    hint,
  }: {
    readonly family: ProviderFamily
    /** How the provider says it, where that is not as its family does. */
    readonly unpaid: UnpaidAnswer | undefined
    /** Whose accounts. */
    readonly what: string
    readonly hint: string
  },
): OwnMessage {
  if (kind === 'refused') {
    const message = `every account of ${what} is refused or needs a login (${hint})`
    return { status: 401, code: 'keymux_no_usable_profile', message }
  }
  const { status, message, type = INSUFFICIENT_QUOTA, code = INSUFFICIENT_QUOTA } = unpaid
  return { status, type, code, message: `${message}: every account of ${what} is unpaid (${hint})` }
}
