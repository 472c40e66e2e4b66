import type { CallOptions } from '../domain/ports.js'
import type { AuthMode } from '../domain/profile.js'
import type { OutcomeOrigin, ProfileUsageStats } from '../domain/usage.js'
import {
  applyCheck,
  applyCredit,
  type CheckNeed,
  type CheckOutcome,
  checkNeed,
  withCheckBegun,
  withCheckWanted,
} from '../policy/checks.js'
import { type Proof, type ProofFound, type ProofState, proofState, withProof } from '../policy/proofs.js'
import { judgedFor, withGeneration } from '../policy/verdicts.js'
import type { StateEdit } from './backend.js'
import { accountKey, type Entry } from './entry.js'
import type { ProfileIndex } from './profile-index.js'
import { NOTHING } from './use-writer.js'

/** A profile that keymux has set aside, and that a check may say something about. */
export interface CheckTarget {
  readonly id: string
  readonly provider: string
  readonly mode: AuthMode
  readonly baseUrl: string | undefined
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly need: CheckNeed
}

/** A check that this process may make. */
export interface CheckClaim {
  readonly id: string
  readonly uid: string
  readonly begunAt: Date
  readonly origin: OutcomeOrigin
}

/** What became of a profile by a check: set free, found to be set aside rightly, or neither. */
export type CheckEffect = 'lifted' | 'confirmed' | 'kept'

/** Whether the check of a profile tells of money; `undefined` where it has none, or none is to be made. */
export type CheckPlan = (provider: string, id: string) => { readonly tellsCredit: boolean } | undefined

/** The rows of all proofs together. */
const PROOFS = { kind: 'proofs', key: '' } as const

/**
 * What is on record of checks: who may make one, what came of it, and which endpoints tell keys from each other. Every
 * claim is made by compare-and-swap, so that one of all processes has it, and is durable before it is given.
 */
export class Checks {
  readonly #index: ProfileIndex

  constructor(index: ProfileIndex) {
    this.#index = index
  }

  /** The profiles that are set aside and can be checked, due or not, after a look at what others wrote. */
  async targets(plan: CheckPlan, options: CallOptions = {}): Promise<CheckTarget[]> {
    await this.#index.ready(options)
    const now = this.#index.now()
    const targets: CheckTarget[] = []
    for (const [provider, group] of this.#index.catalogue.groups) {
      group.advance(now.getTime())
      for (const entry of group.entries.values()) {
        const need = mayBeChecked(entry) ? this.#need(entry, plan, now) : undefined
        if (need !== undefined) targets.push({ ...targetOf(entry), provider, need })
      }
    }
    return targets
  }

  /** Takes a check upon this process; `undefined` where another one has, or none is due any more. */
  async claim(id: string, plan: CheckPlan, options: CallOptions = {}): Promise<CheckClaim | undefined> {
    await this.#index.ready(options)
    const known = this.#index.find(id)
    if (known === undefined) return undefined
    const { uid } = known
    let claim: CheckClaim | undefined
    await this.#index.config.backend.changeState([
      {
        of: { kind: 'use', key: uid },
        next: () => {
          claim = undefined
          const entry = this.#index.catalogue.byUid.get(uid)
          if (entry === undefined) return undefined
          const now = this.#index.now()
          this.#index.look(entry)
          const need = mayBeChecked(entry) ? this.#need(entry, plan, now) : undefined
          const stored = entry.stateWith(NOTHING)
          const stats = withCheckBegun(stored.stats, need, now)
          if (stats === undefined) return undefined
          claim = { id: entry.id, uid, begunAt: now, origin: entry.origin }
          return { kind: 'use', key: uid, value: { ...stored, stats } }
        },
      },
    ])
    return claim
  }

  /** Wants a profile to be checked by whoever runs for long: a program came back from it and said nothing. */
  async want(id: string, options: CallOptions = {}): Promise<void> {
    await this.#index.ready(options)
    const uid = this.#index.find(id)?.uid
    if (uid === undefined) return
    await this.#index.config.backend.changeState([
      {
        of: { kind: 'use', key: uid },
        next: () => {
          const stored = this.#index.catalogue.byUid.get(uid)?.stateWith(NOTHING)
          const stats = stored && withCheckWanted(stored.stats, this.#index.now())
          return stats && { kind: 'use', key: uid, value: { ...stored, stats } }
        },
      },
    ])
  }

  /** The claim with the credential that the profile has now: a renewal came in between. */
  withPresentCredential(claim: CheckClaim): CheckClaim {
    const { generation } = this.#index.catalogue.byUid.get(claim.uid)?.origin ?? claim.origin
    return { ...claim, origin: { ...claim.origin, generation } }
  }

  /** Writes down what a check said. It counts for the credential and the epoch that it was made in alone. */
  async record(claim: CheckClaim, outcome: Omit<CheckOutcome, 'begunAt'>): Promise<CheckEffect> {
    const { uid } = claim
    const account = this.#accountOf(uid)
    const before = this.#isSetAside(uid)
    const answer = { ...outcome, begunAt: claim.begunAt }
    const edits: StateEdit[] = [this.#own(claim, answer)]
    if (outcome.said === 'valid' && outcome.hasCredit === true && account !== undefined) {
      edits.push(this.#shared(account, claim))
    }
    await this.#index.config.backend.changeState(edits)
    const after = this.#isSetAside(uid)
    if (outcome.said === 'refused' && after) return 'confirmed'
    return before && !after && outcome.said === 'valid' ? 'lifted' : 'kept'
  }

  /** What is known of an endpoint. */
  proofOf(key: string): ProofState {
    return proofState(this.#index.proofs[key], this.#index.now().getTime())
  }

  /** Takes it upon this process to ask an endpoint with a made-up key. */
  async claimProof(key: string): Promise<boolean> {
    let isMine = false
    await this.#changeProof(key, () => {
      isMine = this.proofOf(key) === 'ask'
      return isMine ? { at: this.#index.now().getTime() } : undefined
    })
    return isMine
  }

  /** Writes down what an endpoint did with it. */
  async settleProof(key: string, found: ProofFound): Promise<void> {
    await this.#changeProof(key, () => ({ at: this.#index.now().getTime(), found }))
  }

  #changeProof(key: string, next: () => Proof | undefined): Promise<void> {
    return this.#index.config.backend.changeState([
      {
        of: PROOFS,
        next: () => {
          const proof = next()
          return proof && { ...PROOFS, value: withProof(this.#index.proofs, key, proof) }
        },
      },
    ])
  }

  #need(entry: Entry, plan: CheckPlan, now: Date): CheckNeed | undefined {
    const planned = plan(entry.provider, entry.id)
    if (planned === undefined) return undefined
    return checkNeed(entry.state.stats, entry.accountStats, { ...planned, provider: entry.provider, now })
  }

  #own({ uid, origin }: CheckClaim, answer: CheckOutcome): StateEdit {
    const { cooldown: config } = this.#index.config
    return {
      of: { kind: 'use', key: uid },
      next: () => {
        const entry = this.#index.catalogue.byUid.get(uid)
        if (entry === undefined || entry.origin.generation !== origin.generation) return undefined
        const stored = entry.stateWith(NOTHING)
        if ((stored.stats.epoch ?? 0) !== origin.epoch) return undefined
        const judged = judgedFor(stored.stats, origin.generation)
        const checked = applyCheck(judged, answer, {
          now: this.#index.now(),
          provider: entry.provider,
          config,
        })
        const stats = answer.said === 'refused' ? withGeneration(checked, 'auth_permanent', origin) : checked
        return { kind: 'use', key: uid, value: { ...stored, stats } }
      },
    }
  }

  #shared(key: string, { origin }: CheckClaim): StateEdit {
    return {
      of: { kind: 'account', key },
      next: () => {
        const stats = this.#index.catalogue.accountWith(key, NOTHING)
        if (stats === undefined || (stats.epoch ?? 0) !== origin.accountEpoch) return undefined
        const value: ProfileUsageStats = applyCredit(stats)
        return value === stats ? undefined : { kind: 'account', key, value }
      },
    }
  }

  #accountOf(uid: string): string | undefined {
    const entry = this.#index.catalogue.byUid.get(uid)
    const account = entry?.record.meta.account
    return entry === undefined || account === undefined ? undefined : accountKey(entry.provider, account)
  }

  #isSetAside(uid: string): boolean {
    const entry = this.#index.catalogue.byUid.get(uid)
    return entry !== undefined && this.#index.look(entry).standing.state === 'disabled'
  }
}

/** Of what is available nothing is asked unless somebody wants it. */
function mayBeChecked({ standing: { state }, use }: Entry): boolean {
  if (state === 'disabled') return true
  return use.value.stats.checkWanted !== undefined && (state === 'available' || state === 'cooling')
}

function targetOf({ id, mode, record }: Entry): Omit<CheckTarget, 'provider' | 'need'> {
  return { id, mode, baseUrl: record.meta.baseUrl, headers: record.meta.headers }
}
