/** One server-sent event that has data. */
export interface ServerSentEvent {
  /** Empty when the event has no name. */
  readonly event: string
  readonly data: string
}

/**
 * Reads server-sent events as they arrive (WHATWG HTML section 9.2.6). Comments, and events without data,
 * are passed over.
 */
export class EventReader {
  readonly #decoder = new TextDecoder()
  #rest = ''
  #event = ''
  #data: string[] = []

  /** The events that are complete with this chunk. */
  push(chunk: Uint8Array): ServerSentEvent[] {
    return this.#read(this.#decoder.decode(chunk, { stream: true }))
  }

  /** {@link EventReader.push} for what is a text already. */
  text(text: string): ServerSentEvent[] {
    return this.#read(text)
  }

  /** What is left when the stream ends: an event that lacks its blank line. */
  end(): ServerSentEvent[] {
    return this.#read(`${this.#decoder.decode()}\n\n`)
  }

  #read(text: string): ServerSentEvent[] {
    const events: ServerSentEvent[] = []
    const all = this.#rest + text
    let start = 0
    for (;;) {
      const end = endOfLine(all, start)
      if (end === undefined) break
      this.#line(all.slice(start, end.at), events)
      start = end.next
    }
    this.#rest = all.slice(start)
    return events
  }

  #line(line: string, events: ServerSentEvent[]): void {
    if (line === '') {
      if (this.#data.length > 0) events.push({ event: this.#event, data: this.#data.join('\n') })
      this.#event = ''
      this.#data = []
      return
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') this.#data.push(value)
    else if (field === 'event') this.#event = value.trim()
  }
}

/** One event that is whole; `undefined` for a comment, or one without data. */
export function eventOf(block: string): ServerSentEvent | undefined {
  return new EventReader().text(`${block}\n\n`)[0]
}

/** Where a line ends and the next begins. A carriage return at the very end may be half of a pair. */
function endOfLine(text: string, start: number): { at: number; next: number } | undefined {
  const match = /\r\n|\n|\r(?!$)/g
  match.lastIndex = start
  const found = match.exec(text)
  return found === null ? undefined : { at: found.index, next: match.lastIndex }
}
