import { openaiResponseError } from './dialects/openai-responses.js'
import { dataEvent, typedEvent } from './dialects/speech.js'
import type { FailureReply } from './failures.js'
import { overloaded } from './failures.js'
import { streamAnswer } from './reply.js'
import { isResponsesRequest, ok, successStream } from './success.js'
import type { Answer, Interruption, Pause, RecordedRequest, Reply } from './types.js'

/** Where in an answer something goes wrong. */
export interface FaultPlace {
  /** The answer that is under way; a success by default. */
  readonly in?: Reply
  /** After so many bytes of its body; before the first byte of the whole answer by default. */
  readonly afterBytes?: number
}

/**
 * The connection is reset (TCP RST), at once or in the middle of an answer. A reset that overtakes bytes the
 * client has not read yet looks like an ordinary end to some systems: `when` holds it back until a promise
 * settles, such as one that the test resolves once it has read the beginning.
 */
export function reset(place: FaultPlace & { readonly when?: Promise<unknown> } = {}): Reply {
  return interrupted(place, { kind: 'reset', ...(place.when === undefined ? {} : { pause: place.when }) })
}

/** The upstream falls silent: for so many milliseconds, until a promise settles, or for ever; then it goes on. */
export function stall(pause: Pause = 'forever', place: FaultPlace = {}): Reply {
  return interrupted(place, { kind: 'pause', pause })
}

/** An answer that begins `ms` milliseconds late. */
export function delay(ms: number, late: Reply = ok()): Reply {
  return stall(ms, { in: late })
}

/** An answer whose connection ends, without a reset, before its body does: in the middle by default. */
export function truncated(place: FaultPlace = {}): Reply {
  return changed(place.in ?? ok(), (answer) => {
    const pieces = [...answer.pieces]
    const at = place.afterBytes ?? Math.floor(joined(pieces).length / 2)
    return interruptedAnswer({ ...answer, pieces }, { kind: 'hang_up', at })
  })
}

/** An answer that comes a few bytes at a time: one at a time by default, without a wait between them. */
export function trickle(
  options: { readonly in?: Reply; readonly bytes?: number; readonly gapMs?: number } = {},
): Reply {
  return changed(options.in ?? ok(), (answer) => ({
    ...answer,
    pieces: slices(answer.pieces, Math.max(1, options.bytes ?? 1)),
    gapMs: options.gapMs ?? 0,
  }))
}

/** A body that claims to be JSON and is not; or, with `http: false`, bytes that are not even HTTP. */
export function garbage({ http = true }: { readonly http?: boolean } = {}): Reply {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => 255 - index)
  const headers = { 'content-type': 'application/json', 'content-length': String(bytes.length) }
  return { answer: () => ({ status: 200, headers, pieces: [bytes], bare: !http }) }
}

/** A body of so many bytes of plain text, written as fast as it is read. Status 500 by default. */
export function hugeBody(bytes: number, status = 500): Reply {
  const headers = { 'content-type': 'text/plain', 'content-length': String(bytes) }
  return { answer: () => ({ status, headers, pieces: filling(bytes) }) }
}

/** A stream (status 200) whose very first event is an error: `overloaded` by default. */
export function errorInFirstEvent(failure: FailureReply = overloaded()): Reply {
  return { answer: (request) => streamAnswer([errorEvent(request, failure, 0)]) }
}

/** A stream that breaks off with an error event after some parts of its text (one by default). */
export function errorMidStream(
  failure: FailureReply = overloaded(),
  { after = 1 }: { readonly after?: number } = {},
): Reply {
  return {
    answer: (request) => {
      const { opening, deltas } = successStream(request)
      const said = [...opening, ...deltas.slice(0, after)]
      return streamAnswer([...said, errorEvent(request, failure, said.length)])
    },
  }
}

/** A failure as it is told inside a stream. */
function errorEvent(request: RecordedRequest, failure: FailureReply, sequence: number): string {
  const { body } = failure.failure(request)
  if (request.provider === 'anthropic') return typedEvent({ type: 'error', ...body })
  if (!isResponsesRequest(request)) return dataEvent(body)
  const error: unknown = Reflect.get(body, 'error')
  const fields: object = typeof error === 'object' && error !== null ? error : body
  const code: unknown = Reflect.get(fields, 'code')
  return openaiResponseError(
    { code: typeof code === 'string' ? code : null, message: String(Reflect.get(fields, 'message')) },
    sequence,
  )
}

function interrupted(place: FaultPlace, fault: Omit<Interruption, 'at'>): Reply {
  return changed(place.in ?? ok(), (answer) =>
    interruptedAnswer(answer, { ...fault, at: place.afterBytes ?? 'start' }),
  )
}

function interruptedAnswer(answer: Answer, interruption: Interruption): Answer {
  return { ...answer, interruptions: [...(answer.interruptions ?? []), interruption] }
}

function changed(reply: Reply, change: (answer: Answer) => Answer): Reply {
  return { answer: (request) => change(reply.answer(request)) }
}

function slices(pieces: Answer['pieces'], size: number): Uint8Array[] {
  const bytes = joined(pieces)
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  )
}

function joined(pieces: Answer['pieces']): Buffer {
  return Buffer.concat(
    Array.from(pieces, (piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)),
  )
}

function* filling(bytes: number): Generator<Uint8Array> {
  const piece = Buffer.alloc(65_536, 'x')
  for (let left = bytes; left > 0; left -= piece.length) yield piece.subarray(0, left)
}
