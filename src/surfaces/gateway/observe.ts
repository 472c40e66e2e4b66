import type { HealthOutcome } from '../../domain/health.js'
import type { Profiles } from '../../domain/profiles.js'
import { type Counter, gauge, type Histogram, Metrics } from './metrics.js'
import { quotaGauges } from './quota-gauges.js'

const LATENCY_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
const TRY_BOUNDS = [1, 2, 3, 4, 5, 8, 13, 21]

/** How a forwarded request ended. */
export interface RequestOutcome {
  /** The provider, or `@CHAIN`. */
  readonly provider: string
  /** The profile that gave the answer; empty where none did. */
  readonly profile: string
  readonly status: number
  /** Upstream tries. */
  readonly attempts: number
  /** Until the answer's head, in milliseconds; absent where there was none. */
  readonly headMs?: number
  /** Until its end, in milliseconds. */
  readonly totalMs: number
}

/** How a request that waited for an account went on. */
export type HoldOutcome = 'served' | 'gave_up' | 'left'

/** What the gateway counts. No label holds anything a caller can choose freely. */
export class GatewayMetrics {
  readonly #metrics = new Metrics()
  readonly #requests: Counter
  readonly #failures: Counter
  readonly #refusals: Counter
  readonly #held: Counter
  readonly #heldEnded: Counter
  readonly #checks: Counter
  /** How many wait now, by provider. */
  readonly #waiting = new Map<string, number>()
  readonly #head: Histogram
  readonly #total: Histogram
  readonly #attempts: Histogram

  constructor() {
    const metrics = this.#metrics
    this.#requests = metrics.counter('keymux_requests_total', 'Forwarded requests, by their answer.', [
      'provider',
      'profile',
      'status',
    ])
    this.#failures = metrics.counter('keymux_upstream_failures_total', 'Upstream tries that failed.', [
      'provider',
      'profile',
      'reason',
    ])
    this.#refusals = metrics.counter('keymux_refused_total', 'Requests the gateway refused by itself.', [
      'code',
    ])
    this.#held = metrics.counter('keymux_held_total', 'Requests that began to wait for an account.', [
      'provider',
    ])
    this.#heldEnded = metrics.counter(
      'keymux_held_ended_total',
      'Requests whose wait for an account is over: served, gave_up (answered without one), or left by their caller.',
      ['provider', 'outcome'],
    )
    this.#checks = metrics.counter(
      'keymux_health_checks_total',
      'Checks of accounts that are set aside: lifted, confirmed, kept, unasked (nothing was learnt), or uncounted (the endpoint answers anybody).',
      ['provider', 'outcome'],
    )
    this.#head = metrics.histogram(
      'keymux_response_head_seconds',
      'From a request’s head to the head of its answer.',
      ['provider'],
      LATENCY_BOUNDS,
    )
    this.#total = metrics.histogram(
      'keymux_request_seconds',
      'From a request’s head to the end of its answer.',
      ['provider'],
      LATENCY_BOUNDS,
    )
    this.#attempts = metrics.histogram(
      'keymux_upstream_attempts',
      'Upstream tries of a request.',
      ['provider'],
      TRY_BOUNDS,
    )
  }

  request({ provider, profile, status, attempts, headMs, totalMs }: RequestOutcome): void {
    this.#requests.add(provider, profile, String(status))
    this.#attempts.observe(attempts, provider)
    if (headMs !== undefined) this.#head.observe(headMs / 1_000, provider)
    this.#total.observe(totalMs / 1_000, provider)
  }

  failure(provider: string, profile: string, reason: string): void {
    this.#failures.add(provider, profile, reason)
  }

  /** A request begins to wait; the function it gives is called when that is over. */
  held(provider: string): (outcome: HoldOutcome) => void {
    this.#held.add(provider)
    this.#wait(provider, 1)
    return (outcome) => {
      this.#wait(provider, -1)
      this.#heldEnded.add(provider, outcome)
    }
  }

  #wait(provider: string, change: number): void {
    this.#waiting.set(provider, (this.#waiting.get(provider) ?? 0) + change)
  }

  /** A provider's cheap check was asked about a profile. */
  checked(provider: string, outcome: HealthOutcome): void {
    this.#checks.add(provider, outcome)
  }

  refused(code: string): void {
    this.#refusals.add(code)
  }

  /** Everything counted, and how the profiles stand now. */
  async render(profiles: Profiles, underWay: number, tunnels: number): Promise<string> {
    const states = new Map<string, number>()
    const views = await profiles.views()
    for (const { provider, state } of views) {
      const key = `${provider} ${state}`
      states.set(key, (states.get(key) ?? 0) + 1)
    }
    return [
      this.#metrics.render(),
      gauge('keymux_requests_in_flight', 'Requests under way.', [], [[[], underWay]]),
      gauge('keymux_tunnels', 'WebSocket sessions that are open.', [], [[[], tunnels]]),
      gauge(
        'keymux_requests_held',
        'Requests that wait for an account.',
        ['provider'],
        [...this.#waiting].map(([provider, count]) => [[provider], count] as const),
      ),
      gauge(
        'keymux_profiles',
        'Profiles by state.',
        ['provider', 'state'],
        [...states].map(([key, count]) => [key.split(' '), count] as const),
      ),
      ...quotaGauges(views),
      gauge('process_resident_memory_bytes', 'Resident memory.', [], [[[], process.memoryUsage.rss()]]),
    ].join('')
  }
}
