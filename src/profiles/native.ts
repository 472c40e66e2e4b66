import type { CallOptions, ProfileManager } from '../domain/ports.js'
import type { CandidateSource } from './candidates.js'
import type { Checks } from './checks.js'
import type { RefreshRecords } from './profile-index.js'

/** What managers of keymux's own can do besides: their profiles are in memory, and what is written is durable. */
export interface NativeProfiles {
  /** What resolvers choose from. */
  readonly candidates: CandidateSource
  /** What a ledger of refreshes works on. */
  readonly refreshes: RefreshRecords
  /** What is on record of the checks of profiles that are set aside. */
  readonly checks: Checks
  /** Takes the one trial that a profile gets in a while whose windows are long, among all processes. */
  claimTrial(id: string, options?: CallOptions & { readonly model?: string | undefined }): Promise<boolean>
}

/** A manager as resolvers and renewers take it: one of another make does not offer what is native. */
export interface OfferingManager extends ProfileManager {
  readonly native?: NativeProfiles | undefined
}
