import type { Logger } from '../domain/ports.js'
import type { Profiles } from '../profiles/types.js'
import type { Failure } from './failure.js'
import { codeOf } from './failure.js'

/**
 * The outcomes of one request on their way into the vault. A vault that cannot take them is no reason for
 * the request to fail: that is logged.
 */
export class Reports {
  readonly #profiles: Pick<Profiles, 'markSuccess' | 'reportFailure'>
  readonly #logger: Logger | undefined
  #waiting: (() => Promise<unknown>)[] = []
  #underWay: Promise<void>[] = []

  constructor(profiles: Pick<Profiles, 'markSuccess' | 'reportFailure'>, logger: Logger | undefined) {
    this.#profiles = profiles
    this.#logger = logger
  }

  /** Takes a failure, to be written down at the next {@link Reports.start}. */
  failure(profileId: string, failure: Failure, model: string | undefined): void {
    const { reason, scope, message, retryAfterMs } = failure
    // A rate limit of the whole subscription must not be taken for one of the model.
    const ofModel = model !== undefined && !(reason === 'rate_limit' && scope === 'credential')
    const options = {
      message,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(ofModel ? { model } : {}),
    }
    this.#waiting.push(() => this.#profiles.reportFailure(profileId, reason, options))
  }

  /** Begins to write down what waits. */
  start(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const write of waiting) this.#underWay.push(this.#safely(write))
  }

  /** Resolves when everything is written down. */
  async settled(): Promise<void> {
    this.start()
    if (this.#underWay.length === 0) return
    const underWay = this.#underWay
    this.#underWay = []
    await Promise.all(underWay)
  }

  /** Writes a success down, and what waits besides. */
  async success(profileId: string, model: string | undefined): Promise<void> {
    try {
      await this.#profiles.markSuccess(profileId, model === undefined ? {} : { model })
    } catch (error) {
      this.#notRecorded(error)
    }
    if (this.#waiting.length > 0 || this.#underWay.length > 0) await this.settled()
  }

  async #safely(write: () => Promise<unknown>): Promise<void> {
    try {
      await write()
    } catch (error) {
      this.#notRecorded(error)
    }
  }

  #notRecorded(error: unknown): void {
    this.#logger?.warn('the outcome of a request could not be recorded', { code: codeOf(error) })
  }
}
