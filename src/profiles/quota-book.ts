import type { QuotaState, QuotaWindow } from '../domain/quota.js'
import { mergeQuota, withReadings } from '../policy/quota-windows.js'

/** What is known of one quota: as it is stored, and with what was read since. */
interface Kept {
  readonly stored: QuotaState | undefined
  readonly value: QuotaState | undefined
}

const NOTHING: Kept = { stored: undefined, value: undefined }

/** What is known of quotas, by what they are filed under: the uid of a profile, or the key of an account. */
export class QuotaBook {
  readonly #kept = new Map<string, Kept>()

  /** What is known of a quota. */
  value(key: string): QuotaState | undefined {
    return this.#kept.get(key)?.value
  }

  /** What is to be stored of a quota; `undefined` where it is stored, or means nothing in this epoch any more. */
  news(key: string, epoch: number): QuotaState | undefined {
    const { stored, value } = this.#kept.get(key) ?? NOTHING
    return value === stored || value === undefined || value.epoch < epoch ? undefined : value
  }

  /** Takes over what is stored now. */
  store(key: string, stored: QuotaState | undefined): void {
    const { value } = this.#kept.get(key) ?? NOTHING
    if (stored === undefined) {
      this.#kept.delete(key)
      return
    }
    const isOwn = value !== undefined && isSame(value, stored)
    this.#kept.set(key, { stored, value: isOwn ? stored : mergeKept(value, stored) })
  }

  /** Takes what an answer said. */
  note(key: string, epoch: number, windows: readonly QuotaWindow[]): void {
    const { stored, value } = this.#kept.get(key) ?? NOTHING
    this.#kept.set(key, { stored, value: withReadings(value, epoch, windows) })
  }

  /** Forgets what is stored, as long as nothing is told of it; what is still to be stored stays. */
  forgetStored(): void {
    for (const [key, { stored, value }] of this.#kept) {
      if (value === stored || value === undefined) this.#kept.delete(key)
      else this.#kept.set(key, { stored: undefined, value })
    }
  }

  forget(key: string): void {
    this.#kept.delete(key)
  }

  /** When each was last heard of, in epoch milliseconds. */
  *latest(): Generator<readonly [key: string, latest: number]> {
    for (const [key, { value }] of this.#kept) {
      yield [key, Math.max(0, ...(value?.windows ?? []).map(({ seenAt }) => seenAt.getTime()))]
    }
  }
}

function mergeKept(value: QuotaState | undefined, stored: QuotaState): QuotaState {
  const merged = mergeQuota(value, stored)
  // Where nothing is known beside it, it is stored.
  return isSame(merged, stored) ? stored : merged
}

function isSame(a: QuotaState, b: QuotaState): boolean {
  return a.epoch === b.epoch && JSON.stringify(a.windows) === JSON.stringify(b.windows)
}
