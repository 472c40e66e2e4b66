import type { KeymuxError } from './errors.js'
import type { FailureReason, OutcomeOrigin } from './usage.js'

/** What ends a request early. Every `AbortSignal` is one. */
export interface EndSignal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** A request's body as far as it is held in memory. */
export interface RequestBody {
  /** All of it; or its beginning, when `rest` is there. */
  readonly bytes: Buffer
  /** What follows a body too large to be kept. It can be sent once: such a request is not tried again. */
  readonly rest?: AsyncIterable<Uint8Array>
  /** The whole length in bytes where it is known without reading on. */
  readonly length?: number
}

/** Header names and values in turn, in the order of the wire; names repeat where lines do. */
export type RawHeaders = readonly string[]

/** One provider to try. Several of them, in order, are a chain. */
export interface Stage {
  readonly provider: string
  /** Name (or id) of the profile that goes first unless it is unusable. */
  readonly profile?: string | undefined
  /** Replaces the model that the request names. */
  readonly model?: string | undefined
  /** Where requests go when the profile has no base URL of its own. The provider's default by default. */
  readonly baseUrl?: string | undefined
  /** The path is that of OpenAI's API: it is put where this provider has its compatible one. */
  readonly compatible?: boolean | undefined
}

/** One request to pass on. */
export interface ForwardRequest {
  readonly method: string
  /** Path and query relative to the provider's base URL; empty, or beginning with `/` or `?`. */
  readonly path: string
  /** As they came. Credentials, cookies and hop-by-hop headers among them are left out. */
  readonly headers: RawHeaders
  /** Absent when there is none. */
  readonly body?: RequestBody | undefined
  /** It asks for a WebSocket session. Such a request has no body. */
  readonly upgrade?: UpgradeRequest | undefined
  /** The body without its `content-encoding`, where it has one and is whole. It is read, and sent as it came. */
  readonly decoded?: Buffer | undefined
  /** The providers to try, in order. */
  readonly stages: readonly Stage[]
  /** The model to choose profiles by when the request itself names none. */
  readonly model?: string | undefined
  /** Ends the request at every stage, the upstream connection included. Never recorded as a failure. */
  readonly signal?: EndSignal | undefined
  /** The most upstream tries. No limit by default: every usable profile once, and a few retries. */
  readonly maxAttempts?: number | undefined
  readonly settings?: Partial<ForwardSettings> | undefined
  /**
   * Called when the request begins to wait for an account, once at most; what it gives is called when the wait is over,
   * and told whether an account answered.
   */
  readonly held?: (() => (served: boolean) => void) | undefined
}

/** What a request for a WebSocket session asks for. */
export interface UpgradeRequest {
  /** Subprotocols to offer, without those that carry a caller's key. */
  readonly protocols: readonly string[]
  /** The provider's first message comes unasked: it is looked at before the session counts as had. */
  readonly greets: boolean
}

/** Limits of forwarding. */
export interface ForwardSettings {
  /**
   * How long an upstream that has the request may take to begin its answer before another profile is asked beside
   * it, in milliseconds. Default 30,000. It is given up after ten times as long.
   */
  readonly firstByteTimeoutMs: number
  /**
   * How long a stream that has begun may be silent, in milliseconds, until it is ended with an error, an eighth of that
   * later at most. Default 300,000.
   */
  readonly idleTimeoutMs: number
  /** How long all tries together may take until one begins to answer, in milliseconds. Default 600,000. */
  readonly deadlineMs: number
  /**
   * How long the request may wait for an account when all are busy for a while (rate limits, overload, server errors,
   * silence), in milliseconds, and never beyond the deadline. Default 0: it is answered at once.
   */
  readonly maxWaitMs: number
  /** The most requests that wait at a time. Default 256. */
  readonly holdRequests: number
  /** The most bytes that the bodies of those that wait may take together. Default 64,000,000. */
  readonly holdBytes: number
  /**
   * Whether user ids in JSON bodies are replaced by pseudonyms, others for each profile. Default false. A JSON body that
   * is too large to be kept is then refused (`body_too_large`).
   */
  readonly privacy: boolean
}

/** A try that failed, and what it was taken for. */
export interface FailedTry {
  readonly profileId: string
  readonly reason: FailureReason
  /** Absent when there was no answer. */
  readonly status?: number
}

/**
 * Who speaks in an answer: the `provider`; keymux itself, which has none to pass on (`refused`); or keymux in
 * place of upstreams none of which answered (`unreachable`).
 */
export type AnswerKind = 'provider' | 'refused' | 'unreachable'

/** The answer to a forwarded request. Its head is final: failures from here on are passed on as they are. */
export interface Answer {
  readonly kind: AnswerKind
  readonly status: number
  readonly statusText: string
  /** Without hop-by-hop headers. `content-length` and `content-encoding` belong to the body as it is here. */
  readonly headers: RawHeaders
  readonly body: AnswerBody
  /** The session, where the status is 101. */
  readonly tunnel?: AnswerTunnel | undefined
  /** Whose credential was sent; absent in keymux's own answers. */
  readonly profileId?: string
  /** Upstream tries, this one included. */
  readonly attempts: number
  /** False when the request's body was too large to be kept for another try. */
  readonly replayable: boolean
  /** The tries that failed, in order. */
  readonly failures: readonly FailedTry[]
  /** In keymux's own answers: what is wrong. */
  readonly error?: KeymuxError
}

/** Takes a body as it arrives. */
export interface BodySink {
  /** Gives false to be left alone until `resume` is called. */
  data(chunk: Buffer): boolean
  end(): void
  fail(error: unknown): void
}

/** A body that is read once, by one sink. */
export interface AnswerBody {
  /** The whole body, when it is here already: then nothing else need be called. */
  whole(): Buffer | undefined
  /** Begins delivery. */
  pipe(sink: BodySink): void
  /** Goes on after `data` gave false. */
  resume(): void
  /** Ends it early; the upstream connection is closed. Harmless after the end. */
  cancel(reason?: unknown): void
}

/** A connection that can be read and written, as sockets are. */
export interface Line {
  readonly destroyed: boolean
  write(chunk: Buffer): boolean
  end(): unknown
  destroy(): unknown
  pause(): unknown
  resume(): unknown
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
  on(event: 'end' | 'drain' | 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

/** How a session ended. */
export interface TunnelOver {
  /** Who ended it first: with a Close frame, or by leaving. */
  readonly by: 'caller' | 'provider' | 'keymux'
  /** The code of the first Close frame; absent where the connection broke without one. */
  readonly code?: number
  /** What came from the caller and from the provider, in bytes. */
  readonly callerBytes: number
  readonly providerBytes: number
}

/** A WebSocket session with a provider that waits for its caller. Frames pass as they are, both ways. */
export interface AnswerTunnel {
  /** The subprotocol that the provider chose. */
  readonly protocol: string | undefined
  /** Which credential it was opened with. */
  readonly origin: OutcomeOrigin | undefined
  /**
   * Puts the caller's connection and the session together. To be called once, after the caller was told of it.
   *
   * @param early what the caller has sent meanwhile
   * @param over called once, when both connections are closed
   */
  join(caller: Line, early: Buffer, over: (end: TunnelOver) => void): void
  /** Ends it with a Close frame to both sides. Harmless after the end. */
  close(code: number, reason: string): void
}

/** Passes requests on to providers, with failover. */
export interface Forwarder {
  /**
   * Tries profiles until one answers. Rejects only with the signal's reason, with a `KeymuxError` about the
   * vault (`vault_locked`, storage errors), with `unknown_provider`, `foreign_host` (the path leads out of
   * the base URL), `unsupported_coding` (its body cannot be read), `body_too_large` or `invalid_value` (the request cannot be sent).
   * Everything else is an answer.
   */
  forward(request: ForwardRequest): Promise<Answer>
  /** Closes all connections. */
  close(): Promise<void>
}
