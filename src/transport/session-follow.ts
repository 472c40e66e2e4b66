import type { Follower, PassedOn } from './answer-follow.js'
import type { Exchange } from './exchange.js'
import type { Tunnel } from './tunnel.js'

/** A session as its caller gets it: what it says of the account is noted as it says it. */
export function handedOver(exchange: Exchange, opened: PassedOn, follower: Follower): Tunnel | undefined {
  const tunnel = exchange.handOver()
  if (tunnel === undefined) return undefined
  tunnel.origin = opened.origin
  tunnel.follow((verdict) => {
    const model = opened.model ?? tunnel.model
    // A model that is not there says nothing where nobody knows which one it is.
    if (verdict.kind === 'bad' && verdict.reason === 'model_not_found' && model === undefined) return
    follower.verdict({ ...opened, model }, verdict)
  })
  return tunnel
}
