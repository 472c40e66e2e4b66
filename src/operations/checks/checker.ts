import { createHash } from 'node:crypto'
import type { Egress } from '../../domain/egress.js'
import type { OwnFailureRule } from '../../domain/failure-rule.js'
import type { HealthOutcome } from '../../domain/health.js'
import type { Logger, Random } from '../../domain/ports.js'
import type { AuthMode } from '../../domain/profile.js'
import type { ProviderMetadata } from '../../domain/provider.js'
import { type CheckAnswer, type CheckVerdict, readCheck, readProof } from '../../policy/check-answer.js'
import type { ProofState } from '../../policy/proofs.js'
import type { CheckClaim, CheckPlan, Checks, CheckTarget } from '../../profiles/checks.js'
import { checkRequest, credentialHeader } from '../../providers/request.js'
import { type AskParts, askCheck, type CheckQuestion } from './ask.js'
import { madeUpKey } from './made-up-key.js'

/** What a checker works with. */
export interface CheckerParts {
  readonly checks: Checks
  readonly provider: (name: string) => ProviderMetadata | undefined
  /** The credential of exactly this profile, an OAuth token renewed first where that is due. */
  readonly credentialOf: (id: string, signal: AbortSignal) => Promise<string>
  readonly send: Egress['send']
  readonly now: () => Date
  readonly random: Random
  readonly rules: (provider: ProviderMetadata) => readonly OwnFailureRule[]
  readonly logger?: Logger | undefined
}

/** How long an endpoint may take to answer, in milliseconds. */
const TIME_LIMIT_MS = 10_000

/** Makes single checks, as far as this process may. */
export class Checker {
  readonly #parts: CheckerParts

  constructor(parts: CheckerParts) {
    this.#parts = parts
  }

  /** Whether asking about a profile may come to something: not where its endpoint is known to answer anybody. */
  isWorthwhile(target: CheckTarget): boolean {
    const provider = this.#parts.provider(target.provider)
    const endpoint = provider && endpointOf(provider, target)
    if (endpoint === undefined) return false
    const known = this.#parts.checks.proofOf(endpoint)
    return known === 'refuses' || known === 'ask'
  }

  /**
   * Asks about a profile, unless another process does. `undefined` where it does, or none is due any more.
   *
   * @throws the signal's reason; KeymuxError `vault_locked`, storage errors
   */
  async check(target: CheckTarget, plan: CheckPlan, signal: AbortSignal): Promise<HealthOutcome | undefined> {
    const { checks } = this.#parts
    const provider = this.#parts.provider(target.provider)
    if (provider?.check === undefined) return undefined
    const { mode, baseUrl = provider.baseUrl, headers } = target
    const question = { provider, mode, baseUrl, headers }
    // First, so that a process that waits for the proof of another one takes no check upon itself in vain.
    const proof = await this.#prove(target.id, question, signal)
    if (proof !== 'refuses') return proof === 'wait' ? undefined : 'uncounted'
    const claim = await checks.claim(target.id, plan)
    if (claim === undefined) return undefined
    const credential = await this.#credential(claim.id, signal)
    if (credential === undefined) {
      await checks.record(claim, { said: 'unasked', by: byOf(provider) })
      return 'unasked'
    }
    return this.#ask({ ...question, credential }, checks.withPresentCredential(claim), plan, signal)
  }

  async #ask(
    question: CheckQuestion,
    claim: CheckClaim,
    plan: CheckPlan,
    signal: AbortSignal,
  ): Promise<HealthOutcome> {
    const { provider } = question
    const answer = await askCheck(question, this.#asking(provider, claim.id, signal))
    const { said, hasCredit, why } = answer === undefined ? SILENCE : readFor(question.mode, answer)
    const tellsCredit = plan(provider.name, claim.id)?.tellsCredit === true && hasCredit !== false
    const effect = await this.#parts.checks.record(claim, {
      said,
      hasCredit: tellsCredit,
      by: byOf(provider),
    })
    const outcome = said === 'unasked' ? 'unasked' : effect
    const fields = { profile: claim.id, check: byOf(provider), outcome, why }
    if (outcome === 'lifted' || outcome === 'confirmed') this.#parts.logger?.info('health.checked', fields)
    else this.#parts.logger?.debug('health.checked', fields)
    return outcome
  }

  /** Whether the endpoint tells keys from each other, which it is asked once in a while. */
  async #prove(
    id: string,
    question: Omit<CheckQuestion, 'credential'>,
    signal: AbortSignal,
  ): Promise<ProofState> {
    const { checks, random, logger } = this.#parts
    const { provider, baseUrl } = question
    const endpoint = endpointOf(provider, question)
    if (endpoint === undefined) return 'open'
    const known = checks.proofOf(endpoint)
    if (known !== 'ask') return known
    const shape = await this.#credential(id, signal)
    // What cannot be opened cannot be sent: that is for the check itself to find.
    if (shape === undefined) return 'refuses'
    if (!(await checks.claimProof(endpoint))) return 'wait'
    const answer = await askCheck(
      { ...question, credential: madeUpKey(shape, random), headers: {} },
      this.#asking(provider, id, signal),
    )
    const found = answer === undefined ? 'unclear' : readProof(answer)
    await checks.settleProof(endpoint, found)
    logger?.info('health.proof', { provider: provider.name, host: hostOf(baseUrl), found })
    return found === 'unclear' ? 'open' : found
  }

  async #credential(id: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      return await this.#parts.credentialOf(id, signal)
    } catch {
      signal.throwIfAborted()
      return undefined
    }
  }

  #asking(provider: ProviderMetadata, profileId: string, signal: AbortSignal): AskParts {
    const { send, now, rules } = this.#parts
    return { send, profileId, now, rules: rules(provider), timeLimitMs: TIME_LIMIT_MS, signal }
  }
}

const SILENCE: CheckVerdict = { said: 'unasked', why: 'no answer' }

/** A token of a login that is refused says little of the login: a renewal gives another one. */
function readFor(mode: AuthMode, answer: CheckAnswer): CheckVerdict {
  const verdict = readCheck(answer)
  const isOfToken = mode === 'oauth' && verdict.said === 'refused' && verdict.isPermanent !== true
  return isOfToken ? { said: 'unasked', why: `${verdict.why}, of a token` } : verdict
}

/** What a check is called: `GET /models`. */
export function byOf({ check }: ProviderMetadata): string {
  return check === undefined ? 'no check' : `${check.method} ${check.path}`
}

/** A digest of the endpoint that a check asks, the header that carries the key included. */
function endpointOf(
  provider: ProviderMetadata,
  { mode, baseUrl }: Pick<CheckQuestion, 'mode' | 'baseUrl'>,
): string | undefined {
  try {
    const request = checkRequest(provider, mode, 'key', baseUrl)
    if (request === undefined) return undefined
    const { header, prefix = '' } = credentialHeader(provider, mode)
    const endpoint = `${request.method} ${request.url} ${header} ${prefix}`
    return createHash('sha256').update(endpoint).digest('base64url').slice(0, 22)
  } catch {
    return undefined
  }
}

function hostOf(baseUrl: string | undefined): string {
  return URL.canParse(baseUrl ?? '') ? new URL(baseUrl ?? '').host : ''
}
