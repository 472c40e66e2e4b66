import type { FailureReason } from '../domain/usage.js'
import type { ResponseVerdict } from '../policy/classify-response.js'
import { carriesContent } from './event-content.js'
import { courseOf, courseOfBeginning, type Dialect, type EventCourse } from './event-ending.js'
import { eventOf, type ServerSentEvent } from './event-stream.js'
import { eventFailure, type GateContext } from './gate.js'
import type { Tail } from './tail.js'

/**
 * How an answer ended: the upstream ended it (`whole`) or broke off (`broken`), it was silent for too long (`silent`), or
 * its caller did not want it any more (`unwanted`).
 */
export type HowOver = 'whole' | 'broken' | 'silent' | 'unwanted'

/** An answer that is over. */
export interface AnswerOver {
  readonly how: HowOver
  /** What it ended with; absent where that does not matter, or cannot be read. */
  readonly tail: Tail | undefined
  readonly kind: BodyKind
  readonly context: GateContext
}

/** What a body consists of. */
export type BodyKind = 'events' | 'json' | 'other'

/** What an answer was worth. */
export type AnswerVerdict =
  | { readonly kind: 'good' }
  /** It says nothing: its caller left before there was anything. */
  | { readonly kind: 'nothing' }
  | BadAnswer

/** An answer that did not come to its end. */
export interface BadAnswer {
  readonly kind: 'bad'
  readonly reason: FailureReason
  /** What an error in the answer says; absent where there was none. */
  readonly stated?: ResponseVerdict
  readonly message: string
}

const GOOD: AnswerVerdict = { kind: 'good' }
const MOST_KNOWN = 1_000

/** Somebody who asks a third time within so long does not take such ends for answers, in milliseconds. */
const AGAIN_MS = 60_000
const BELIEVED = 2

/**
 * Judges answers by their end. A stream of events that ends without the event that ends its dialect has broken off,
 * unless its base URL has never sent one: not every server does. That is believed two times in a conversation: clients of
 * servers that do not take such an end for an answer, and ask again at once.
 */
export class AnswerJudge {
  /** Base URLs and dialects of streams that came to their proper end. */
  readonly #ending = new Set<string>()
  /** Ends that were believed, by base URL, dialect and conversation. */
  readonly #believed = new Map<string, { readonly count: number; readonly atMs: number }>()

  /**
   * @param base where the request was sent
   * @param conversation what it is a part of, where its caller has seen the answer and there is another account to ask
   */
  judge(answer: AnswerOver, base: string, conversation?: string): AnswerVerdict {
    switch (answer.kind) {
      case 'events':
        return this.#ofEvents(answer, base, conversation)
      case 'json':
        return ofJson(answer)
      case 'other':
        return byTransport(answer)
    }
  }

  #ofEvents(answer: AnswerOver, base: string, conversation: string | undefined): AnswerVerdict {
    const { tail, how, context } = answer
    if (tail === undefined) return byTransport(answer)
    const events = lastEvents(tail, how === 'whole')
    let done = false
    for (const { course, dialect, event } of events) {
      if (course === 'error') {
        const stated = event && eventFailure(context, event)
        if (stated !== undefined) return failed(stated)
        if (event === undefined) return unstated(how)
      } else if (course === 'end' && dialect === undefined) done = true
      // Between the last word and what tells the dialect there may be others: the usage of a chat, a ping.
      else if ((done && course !== 'aside') || course === 'end' || course === 'finished') {
        const key = keyOf(base, dialect)
        if (done || course === 'end') this.#remember(key)
        // Its caller waits for the last word, unless there is none: he sees a break as one.
        const isOver = done || course === 'end' || how === 'whole' || how === 'unwanted'
        return isOver ? GOOD : unstated(how)
      } else if (course === 'part') {
        const asked = dialect === undefined ? undefined : conversation
        return this.#unfinished(answer, keyOf(base, dialect), asked)
      }
    }
    if (done) for (const dialect of ['chat', undefined] as const) this.#remember(keyOf(base, dialect))
    return done ? GOOD : this.#unfinished(answer, keyOf(base, undefined), undefined)
  }

  /** There was no proper end. */
  #unfinished({ how, tail, context }: AnswerOver, key: string, conversation?: string): AnswerVerdict {
    if (how === 'unwanted') return tail !== undefined && !hasContent(tail) ? { kind: 'nothing' } : GOOD
    if (how !== 'whole' || this.#ending.has(key)) return unstated(how)
    return this.#believes(key, conversation, context.now().getTime()) ? GOOD : unstated(how)
  }

  #believes(key: string, conversation: string | undefined, nowMs: number): boolean {
    if (conversation === undefined) return true
    const name = `${key} ${conversation}`
    const known = this.#believed.get(name)
    const count = known !== undefined && Math.abs(nowMs - known.atMs) < AGAIN_MS ? known.count + 1 : 1
    if (this.#believed.size >= MOST_KNOWN) this.#believed.clear()
    this.#believed.set(name, { count, atMs: nowMs })
    return count <= BELIEVED
  }

  #remember(key: string): void {
    if (this.#ending.has(key)) return
    if (this.#ending.size >= MOST_KNOWN) this.#ending.clear()
    this.#ending.add(key)
  }
}

function keyOf(base: string, dialect: Dialect | undefined): string {
  return `${dialect ?? 'other'} ${base}`
}

interface LastEvent extends EventCourse {
  /** Absent where only its beginning is known. */
  readonly event?: ServerSentEvent
}

/** The events of a stream from the last one back, as far as they are kept. @param whole the last one needs no blank line */
function* lastEvents(tail: Tail, whole: boolean): Generator<LastEvent> {
  const text = tail.text()
  const { head } = tail
  let end = whole ? text.length : text.lastIndexOf('\n\n')
  while (end > 0) {
    const before = text.lastIndexOf('\n\n', end - 1)
    const isWhole = before >= 0 || head === undefined
    const event = isWhole ? eventOf(text.slice(before < 0 ? 0 : before + 2, end)) : undefined
    if (event !== undefined) yield { ...courseOf(event), event }
    else if (!isWhole) yield courseOfBeginning(head)
    end = before
  }
}

/** Whose events a stream ends with. */
export function dialectOfEnd(tail: Tail): Dialect {
  for (const { dialect } of lastEvents(tail, false)) if (dialect !== undefined) return dialect
  return 'other'
}

/** Whether anything of the answer itself has come. */
function hasContent(tail: Tail): boolean {
  if (tail.head !== undefined) return true
  for (const { event } of lastEvents(tail, true))
    if (event !== undefined && carriesContent(event)) return true
  return false
}

/** The list that Gemini streams carries its error as an element, the last one. Other JSON is judged when it is whole. */
function ofJson(answer: AnswerOver): AnswerVerdict {
  if (answer.tail === undefined) return byTransport(answer)
  const text = answer.tail.text()
  const at = text.lastIndexOf('"error"')
  const start = at < 0 ? -1 : text.lastIndexOf('{', at)
  if (
    start >= 0 &&
    /^\{\s*"error"\s*:\s*\{/.test(text.slice(start)) &&
    /[[,]\s*$/.test(text.slice(0, start))
  ) {
    const data = text.slice(start).replace(/\s*\]?\s*$/, '')
    const stated = eventFailure(answer.context, { event: '', data })
    if (stated !== undefined) return failed(stated)
  }
  return byTransport(answer)
}

function byTransport({ how }: AnswerOver): AnswerVerdict {
  return how === 'whole' || how === 'unwanted' ? GOOD : unstated(how)
}

function failed(stated: ResponseVerdict): AnswerVerdict {
  const { reason, message } = stated
  // That something went wrong is not why.
  if (reason === 'unknown') return { kind: 'bad', reason: 'server_error', message }
  return { kind: 'bad', reason, stated, message }
}

function unstated(how: HowOver): AnswerVerdict {
  const message = how === 'silent' ? 'its answer stopped' : 'its answer broke off'
  return { kind: 'bad', reason: how === 'silent' ? 'timeout' : 'server_error', message }
}
