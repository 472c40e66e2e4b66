/** What is remembered of a conversation. */
export interface Conversation {
  /** The profile that served it last. */
  readonly profileId: string
  /** When that was, in epoch milliseconds, ten minutes less at most. */
  readonly atMs: number
  /**
   * The last of the signed items that another account made, as {@link Affinity.digest} gives it: those that follow were
   * made by this one. Absent: all of them were.
   */
  readonly foreignUpTo?: string
}

/**
 * Which account upstream objects and conversations belong to: a file, a batch or a stored response is known to the
 * account alone that made it, and a prompt cache is warm where the conversation was.
 *
 * Everything is asked by keyed hash and answered from memory. What is kept is written in the background, many at a time,
 * but for objects that were made just now.
 */
export interface Affinity {
  /** Whether other processes may have kept something that is not known here. */
  readonly isStale: boolean
  /** Takes it over. */
  ready(): Promise<void>
  /** The present instant in epoch milliseconds. */
  nowMs(): number
  /** Whether a provider has several profiles: only then it matters which one a request meets. */
  isShared(provider: string): boolean
  /** A keyed hash by which something is asked for and kept. The same in all processes and after a restart. */
  digest(text: string): string
  /** Whether the owner of any object is known. */
  readonly hasOwners: boolean
  /** The profile whose account made an object. */
  ownerOf(digest: string): string | undefined
  /** The profiles that share an account with this one, itself included. */
  accountOf(profileId: string): ReadonlySet<string>
  /**
   * Keeps whose objects these are, for 30 days.
   *
   * @param at `once` for what was made just now and is named nowhere else; `leisure` for what is written with others
   * @returns when what is written at once is written, or cannot be; it never rejects
   */
  own(profileId: string, digests: readonly string[], at: 'once' | 'leisure'): Promise<void> | undefined
  conversation(digest: string): Conversation | undefined
  /** Keeps who served a conversation. @param foreignUpTo as in {@link Conversation} */
  keep(digest: string, profileId: string, foreignUpTo: string | undefined): void
}
