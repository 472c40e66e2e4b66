import { Agent, type Dispatcher } from 'undici'
import type { Egress, EgressOwner, OutgoingAnswer, OutgoingRequest, ProxyUse } from '../domain/egress.js'
import { isKeymuxError } from '../domain/errors.js'
import { isProxyReference, NO_PROXY, type ProxyAddress, parseProxyUrl, proxyLabel } from '../domain/proxy.js'
import {
  chooseProxy,
  type Environment,
  type ProxyChoice,
  type ProxyEnvironment,
  readProxyEnvironment,
} from './choice.js'
import { type Connect, directConnect, ProxyConnector } from './proxy-connector.js'
import { ProxyError } from './proxy-error.js'
import { NoAnswerError, sendOnce } from './send-once.js'

/** What routes are found with. */
export interface RouteParts {
  readonly env: Environment
  /** The proxy of the config, for everybody, as it is now. */
  readonly general: () => string | undefined
  readonly ofProvider: (provider: string) => string | undefined
  readonly ofProfile: (id: string) => Promise<string | undefined>
  /** Reads a proxy's URL from where it is kept. */
  readonly readReference: (reference: string, signal?: AbortSignal) => Promise<string>
}

/** A way through a proxy. */
export interface Route extends ProxyUse {
  /** For requests that share connections. */
  readonly dispatcher: Dispatcher
  /** For a connection of its own. */
  readonly connect: Connect
}

/** What goes through one proxy. */
interface Through {
  /** Makes the connections that requests share. */
  readonly shared: ProxyConnector
  readonly agent: Agent
  /** For connections of their own, whose senders end them. */
  readonly connect: Connect
}

/** How long an unused connection is kept, in milliseconds. Providers keep theirs longer, so ours ends first. */
const KEEP_ALIVE_MS = 10_000
/** Proxies in use at a time, each with its login; the oldest gives way. */
const MOST_ROUTES = 256
const PROBE_MS = 10_000

/** Every request that leaves goes by one of these: straight, or through the proxy that it is told. */
export class Routes implements Egress {
  readonly #parts: RouteParts
  readonly #environment: ProxyEnvironment
  #straight: Agent | undefined
  readonly #connect = directConnect()
  readonly #known = new Map<string, Through>()

  constructor(parts: RouteParts) {
    this.#parts = parts
    this.#environment = readProxyEnvironment(parts.env)
  }

  /** For requests that go straight to their server. */
  get straight(): Dispatcher {
    this.#straight ??= agentWith({ timeout: 0 })
    return this.#straight
  }

  /**
   * The way through the proxy for requests to an address; `undefined` where they go straight there. At once, unless the
   * proxy's URL is kept elsewhere.
   *
   * @throws ProxyError where the setting names no usable proxy
   */
  find(
    origin: string,
    provider: string | undefined,
    ofProfile: string | undefined,
  ): Route | undefined | Promise<Route | undefined> {
    const settings = {
      profile: ofProfile,
      provider: provider === undefined ? undefined : this.#parts.ofProvider(provider),
      general: this.#parts.general(),
    }
    // Most have no proxy at all, and this is asked for each request.
    const isPlain = settings.profile ?? settings.provider ?? settings.general ?? this.#environment.proxy
    if (isPlain === undefined) return undefined
    const choice = chooseProxy(new URL(origin), settings, this.#environment)
    if (choice === undefined || choice.setting.toLowerCase() === NO_PROXY) return undefined
    const source = sourceOf(choice, provider)
    // A variable that says where a variable is would be one too many.
    const isKeptElsewhere = choice.source !== 'environment' && isProxyReference(choice.setting)
    if (!isKeptElsewhere) return this.#route(choice.setting, source)
    return this.#read(choice.setting, source).then((url) => this.#route(url, source))
  }

  async proxyFor(url: string, owner: EgressOwner): Promise<ProxyUse | undefined> {
    const route = await this.#of(url, owner)
    return route && { label: route.label, source: route.source }
  }

  /** What makes connections to an address; `undefined` where they go straight there. */
  async way(url: string, owner: EgressOwner): Promise<Connect | undefined> {
    return (await this.#of(url, owner))?.connect
  }

  async send(request: OutgoingRequest, owner: EgressOwner): Promise<OutgoingAnswer> {
    request.signal?.throwIfAborted()
    return sendOnce(request, await this.way(request.url, owner))
  }

  async probe(url: string, owner: EgressOwner, signal?: AbortSignal): Promise<void> {
    const { protocol, hostname, host, port } = new URL(url)
    const connect = (await this.way(url, owner)) ?? this.#connect
    await new Promise<void>((resolve, reject) => {
      const opening = connect(
        { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), host, port },
        (error, socket) => {
          stop()
          socket?.destroy()
          if (error === null) resolve()
          else reject(error instanceof ProxyError ? error : unreachable(host, error))
        },
      )
      const give = (reason: unknown): void => {
        stop()
        opening?.destroy()
        reject(reason instanceof Error ? reason : unreachable(host, reason))
      }
      const aborted = (): void => give(signal?.reason)
      const timer = setTimeout(
        () =>
          give(new NoAnswerError('provider_unreachable', `${host} did not answer in time`, false, undefined)),
        PROBE_MS * 2,
      )
      const stop = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', aborted)
      }
      signal?.addEventListener('abort', aborted, { once: true })
    })
  }

  /** Closes all connections that are shared, exchanges under way included. */
  async close(): Promise<void> {
    const all = [...this.#known.values()]
    this.#known.clear()
    for (const { shared } of all) shared.close()
    await Promise.all([this.#straight?.destroy(), ...all.map(({ agent }) => agent.destroy())])
  }

  async #of(url: string, { provider, profileId }: EgressOwner): Promise<Route | undefined> {
    const ofProfile = profileId === undefined ? undefined : await this.#parts.ofProfile(profileId)
    return this.find(url, provider, ofProfile)
  }

  async #read(reference: string, source: string): Promise<string> {
    try {
      return await this.#parts.readReference(reference)
    } catch (error) {
      if (!isKeymuxError(error) || error.code === 'vault_locked' || error.code === 'interrupted') throw error
      const message = `${source} names a proxy that cannot be read: ${error.message}`
      throw new ProxyError(message, { proxy: '', hint: error.hint, cause: error })
    }
  }

  #route(url: string, source: string): Route {
    const address = parseProxyUrl(url)
    if (address === undefined) {
      // The URL may hold a password, and is not repeated.
      throw new ProxyError(`${source} names no proxy that can be used`, {
        proxy: '',
        hint: 'it has to be http://, https:// or socks5://, a host and a port',
      })
    }
    const { agent, connect } = this.#through(address)
    return { label: proxyLabel(address), source, dispatcher: agent, connect }
  }

  #through(address: ProxyAddress): Through {
    const key = JSON.stringify(address)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const shared = new ProxyConnector(address)
    const { connect } = new ProxyConnector(address)
    const made = { shared, agent: agentWith(shared.connect), connect }
    this.#known.set(key, made)
    const [oldest] = this.#known
    if (this.#known.size > MOST_ROUTES && oldest !== undefined) {
      this.#known.delete(oldest[0])
      // What is under way comes to its end.
      void oldest[1].agent.close()
    }
    return made
  }
}

/**
 * undici's dispatcher: half the time per request that `node:http` takes, and no stream objects in between. Its own
 * time-outs are off, whoever sends has his own.
 */
function agentWith(connect: NonNullable<Agent.Options['connect']>): Agent {
  return new Agent({
    connections: null,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect,
  })
}

function sourceOf({ source, variable }: ProxyChoice, provider: string | undefined): string {
  switch (source) {
    case 'environment':
      return variable ?? 'the environment'
    case 'config':
      return 'proxy in the config'
    case 'provider':
      return `the proxy of ${provider}`
    case 'profile':
      return 'the proxy of the profile'
  }
}

function unreachable(host: string, cause: unknown): NoAnswerError {
  const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const shown = typeof code === 'string' && /^\w{1,64}$/.test(code) ? ` (${code})` : ''
  return new NoAnswerError('provider_unreachable', `${host} cannot be reached${shown}`, false, cause)
}
