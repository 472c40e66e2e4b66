import type { IncomingMessage, ServerResponse } from 'node:http'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { ProviderFamily } from '../../domain/provider.js'
import { ProfileTools } from '../../operations/profile-tools.js'
import { realtimeOf } from '../../providers/realtime.js'
import { familyOfCaller, refuse, sendJson, sendText } from './answers.js'
import { serveApi } from './api.js'
import type { CallerLine } from './caller-line.js'
import { ChildTokens, exceeds, type Grant } from './child-tokens.js'
import { GatewayFiles, type ReadPrivateFile } from './files.js'
import { CHILD_TOKENS } from './find.js'
import { type GuardOptions, guard } from './guard.js'
import { handshakeRefusal } from './handshake.js'
import { type Listening, listen, type Place } from './listen.js'
import { GatewayMetrics } from './observe.js'
import { followToken, ownToken } from './own-token.js'
import { type Refusal, refusal, refusalOf } from './refusal.js'
import { Relay } from './relay.js'
import { discardBody, GatewayServer } from './server.js'
import { parseTarget, type Target } from './target.js'
import { checkToken, newToken, TokenCheck } from './token.js'
import { Tunnels } from './tunnels.js'
import type { Gateway, GatewayOptions, Served } from './types.js'

const DRAIN_MS = 30_000
const SHORT_COMMAND_MS = 60_000
const UNAUTHORIZED = refusal(401, 'keymux_unauthorized', 'the gateway token is missing or wrong', {
  'www-authenticate': 'Bearer realm="keymux"',
})
const NO_PAGE = refusal(
  404,
  'keymux_not_found',
  'there is no page here; ask /PROVIDER/…, /@CHAIN/…, /api/…, /healthz, /readyz or /metrics',
)
const INTERNAL = refusal(500, 'keymux_internal_error', 'the gateway failed to answer this request')
const CHALLENGE = /^[\w-]{8,128}$/

/**
 * Starts a gateway on an open vault. It forwards `/PROVIDER[:NAME]/…` and `/@CHAIN/…` with a credential of
 * the vault to callers that show its token.
 *
 * @throws KeymuxError `usage` for an address beyond loopback without `allowRemote`, `conflict` for one that is
 *   in use, `invalid_value`, `invalid_secret`, `unsafe_permissions`, storage errors
 */
export async function serveGateway(
  handle: Served,
  options: GatewayOptions & { readonly stateFolder: string; readonly readFile: ReadPrivateFile },
): Promise<Gateway> {
  const { announce = true, logger } = options
  const { vaultId } = await handle.vault.status()
  const files = announce ? new GatewayFiles(options.stateFolder, vaultId, options.readFile) : undefined
  const given = options.token === undefined ? newToken() : checkToken(options.token, 'the given token')
  const token =
    files === undefined
      ? given
      : await ownToken(files, { token: options.token, rotate: options.rotateToken === true })
  const desk = new Desk(handle, options, token)
  const where = await listen(desk.server.server, placeOf(handle, options))
  desk.url = where.url ?? ''
  const unfollow = files === undefined ? () => {} : followToken(files, desk.token, logger)
  try {
    await files?.writeRecord({ ...recordOf(where), pid: process.pid, startedAt: new Date().toISOString() })
  } catch (error) {
    unfollow()
    await desk.server.close(0)
    throw error
  }
  const living = new AbortController()
  const keptFresh = handle.oauth.keepFresh(living.signal).catch((error: unknown) => {
    if (!living.signal.aborted) logger?.error('logins are no longer renewed ahead of time', { error })
  })
  const keptChecked = desk.keepChecked(living.signal)
  let closing: Promise<number> | undefined
  const close = async ({ drainMs = DRAIN_MS }: { readonly drainMs?: number } = {}): Promise<number> => {
    if (closing !== undefined && drainMs === 0) desk.server.cut()
    closing ??= (async () => {
      const stopped = desk.close(drainMs)
      living.abort()
      unfollow()
      await Promise.all([keptFresh, keptChecked, files?.removeRecord(process.pid)])
      return stopped
    })()
    return closing
  }
  return {
    url: where.url,
    port: where.port,
    socket: where.socket,
    token,
    tokenFile: files?.tokenPath,
    close,
    [Symbol.asyncDispose]: async () => {
      await close()
    },
  }
}

function placeOf({ config }: Served, options: GatewayOptions): Place {
  if (options.socket !== undefined) return { socket: options.socket }
  const { host = config.gateway.host, port = config.gateway.port, allowRemote = false } = options
  return { host, port, allowRemote }
}

function recordOf({ url, socket }: Listening): { readonly url: string } | { readonly socket: string } {
  return url === undefined ? { socket: socket ?? '' } : { url }
}

/** Receives requests and sends each where it belongs. */
class Desk {
  readonly server: GatewayServer
  readonly token: TokenCheck
  /** Where it listens; empty behind a unix socket. */
  url = ''
  readonly #handle: Served
  readonly #guard: GuardOptions
  readonly #metrics = new GatewayMetrics()
  readonly #tools: ProfileTools
  readonly #relay: Relay
  readonly #logger: GatewayOptions['logger']
  /** Its token was handed to one program, for the use of accounts. */
  readonly #isPrivate: boolean
  readonly #grant: Grant
  readonly #tunnels: Tunnels
  readonly #children: ChildTokens

  constructor(handle: Served, options: GatewayOptions, token: string) {
    this.#handle = handle
    this.#logger = options.logger
    this.#isPrivate = options.announce === false
    this.#grant = { providers: options.providers && new Set(options.providers) }
    this.token = new TokenCheck(token)
    this.#guard = guardOf(options, options.host ?? handle.config.gateway.host)
    this.#tools = new ProfileTools(handle.profiles, handle.resolver, {
      providers: handle.providers,
      allowReveal: false,
    })
    this.#tunnels = new Tunnels(handle)
    this.#children = new ChildTokens(() => this.#tunnels.check())
    this.#relay = new Relay(handle, this.#metrics, this.#tunnels, options.logger)
    this.server = new GatewayServer({
      serve: (request, response, line) => this.#serve(request, response, line),
      requestTimeoutMs: handle.config.gateway.deadlineSeconds * 1_000,
      onMalformed: ({ code }) => this.#metrics.refused(code),
      refuse: (request, response, why) =>
        this.#refuse(request, response, parseTarget(request.url ?? ''), why),
    })
  }

  #serve(request: IncomingMessage, response: ServerResponse, line?: CallerLine): void {
    const target = parseTarget(request.url ?? '')
    const tunnels = line !== undefined && this.#tunnelsTo(target)
    const why = this.#objection(request, target, tunnels)
    if (why === undefined)
      this.#guarded(request, response, this.#dispatch(request, response, target, tunnels ? line : undefined))
    else this.#refuse(request, response, target, why)
  }

  /** Why a request gets no further, in the order in which it matters who asks. */
  #objection(request: IncomingMessage, target: Target, tunnels: boolean): Refusal | undefined {
    const { method = '', rawHeaders } = request
    const foreign = guard({ method, rawHeaders, tunnels }, this.#guard)
    if (foreign !== undefined) return foreign
    if (target.kind === 'healthz' || target.kind === 'readyz') return undefined
    return this.#admission(request, target) ?? (tunnels ? handshakeRefusal(request) : undefined)
  }

  /** Why a token does not lead there. */
  #admission(request: IncomingMessage, target: Target): Refusal | undefined {
    const grant = this.#grantOf(request)
    if (grant === undefined) return UNAUTHORIZED
    if (target.kind === 'bad') return target.refusal
    return target.kind === 'root' ? NO_PAGE : exceeds(grant, target)
  }

  #tunnelsTo(target: Target): boolean {
    if (target.kind !== 'provider') return false
    return realtimeOf(this.#handle.providers.get(target.provider), target.path) !== undefined
  }

  #grantOf(request: IncomingMessage): Grant | undefined {
    if (this.token.admits(request.headers, request.url ?? '')) return this.#grant
    return this.#children.grantOf(request)
  }

  /**
   * Asks about profiles that are set aside, until the signal fires. A gateway that was started for one program asks once
   * it has lived for a minute: a short command checks nothing.
   */
  async keepChecked(signal: AbortSignal): Promise<void> {
    try {
      if (this.#isPrivate) await delay(SHORT_COMMAND_MS, undefined, { signal, ref: false })
      await this.#handle.health?.keepChecked(signal, {
        onChecked: ({ provider, outcome }) => this.#metrics.checked(provider, outcome),
      })
    } catch (error) {
      if (!signal.aborted) this.#logger?.error('profiles that are set aside are no longer checked', { error })
    }
  }

  /** Stops, and lets go of the programs that hold a token: their connections would never end by themselves. */
  close(drainMs: number): Promise<number> {
    const stopped = this.server.close(drainMs)
    this.#tunnels.end()
    this.#children.end()
    return stopped
  }

  async #dispatch(
    request: IncomingMessage,
    response: ServerResponse,
    target: Target,
    line: CallerLine | undefined,
  ): Promise<void> {
    switch (target.kind) {
      case 'provider':
      case 'chain': {
        const isAdmitted = (): boolean => this.#admission(request, target) === undefined
        const why = await this.#relay.relay(request, response, target, line && { line, isAdmitted })
        if (why !== undefined) this.#refuse(request, response, target, why)
        return
      }
      case 'api':
        if (request.method === 'POST' && target.path === CHILD_TOKENS && !this.#isPrivate) {
          const why = await this.#children.hold(request, response, this.#handle.providers)
          if (why !== undefined) this.#refuse(request, response, target, why)
          return
        }
        await serveApi(request, response, target, this.#tools, this.#isPrivate)
        break
      case 'metrics':
        await this.#renderMetrics(response)
        break
      case 'readyz':
        await this.#ready(response)
        break
      default:
        this.#health(request, response)
    }
    discardBody(request)
  }

  /** Whatever goes wrong in an answer of our own becomes one, and nothing ends the process. */
  #guarded(request: IncomingMessage, response: ServerResponse, work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (request.destroyed && !response.writable) return
      const why = refusalOf(error)
      if (why === undefined) this.#logger?.error('a request failed inside the gateway', { error })
      this.#refuse(request, response, parseTarget(request.url ?? ''), why ?? INTERNAL)
    })
  }

  #refuse(request: IncomingMessage, response: ServerResponse, target: Target, why: Refusal): void {
    this.#metrics.refused(why.code)
    this.#logger?.info('a request was refused', { code: why.code, status: why.status })
    refuse(response, this.#familyOf(request, target), why)
    discardBody(request)
  }

  #familyOf(request: IncomingMessage, target: Target): ProviderFamily {
    const provider = target.kind === 'provider' ? this.#handle.providers.get(target.provider) : undefined
    if (provider !== undefined) return provider.family ?? 'openai'
    return target.kind === 'provider' ? familyOfCaller(request.headers) : 'openai'
  }

  #health(request: IncomingMessage, response: ServerResponse): void {
    const challenge = request.headers['x-keymux-challenge']
    const proof =
      typeof challenge === 'string' && CHALLENGE.test(challenge)
        ? { proof: this.token.prove(challenge, this.url) }
        : {}
    sendJson(response, 200, { status: 'ok', ...proof })
  }

  async #ready(response: ServerResponse): Promise<void> {
    const reason = await this.#unready()
    if (reason === undefined) sendJson(response, 200, { status: 'ready' })
    else sendJson(response, 503, { status: 'not ready', reason })
  }

  async #unready(): Promise<string | undefined> {
    if (this.server.closing) return 'shutting down'
    if (!this.#handle.vault.isUnlocked()) return 'the vault is locked'
    try {
      await this.#handle.profiles.views()
      return undefined
    } catch {
      return 'the vault cannot be read'
    }
  }

  async #renderMetrics(response: ServerResponse): Promise<void> {
    const text = await this.#metrics.render(this.#handle.profiles, this.server.underWay, this.#tunnels.size)
    sendText(response, 200, text, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
  }
}

function guardOf(options: GatewayOptions, listened: string): GuardOptions {
  const anyAddress = options.allowRemote === true
  const named = (options.allowHosts ?? []).map((name) => name.toLowerCase())
  const host = listened.toLowerCase()
  return {
    hosts: new Set([...named, host, `[${host}]`, ...(anyAddress ? [hostname().toLowerCase()] : [])]),
    anyAddress,
    anyHost: options.socket !== undefined,
  }
}
