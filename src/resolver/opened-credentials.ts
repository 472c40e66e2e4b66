import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import type { Clock, Logger, OAuthManager, TokenOptions } from '../domain/ports.js'
import type { OAuthCredential } from '../domain/profile.js'
import type { CacheStats } from '../domain/resolver.js'
import { servableUntilMs, servedBetween } from '../logins/renewal-timing.js'
import type { CandidateSource } from '../profiles/candidates.js'
import type { Entry } from '../profiles/entry.js'

/** What opens credentials. */
export interface OpeningParts {
  readonly source: Pick<CandidateSource, 'credential'>
  readonly manager: OAuthManager | undefined
  readonly clock: Clock
  readonly jitter: number
  readonly logger: Logger | undefined
}

/** An opened credential, good as long as the profile's record is this one. */
interface Opened {
  readonly entry: Entry
  readonly record: Entry['record']
  readonly credential: string
  /** Served without a further look between these instants, in epoch milliseconds. */
  readonly fromMs: number
  readonly untilMs: number
}

const CACHE_LIMIT = 1_000

/** The credentials of entries: opened, renewed where that is due, and remembered as long as they are the same. */
export class OpenedCredentials {
  readonly #parts: OpeningParts
  readonly #cache = new Map<string, Opened>()

  constructor(parts: OpeningParts) {
    this.#parts = parts
  }

  /** The credential that is open already and may be handed out as it is. */
  held(entry: Entry, nowMs: number): string | undefined {
    const opened = this.#cache.get(entry.id)
    return opened?.record === entry.record && isServed(opened, nowMs) ? opened.credential : undefined
  }

  /** The entry's credential, renewed if need be, and remembered unless it lives elsewhere. */
  async open(entry: Entry, options: TokenOptions): Promise<string> {
    if (entry.mode === 'oauth') return this.#openOAuth(entry, options)
    const { record } = entry
    const credential = await this.#parts.source.credential(entry, options.signal)
    if (record.meta.reference === undefined) {
      const untilMs = record.meta.expiresAt ?? Number.POSITIVE_INFINITY
      this.#remember({ entry, record, credential, fromMs: 0, untilMs })
    }
    return credential
  }

  /** Forgets those of one provider, or all. */
  forget(provider: string): void {
    for (const [id, opened] of this.#cache) {
      if (provider === '' || opened.entry.provider === provider) this.#cache.delete(id)
    }
  }

  /** How many are held, and how many of them would be served. */
  stats(): CacheStats {
    const nowMs = this.#nowMs()
    const valid = [...this.#cache.values()].filter(
      ({ entry }) => this.held(entry, nowMs) !== undefined,
    ).length
    return { totalEntries: this.#cache.size, valid, expired: this.#cache.size - valid }
  }

  async #openOAuth(entry: Entry, options: TokenOptions): Promise<string> {
    const { record } = entry
    const { signal, renewalWaitMs } = options
    const { source, manager, jitter } = this.#parts
    const token = validityOf(record.meta)
    const nowMs = this.#nowMs()
    const held = record.meta.hasSecret
    const { fromMs, untilMs } = servedBetween(token, jitter)
    if (fromMs <= nowMs && nowMs < untilMs && held) {
      const credential = await source.credential(entry, signal)
      this.#remember({ entry, record, credential, fromMs, untilMs })
      return credential
    }
    if (manager === undefined) {
      if (held && nowMs < token.expiresAt.getTime()) return source.credential(entry, signal)
      throw new KeymuxError('refresh_failed', `${entry.id} has expired and nothing here can renew it`, {
        hint: `run keymux login ${entry.id}`,
      })
    }
    if (!held || nowMs >= servableUntilMs(token)) {
      return (await manager.getValidToken(entry.id, { signal })).accessToken
    }
    const renewed = manager.getValidToken(entry.id, { signal, renewalWaitMs })
    const served = this.#renewedAhead(entry, renewed)
    const fresh = renewalWaitMs === undefined ? undefined : await served
    signal?.throwIfAborted()
    return fresh?.accessToken ?? source.credential(entry, signal)
  }

  /** What a renewal ahead of time gives; its failure is told, and harms nobody yet. */
  #renewedAhead({ id }: Entry, renewed: Promise<OAuthCredential>): Promise<OAuthCredential | undefined> {
    return renewed.catch((error: unknown) => {
      this.#parts.logger?.warn('a login could not be renewed ahead of time', {
        profile: id,
        code: isKeymuxError(error) ? error.code : 'unknown',
      })
      return undefined
    })
  }

  #remember(opened: Opened): void {
    const { id } = opened.entry
    this.#cache.delete(id)
    this.#cache.set(id, opened)
    if (this.#cache.size <= CACHE_LIMIT) return
    const oldest = this.#cache.keys().next()
    if (!oldest.done) this.#cache.delete(oldest.value)
  }

  #nowMs(): number {
    return Number(this.#parts.clock.now())
  }
}

function isServed({ fromMs, untilMs }: Opened, nowMs: number): boolean {
  return fromMs <= nowMs && nowMs < untilMs
}

function validityOf({ expiresAt, issuedAt }: Entry['record']['meta']): { expiresAt: Date; issuedAt?: Date } {
  return {
    expiresAt: new Date(expiresAt ?? 0),
    ...(issuedAt === undefined ? {} : { issuedAt: new Date(issuedAt) }),
  }
}
