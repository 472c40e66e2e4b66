import type { UpstreamProvider } from '../upstream/types.js'

/** An account of a simulated world. */
export interface SimulatedAccount {
  readonly name: string
  readonly priority: number
  /** The organisation that it shares with other accounts. */
  readonly organisation?: string
  /** It stands behind a relay, which wraps what the provider says. */
  readonly isRelayed: boolean
  /** Models that it does not have. */
  readonly withoutModels: readonly string[]
  /** What requests may ask for that it does not offer. */
  readonly withoutFeatures: readonly string[]
}

/**
 * What may be wrong for a while: nobody answers (`outage`), a page of something in between does, the model has no
 * capacity, the account's limit is reached, it is unpaid, its key is revoked (and replaced at the end), it answers 200
 * with nothing in it (`hollow`), its streams break after content (`breaking`), it never answers (`silent`).
 */
export type EpisodeKind =
  | 'outage'
  | 'block_page'
  | 'overload'
  | 'limit'
  | 'unpaid'
  | 'revoked'
  | 'hollow'
  | 'breaking'
  | 'silent'

/** Something that is wrong for a while, with some accounts or all of them. */
export interface Episode {
  readonly id: string
  readonly kind: EpisodeKind
  readonly accounts: readonly string[]
  /** Absent: every model. */
  readonly model?: string
  readonly fromMs: number
  readonly toMs: number
}

/** What may be wrong with a request itself: the same wherever it goes. */
export interface RequestFault {
  /** Requests of the same fault are refused in the same words. */
  readonly id: string
  readonly kind: 'content' | 'malformed' | 'too_long'
}

/** A request of a simulated world. Times are milliseconds since its beginning. */
export interface SimulatedRequest {
  readonly id: number
  readonly atMs: number
  readonly model: string
  readonly conversation: number
  readonly isStreamed: boolean
  readonly fault?: RequestFault
  /** Something that not every account offers. */
  readonly feature?: string
  /** How long it may wait for an account. */
  readonly maxWaitMs: number
}

/** A failed answer as some provider gave it. */
export interface SeenAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** A text, or what goes over the wire as JSON. */
  readonly body?: unknown
}

/** Accounts, what is wrong with them and when, and what is asked. Everything follows from the seed. */
export interface World {
  readonly seed: number
  readonly provider: UpstreamProvider
  readonly models: readonly string[]
  readonly accounts: readonly SimulatedAccount[]
  readonly episodes: readonly Episode[]
  readonly requests: readonly SimulatedRequest[]
  /** Answers that were seen, told for anything. */
  readonly seen: readonly SeenAnswer[]
}
