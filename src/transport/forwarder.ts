import type { Forwarder } from '../domain/forwarding.js'
import { Forwarding } from './forwarding.js'
import type { ForwarderParts } from './types.js'

/** Puts the forwarding core together. */
export function createForwarder(parts: ForwarderParts): Forwarder {
  return {
    forward: (request) => new Forwarding(parts, request).run(),
    close: () => parts.sender.close(),
  }
}
