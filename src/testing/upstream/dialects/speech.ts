/** What an upstream says, before any provider's shape is put around it. */
export interface Speech {
  /** Number of the request, for ids. */
  readonly index: number
  readonly at: Date
  readonly model: string
  /** The answer's text, in the parts in which it is streamed. */
  readonly texts: readonly string[]
}

/** The events of a streamed answer, each as it goes over the wire. */
export interface SpeechStream {
  /** Before the first text. */
  readonly opening: readonly string[]
  /** One per part of the text. */
  readonly deltas: readonly string[]
  /** After the last text. */
  readonly closing: readonly string[]
}

/** Tokens that every answer claims its prompt had. */
export const PROMPT_TOKENS = 9

/** One server-sent event without a name. */
export function dataEvent(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

/** One server-sent event named after its `type`. */
export function typedEvent(data: { readonly type: string; readonly [field: string]: unknown }): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
}

/** Seconds since 1970, as OpenAI dates its objects. */
export function unixSeconds(at: Date): number {
  return Math.floor(at.getTime() / 1000)
}
