import type { GatewayConfig } from './domain/config.js'
import type { Forwarder } from './domain/forwarding.js'
import type { Routes } from './egress/routes.js'
import { systemRandom } from './system/clock.js'
import { lazyForwarder } from './transport/lazy-forwarder.js'
import type { ForwarderParts } from './transport/types.js'

/** What a forwarder is put together from. */
export interface ForwarderContext
  extends Pick<
    ForwarderParts,
    | 'resolver'
    | 'profiles'
    | 'affinity'
    | 'refusals'
    | 'renewer'
    | 'providers'
    | 'clock'
    | 'pseudonym'
    | 'failureRules'
    | 'logger'
  > {
  /** The limits that count now. */
  readonly gateway: () => GatewayConfig
  /** The ways out of this machine. */
  readonly routes: () => Promise<Routes>
}

const MS_PER_SECOND = 1_000
const BYTES_PER_MB = 1_000_000

/**
 * The forwarder of an open vault. Its pauses and time-outs are real ones, also under a fake clock: that one
 * governs cooldowns and expiry.
 */
export function composeForwarder({ gateway, routes, ...parts }: ForwarderContext): Forwarder {
  return lazyForwarder(async () => {
    const [{ createForwarder }, { createUndiciSender }, { systemTimers }, out] = await Promise.all([
      import('./transport/forwarder.js'),
      import('./transport/undici-sender.js'),
      import('./transport/timers.js'),
      routes(),
    ])
    return createForwarder({
      ...parts,
      sender: createUndiciSender(out),
      timers: systemTimers,
      random: systemRandom,
      settings: {
        get firstByteTimeoutMs() {
          return gateway().firstByteTimeoutSeconds * MS_PER_SECOND
        },
        get deadlineMs() {
          return gateway().deadlineSeconds * MS_PER_SECOND
        },
        get idleTimeoutMs() {
          return gateway().idleTimeoutSeconds * MS_PER_SECOND
        },
        get holdRequests() {
          return gateway().hold.requests
        },
        get holdBytes() {
          return gateway().hold.megabytes * BYTES_PER_MB
        },
        get privacy() {
          return gateway().privacy
        },
      },
    })
  })
}
