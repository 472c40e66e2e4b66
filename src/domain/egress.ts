/** Whose request it is: decides on its proxy. */
export interface EgressOwner {
  readonly provider?: string | undefined
  /** The id of a profile; one that does not exist yet counts for its provider alone. */
  readonly profileId?: string | undefined
}

/** A request that is sent once, over a connection of its own. */
export interface OutgoingRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Until the end of the answer, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number | undefined
}

/** An answer, or as much of it as arrived. */
export interface OutgoingAnswer {
  readonly status: number
  /** Names in lower case; the first of several of one name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Whether nothing of the body is missing. */
  readonly complete: boolean
}

/** A proxy in use. Holds no secret. */
export interface ProxyUse {
  /** `HOST:PORT` */
  readonly label: string
  /** Who says so, as people know it: `HTTPS_PROXY`, `proxy in the config`, `the profile`. */
  readonly source: string
}

/** The way out of this machine: every request that leaves goes by it, and so do proxies. */
export interface Egress {
  /**
   * The proxy for requests to an address; `undefined` where they go straight there.
   *
   * @throws KeymuxError `proxy_failed` where the setting names no usable proxy, `reference_unresolved`
   */
  proxyFor(url: string, owner: EgressOwner): Promise<ProxyUse | undefined>
  /**
   * Sends one request, never again, and follows no redirect. What has arrived of an answer when it breaks off, grows
   * beyond 256 KiB or takes too long is given as it is.
   *
   * @throws KeymuxError `proxy_failed`, `provider_unreachable`, and the signal's reason
   */
  send(request: OutgoingRequest, owner: EgressOwner): Promise<OutgoingAnswer>
  /**
   * Opens a connection to the server of an address, through its proxy where it has one, and closes it. Sends no request.
   *
   * @throws KeymuxError `proxy_failed`, `provider_unreachable`
   */
  probe(url: string, owner: EgressOwner, signal?: AbortSignal): Promise<void>
}
