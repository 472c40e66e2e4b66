import { isKeymuxError } from '../domain/errors.js'
import type { Clock, Logger } from '../domain/ports.js'
import type { AuthProfile, OAuthCredential } from '../domain/profile.js'
import { backoffMs } from '../policy/backoff.js'
import { sleep } from './sleep.js'

/** What keeps logins fresh. */
export interface FreshParts {
  /** All profiles. */
  readonly list: () => Promise<readonly AuthProfile[]>
  /** Renews one, or joins who does. Gives the tokens of before when that failed and they are still good. */
  readonly renew: (id: string, seen: OAuthCredential) => Promise<OAuthCredential>
  /** When a login is due, in epoch milliseconds. */
  readonly dueMs: (oauth: OAuthCredential) => number
  readonly clock: Clock
  readonly logger?: Logger | undefined
}

/** Logins are looked through this often, in milliseconds. */
const LONGEST_LOOK_MS = 60_000
const SHORTEST_LOOK_MS = 1_000
/** Each renewal takes a connection and a lock file. */
const MOST_AT_ONCE = 16
/** So that a provider that does not answer leaves room for the others. */
const MOST_OF_A_PROVIDER = 8
/** As long as renewals themselves wait after failures. */
const RETRY = { baseMs: 5_000, maxMs: 60_000 } as const

type RenewableProfile = AuthProfile & { readonly oauth: OAuthCredential }

interface Failed {
  readonly failures: number
  readonly notBeforeMs: number
}

/** Renews the logins of a vault ahead of time, soonest first, a few at once. */
export class FreshKeeper {
  readonly #parts: FreshParts
  readonly #failed = new Map<string, Failed>()
  /** Providers of the renewals under way, by profile. */
  readonly #running = new Map<string, string>()
  #queue: readonly RenewableProfile[] = []
  #lookAtMs = 0
  #wake: () => void = () => {}

  constructor(parts: FreshParts) {
    this.#parts = parts
  }

  /** Goes on until the signal fires. Failures are logged and tried again after a wait. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    while (!signal.aborted) {
      const leftMs = this.#lookAtMs - this.#nowMs()
      // More than a look is ever ahead: the clock was set back.
      if (leftMs <= 0 || leftMs > LONGEST_LOOK_MS) await this.#look()
      if (signal.aborted) return
      this.#startDue()
      await this.#pause()
    }
  }

  /** Finds what is due, and when to look again. */
  async #look(): Promise<void> {
    const nowMs = this.#nowMs()
    this.#lookAtMs = nowMs + LONGEST_LOOK_MS
    try {
      const profiles = (await this.#parts.list()).filter(isRenewable)
      this.#forgetAllBut(new Set(profiles.map(({ id }) => id)))
      const timed = profiles
        .filter(({ id }) => !this.#running.has(id))
        .map((profile) => ({ atMs: this.#startAtMs(profile, nowMs), profile }))
      for (const { atMs } of timed) if (atMs > nowMs) this.#lookAgainAt(atMs)
      const due = timed.filter(({ atMs }) => atMs <= nowMs)
      this.#queue = due.sort((a, b) => a.atMs - b.atMs).map(({ profile }) => profile)
    } catch (error) {
      this.#parts.logger?.warn('logins could not be looked through', { code: codeOf(error) })
    }
  }

  /** When a login is due, and no longer waits after a failure. A wait that is too long is one of a wrong clock. */
  #startAtMs({ id, oauth }: RenewableProfile, nowMs: number): number {
    const { notBeforeMs = 0 } = this.#failed.get(id) ?? {}
    const waits = notBeforeMs - nowMs <= RETRY.maxMs ? notBeforeMs : 0
    return Math.max(this.#parts.dueMs(oauth), waits)
  }

  #forgetAllBut(ids: ReadonlySet<string>): void {
    for (const id of this.#failed.keys()) if (!ids.has(id)) this.#failed.delete(id)
  }

  #startDue(): void {
    const waiting: RenewableProfile[] = []
    for (const profile of this.#queue) {
      const siblings = [...this.#running.values()].filter((provider) => provider === profile.provider)
      const full = this.#running.size >= MOST_AT_ONCE || siblings.length >= MOST_OF_A_PROVIDER
      if (full) waiting.push(profile)
      else void this.#renew(profile, { ...profile.oauth })
    }
    this.#queue = waiting
  }

  async #renew({ id, provider }: AuthProfile, seen: OAuthCredential): Promise<void> {
    this.#running.set(id, provider)
    try {
      const fresh = await this.#parts.renew(id, seen)
      if (fresh.accessToken === seen.accessToken) this.#retryLater(id)
      else this.#settled(id, fresh)
    } catch (error) {
      this.#parts.logger?.warn('a login could not be renewed ahead of time', {
        profile: id,
        code: codeOf(error),
      })
      this.#retryLater(id)
    }
    this.#running.delete(id)
    this.#wake()
  }

  #settled(id: string, fresh: OAuthCredential): void {
    this.#failed.delete(id)
    this.#lookAgainAt(this.#parts.dueMs(fresh))
  }

  #retryLater(id: string): void {
    const failures = (this.#failed.get(id)?.failures ?? 0) + 1
    const notBeforeMs = this.#nowMs() + backoffMs(failures, RETRY)
    this.#failed.set(id, { failures, notBeforeMs })
    this.#lookAgainAt(notBeforeMs)
  }

  #lookAgainAt(atMs: number): void {
    this.#lookAtMs = Math.min(this.#lookAtMs, Math.max(atMs, this.#nowMs() + SHORTEST_LOOK_MS))
  }

  /** Until the next look, or the end of a renewal. */
  async #pause(): Promise<void> {
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    const ms = Math.max(1, this.#lookAtMs - this.#nowMs())
    await sleep(ms, this.#parts.clock, woken.signal).catch(() => undefined)
  }

  #nowMs(): number {
    return Number(this.#parts.clock.now())
  }
}

function isRenewable(profile: AuthProfile): profile is RenewableProfile {
  const { mode, enabled, oauth } = profile
  return (
    mode === 'oauth' &&
    enabled &&
    oauth !== undefined &&
    oauth.refreshToken !== '' &&
    oauth.loginNeeded !== true
  )
}

function codeOf(error: unknown): string {
  return isKeymuxError(error) ? error.code : 'unknown'
}
