import type { IncomingHttpHeaders } from 'node:http'

/** The providers whose dialect a scripted upstream speaks. */
export type UpstreamProvider =
  | 'openai'
  | 'anthropic'
  | 'gemini'
  | 'groq'
  | 'mistral'
  | 'cohere'
  | 'xai'
  | 'deepseek'
  | 'qwen'
  | 'minimax'
  | 'openrouter'

/** Every {@link UpstreamProvider}. */
export const UPSTREAM_PROVIDERS: readonly UpstreamProvider[] = [
  'openai',
  'anthropic',
  'gemini',
  'groq',
  'mistral',
  'cohere',
  'xai',
  'deepseek',
  'qwen',
  'minimax',
  'openrouter',
]

/** One request as it arrived. The object is live: body, end and outcome appear as they happen. */
export interface RecordedRequest {
  /** 1 for the first request of this upstream. */
  readonly index: number
  /** The provider it is taken to be meant for. */
  readonly provider: UpstreamProvider
  readonly method: string
  /** Path and query as received. */
  readonly url: string
  /** The path alone. */
  readonly path: string
  readonly query: URLSearchParams
  /** Header names in lower case; credentials as received. */
  readonly headers: IncomingHttpHeaders
  /** What the request proves itself with: bearer token, `x-api-key`, `x-goog-api-key`, or `?key=`. */
  readonly credential: string | undefined
  /** What has arrived of the body. */
  readonly body: Buffer
  /** The body as text. */
  readonly text: string
  /** The body parsed as JSON; `undefined` when it is none. */
  readonly json: unknown
  /** When its headers had arrived, by the upstream's clock. */
  readonly receivedAt: Date
  /** When the exchange was over, by the upstream's clock. */
  readonly endedAt: Date | undefined
  /** Whether the client hung up before it had the whole answer. */
  readonly aborted: boolean
  /** Resolves when the exchange is over, however it ended. */
  readonly ended: Promise<void>
}

/** How long to keep silent: milliseconds, until a promise settles, or for ever. */
export type Pause = number | Promise<unknown> | 'forever'

/** Something that goes wrong on the wire while an answer is sent. */
export interface Interruption {
  readonly kind: 'reset' | 'hang_up' | 'pause'
  /** After so many bytes of the body; `start` is before the status line. */
  readonly at: 'start' | number
  /** How long to wait there first; a `pause` then goes on with the answer. */
  readonly pause?: Pause
}

/** One answer, ready to be sent. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The body in the pieces in which it is written; a fixed `content-length` goes into the headers. */
  readonly pieces: Iterable<string | Uint8Array>
  /** Milliseconds between two pieces. Default 0. */
  readonly gapMs?: number
  readonly interruptions?: readonly Interruption[]
  /** Write the pieces to the connection as they are, without any HTTP around them, and hang up. */
  readonly bare?: boolean
}

/** What a script answers with: made by the helpers, or by hand. */
export interface Reply {
  answer(request: RecordedRequest): Answer
}

/** One step of a script: a reply, or a function that chooses one once the whole request is there. */
export type Step = Reply | ((request: RecordedRequest) => Reply | Promise<Reply>)

/** One step for every request, or one after the other; the last one is repeated. */
export type Script = Step | readonly Step[]
