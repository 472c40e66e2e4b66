/**
 * What came of a check: a profile that was set aside was set free (`lifted`), was found to be refused (`confirmed`), or
 * stays as it is although the provider has answered (`kept`); nothing was learnt (`unasked`); the endpoint answers
 * anybody, so that nothing it says counts (`uncounted`).
 */
export type HealthOutcome = 'lifted' | 'confirmed' | 'kept' | 'unasked' | 'uncounted'

/** One check that was made. */
export interface HealthEvent {
  readonly profileId: string
  readonly provider: string
  readonly outcome: HealthOutcome
}

/** Looks after profiles that keymux itself has set aside. */
export interface Health {
  /**
   * Asks providers with their cheap checks about profiles that are set aside as a whole, until the signal fires: for
   * whoever runs for long. What was presumed is asked about at once and every minute; every other disable each half
   * hour, with jitter. One of all processes on the vault asks at a time. Never rejects but for what no wait mends, such
   * as a vault that is locked.
   *
   * @param options.onChecked is told of every check
   * @example
   * ```ts
   * const living = new AbortController()
   * void keymux.health.keepChecked(living.signal)
   * ```
   */
  keepChecked(
    signal: AbortSignal,
    options?: { readonly onChecked?: ((event: HealthEvent) => void) | undefined },
  ): Promise<void>
  /**
   * Wants a profile to be asked about by whoever runs for long, such as a gateway: somebody came back from it and cannot
   * say why. Within 10 minutes, and once a minute at most. A profile that is gone is passed over.
   *
   * @throws KeymuxError `vault_locked`, storage errors
   */
  suspect(profileId: string): Promise<void>
}
