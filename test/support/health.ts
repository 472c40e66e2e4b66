import { type HealthConfig, mayCheck } from '../../src/domain/config.js'
import type { OutgoingAnswer, OutgoingRequest } from '../../src/domain/egress.js'
import type { HealthEvent } from '../../src/domain/health.js'
import type { ProviderMetadata } from '../../src/domain/provider.js'
import { Checker } from '../../src/operations/checks/checker.js'
import { HealthKeeper } from '../../src/operations/checks/keeper.js'
import { defaultRegistry } from '../../src/providers/registry.js'
import type { TestHandle } from './handle.js'

/** A request that a check made. */
export interface CheckSent {
  readonly url: string
  readonly method: string
  /** The credential. */
  readonly key: string
  readonly headers: Headers
  readonly body: string | undefined
}

/** Answers a check, or never, or not at all where it throws. */
export type Answer = (sent: CheckSent, signal: AbortSignal) => Response | Promise<Response>

export interface TestHealth {
  readonly sent: readonly CheckSent[]
  readonly events: readonly HealthEvent[]
  readonly log: readonly (readonly [message: string, fields: Readonly<Record<string, unknown>> | undefined])[]
  /** Lets `ms` pass, a second at a time, and everything settle that it wakes. */
  pass(ms: number): Promise<void>
  stop(): Promise<void>
}

/** Looks after the profiles of a handle on its fake clock, with a network that answers what it is told to. */
export function keepHealthy(
  handle: TestHandle,
  answer: Answer,
  {
    health = true,
    random = () => 0,
    provider = (name) => defaultRegistry.get(name),
  }: {
    readonly health?: HealthConfig
    readonly random?: () => number
    readonly provider?: (name: string) => ProviderMetadata | undefined
  } = {},
): TestHealth {
  const sent: CheckSent[] = []
  const events: HealthEvent[] = []
  const log: [string, Readonly<Record<string, unknown>> | undefined][] = []
  const write = (message: string, fields?: Readonly<Record<string, unknown>>): void => {
    log.push([message, fields])
  }
  const logger = { debug: write, info: write, warn: write, error: write }
  const { profiles, clock, renewer } = handle
  const { checks, candidates, refreshes } = profiles.native
  const checker = new Checker({
    checks,
    provider,
    async credentialOf(id, signal) {
      const entry = refreshes.find(id)
      if (entry.mode !== 'oauth' || renewer === undefined) return candidates.credential(entry, signal)
      return (await renewer.getValidToken(id, { signal })).accessToken
    },
    async send(request) {
      const headers = new Headers(request.headers)
      const key = headers.get('authorization')?.slice(7) ?? headers.get('x-api-key') ?? ''
      const one = { url: request.url, method: request.method, key, headers, body: request.body }
      sent.push(one)
      return sentAnswer(request, (signal) => answer(one, signal))
    },
    now: () => clock.now(),
    random,
    rules: () => [],
    logger,
  })
  const isWanted = (name: string, id: string): boolean => mayCheck(health, name, id)
  const keeper = new HealthKeeper({ checks, checker, provider, isWanted, clock, random, logger })
  const living = new AbortController()
  const ended = keeper.keepChecked(living.signal, { onChecked: (event) => events.push(event) })
  return {
    sent,
    events,
    log,
    async pass(ms) {
      for (let left = ms; left > 0; left -= 1_000) {
        await settled()
        clock.advance(Math.min(left, 1_000))
      }
      await settled()
    },
    async stop() {
      living.abort()
      await ended
    },
  }
}

/** What was woken has gone as far as it gets: a store in memory and answers at once take a few turns. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** An answer as the way out gives it: at most 256 KiB, and no longer than it may take. */
async function sentAnswer(
  { signal, timeoutMs = 30_000 }: OutgoingRequest,
  answer: (signal: AbortSignal) => Response | Promise<Response>,
): Promise<OutgoingAnswer> {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), timeoutMs)
  try {
    const ended = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal])
    const response = await answer(ended)
    const body = await response.text()
    const most = 256 * 1024
    const headers = Object.fromEntries(response.headers)
    return { status: response.status, headers, body: body.slice(0, most), complete: body.length <= most }
  } finally {
    clearTimeout(timer)
  }
}
