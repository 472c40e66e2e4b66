import type { Duplex } from 'node:stream'
import type { Affinity } from '../domain/affinity.js'
import type { OwnFailureRule } from '../domain/failure-rule.js'
import type { ForwardSettings, RawHeaders } from '../domain/forwarding.js'
import type { OAuthRenewer } from '../domain/logins.js'
import type { Clock, Logger, Random } from '../domain/ports.js'
import type { AuthProfile } from '../domain/profile.js'
import type { Profiles } from '../domain/profiles.js'
import type { Providers } from '../domain/providers.js'
import type { Refusals } from '../domain/refusals.js'
import type { CredentialResolver } from '../domain/resolver.js'
import type { Route } from '../egress/routes.js'
import type { Offer } from './handshake.js'

/** One request as it goes over the wire. */
export interface UpstreamRequest {
  /** `https://HOST[:PORT]` */
  readonly origin: string
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers: RawHeaders
  readonly body: Buffer | AsyncIterable<Uint8Array> | undefined
  /** It asks for a WebSocket session; its headers hold the offer. */
  readonly offer?: Offer | undefined
}

/** The connection of an exchange under way. */
export interface UpstreamConnection {
  pause(): void
  resume(): void
  /** Closes it; `error` is called with the reason. */
  abort(reason: Error): void
}

/** Is told of an exchange, in this order: `start`, `head`, `data`…, then `end` or `error`. */
export interface UpstreamHandler {
  /** A connection is there and the request is about to be written. */
  start(connection: UpstreamConnection): void
  /** Also for informational answers (1xx), before the real one. */
  head(status: number, statusText: string, headers: RawHeaders): void
  data(chunk: Buffer): void
  end(): void
  /** Instead of all others: the upstream has changed protocols, and the connection is the handler's from now on. */
  upgraded(headers: RawHeaders, connection: Duplex): void
  /** At any time, also instead of everything else. */
  error(error: Error): void
}

/** Sends requests over connections that it keeps. Follows no redirects. */
export interface UpstreamSender {
  /**
   * The way through a proxy for requests of a profile; `undefined` where they go straight to their server. Absent: all do.
   *
   * @throws KeymuxError `proxy_failed` where its proxy cannot be used
   */
  route?(origin: string, profile: AuthProfile): Route | undefined | Promise<Route | undefined>
  send(request: UpstreamRequest, handler: UpstreamHandler, route?: Route): void
  /** Closes all connections, exchanges under way included. */
  close(): Promise<void>
}

/** Waits. The system's timers, or those of a test. */
export interface Timers {
  /** Calls `run` once after `ms` milliseconds unless the function it gives is called before. */
  after(ms: number, run: () => void): () => void
  /** The same for what arrives over a connection: what has arrived when the time is up is looked at first. */
  deadline(ms: number, run: () => void): () => void
}

/** What forwarding works with. */
export interface ForwarderParts {
  readonly resolver: Pick<CredentialResolver, 'resolve' | 'resolveNow' | 'resolveTrial'>
  readonly profiles: Pick<Profiles, 'noteSuccess' | 'noteFailure' | 'isReplaced'> &
    Partial<Pick<Profiles, 'noteQuota'>>
  /** Which account objects and conversations belong to. Absent: any account may serve any request. */
  readonly affinity?: Affinity | undefined
  /** What accounts have refused for no known reason. Absent: every such refusal is put to a second account. */
  readonly refusals?: Refusals | undefined
  /** Renews a login whose access token was refused. */
  readonly renewer: Pick<OAuthRenewer, 'renew'>
  readonly providers: Pick<Providers, 'get'>
  readonly sender: UpstreamSender
  /** Governs cooldowns and stated waits. */
  readonly clock: Clock
  /** Governs time-outs and the pauses between tries. */
  readonly timers: Timers
  readonly random: Random
  readonly settings?: Partial<ForwardSettings> | undefined
  /** Rules of the owner's own about failures, as they are now. */
  readonly failureRules?: (() => readonly OwnFailureRule[]) | undefined
  /** 32 bytes that stand for a value towards the account of a profile, and tell nobody what it was. */
  readonly pseudonym: (profileId: string, value: string) => Buffer
  readonly logger?: Logger | undefined
  /** Is told of a caller's header that named another account than the one that is used, and is not sent. */
  readonly removedHeader?: ((name: string, profileId: string) => void) | undefined
}
