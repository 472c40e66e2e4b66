import type { ProviderFamily } from '../domain/provider.js'
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

type Shape = Pick<OwnMessage, 'status' | 'type' | 'code'> & {
  /** The words by which clients know it. */
  readonly says: string
}

const QUOTA: Shape = {
  status: 429,
  type: 'insufficient_quota',
  code: 'insufficient_quota',
  says: 'You exceeded your current quota, please check your plan and billing details',
}

/** How each family says that an account is unpaid, as `keymux/testing` plays it. */
const UNPAID_BY_FAMILY: Readonly<Record<ProviderFamily, Shape>> = {
  openai: QUOTA,
  anthropic: {
    status: 400,
    type: 'invalid_request_error',
    code: 'keymux_no_usable_profile',
    says: 'Your credit balance is too low',
  },
  gemini: { status: 403, code: 'BILLING_DISABLED', says: 'This requires billing to be enabled' },
}

const PAYMENT_REQUIRED: Shape = { ...QUOTA, status: 402, says: 'Insufficient balance' }

/** Those of OpenAI's kind that have a status of their own for it. */
const UNPAID: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ...['groq', 'mistral', 'deepseek', 'openrouter', 'huggingface', 'minimax'].map(
    (name) => [name, PAYMENT_REQUIRED] as const,
  ),
  ['xai', { ...QUOTA, status: 403, says: 'Your team has used all available credits' }],
  [
    'qwen',
    {
      ...QUOTA,
      status: 400,
      type: 'Arrearage',
      code: 'Arrearage',
      says: 'Access denied: the account is in arrears',
    },
  ],
])

/**
 * What a client is told then: it must not ask again by itself, and a person must be able to see what to do.
 *
 * @param provider absent for a chain
 */
export function lastingMessage(
  kind: Lasting,
  {
    family,
    provider,
    what,
    hint,
  }: {
    readonly family: ProviderFamily
    readonly provider: string | undefined
    /** Whose accounts. */
    readonly what: string
    readonly hint: string
  },
): OwnMessage {
  if (kind === 'refused') {
    const message = `every account of ${what} is refused or needs a login (${hint})`
    return { status: 401, code: 'keymux_no_usable_profile', message }
  }
  const { says, ...shape } = UNPAID.get(provider ?? '') ?? UNPAID_BY_FAMILY[family]
  return { ...shape, message: `${says}: every account of ${what} is unpaid (${hint})` }
}
