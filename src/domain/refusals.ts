/** What a refusal is remembered by. */
export interface RefusedRequest {
  readonly provider: string
  /** Without its query. */
  readonly path: string
  /** Absent where the request names none. */
  readonly model: string | undefined
  /** What all refusals have in common that say the same. */
  readonly fingerprint: string
}

/**
 * What accounts have refused for no known reason. Everything is asked by keyed hash and answered from memory; what is
 * kept is bounded, shared by all processes, and written in the background.
 */
export interface Refusals {
  /** Whether nothing is remembered. */
  readonly isEmpty: boolean
  /**
   * Whether two accounts have refused such a request in the same way within the last 10 minutes, and no request for that
   * model has succeeded since.
   */
  isKnown(request: RefusedRequest): boolean
  /** Keeps that two accounts have refused it in the same way. */
  keep(request: RefusedRequest, profileId: string): void
  /** A request for this model has succeeded: what is remembered of it may have come to an end. */
  succeeded(provider: string, model: string | undefined): void
  /**
   * The profiles that go last in a conversation: others have served what they refused, within the last hour.
   *
   * @param conversation as `Affinity.digest` gives it
   */
  lastIn(conversation: string): ReadonlySet<string>
  /** Keeps that a profile goes last in a conversation. */
  putLast(conversation: string, profileId: string, fingerprint: string): void
}
