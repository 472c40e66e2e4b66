import type { ProfilePreference } from './ports.js'
import type { AuthMode } from './profile.js'

/**
 * The rule that gives a candidate its place, the first that applies: it was named; its account has part of what the
 * request carries (`owner`); it has the conversation; the order of preference. After these come those that are kept in
 * `reserve`, those whose last answers broke off (`behind`), and those that are set aside on a presumption (`presumed`).
 */
export type PlaceRule = 'named' | 'owner' | 'conversation' | 'preference' | 'reserve' | 'behind' | 'presumed'

/** What is said of a candidate, and why. It holds no secret. */
export interface ExplainedCandidate {
  readonly profileId: string
  /** 1 for the one that is handed out first. Absent: it is not handed out now. */
  readonly place?: number
  /** Where it has a place. */
  readonly rule?: PlaceRule
  /**
   * Its state, or why it is no candidate: `not_allowed` for the model, `other_mode`, `other_pool`, `not_wanted` (others
   * alone were asked for), `excluded` (it was tried).
   */
  readonly state: string
  /** The failure behind the state, or `quota`. */
  readonly reason?: string
  /** When it is usable again by itself. */
  readonly until?: Date
  readonly priority: number
  readonly pool?: string
  readonly weight?: number
  readonly lastGood: boolean
  readonly lastUsedAt?: Date
  /** How much is left of its tightest limit, from 0 to 1, in steps of a twentieth. Absent: not known. */
  readonly left?: number
  /** When the first of its limits is reset, to the minute. Absent: not known. */
  readonly resetsAt?: Date
}

/** Whom a resolution would choose among, in the order of choice; those that are not handed out come last. */
export interface Explanation {
  readonly provider: string
  readonly preference: ProfilePreference
  readonly mode?: AuthMode
  readonly model?: string
  /** The pool that it stays in; `null` is that of profiles without one. Absent where there are no pools. */
  readonly pool?: string | null
  readonly candidates: readonly ExplainedCandidate[]
}
