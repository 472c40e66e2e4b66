import type { Forwarder } from '../domain/forwarding.js'
import type { Logger } from '../domain/ports.js'
import { AnswerJudge } from './answer-verdict.js'
import { CredentialForms } from './credential-forms.js'
import { Forwarding } from './forwarding.js'
import { type HoldLimits, Holds } from './holds.js'
import { codingsOf, decodedBody } from './request-coding.js'
import { Rooms } from './rooms.js'
import type { ForwarderParts } from './types.js'

const HOLD_REQUESTS = 256
const HOLD_BYTES = 64_000_000

/** Puts the forwarding core together. */
export function createForwarder(given: ForwarderParts): Forwarder {
  const parts = { ...given, removedHeader: given.removedHeader ?? saidOnce(given.logger) }
  const limits = (): HoldLimits => ({
    requests: parts.settings?.holdRequests ?? HOLD_REQUESTS,
    bytes: parts.settings?.holdBytes ?? HOLD_BYTES,
  })
  const holds = new Holds(limits, parts.timers)
  const shared = { holds, rooms: new Rooms(), judge: new AnswerJudge(), forms: new CredentialForms() }
  return {
    forward: (request) => {
      const codings = codingsOf(request.headers)
      if (codings.length === 0) return new Forwarding(parts, request, shared).run()
      return decodedBody(request, codings).then((decoded) =>
        new Forwarding(parts, { ...request, decoded }, shared).run(),
      )
    },
    close: () => {
      holds.close()
      return parts.sender.close()
    },
  }
}

/** A program sends the same headers with every request. */
function saidOnce(logger: Logger | undefined): (name: string, profileId: string) => void {
  const said = new Set<string>()
  return (name, profile) => {
    const key = `${name} ${profile}`
    if (said.has(key)) return
    said.add(key)
    logger?.warn('a header of the program named another account, and is left out', { header: name, profile })
  }
}
