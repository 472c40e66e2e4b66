import type { IncomingMessage, ServerResponse } from 'node:http'
import { isKeymuxError } from '../../domain/errors.js'
import type {
  Answer,
  AnswerTunnel,
  EndSignal,
  ForwardRequest,
  RequestBody,
  Stage,
} from '../../domain/forwarding.js'
import { newProfileId } from '../../domain/ids.js'
import type { Logger } from '../../domain/ports.js'
import { realtimeOf } from '../../providers/realtime.js'
import { Ending } from '../../transport/ending.js'
import { bodyKind } from '../../transport/gate.js'
import { withoutHandshake } from '../../transport/handshake.js'
import { makingHeaders } from '../../transport/headers.js'
import { holdStream } from '../../transport/request-body.js'
import type { CallerLine } from './caller-line.js'
import { modelIn, switchingHead, upgradeOf, withoutCredentials } from './handshake.js'
import type { GatewayMetrics } from './observe.js'
import { type Refusal, refusal, refusalOf } from './refusal.js'
import { discardBody } from './server.js'
import type { Target } from './target.js'
import type { Tunnels } from './tunnels.js'
import type { Served } from './types.js'

/** A target that lies upstream. */
export type UpstreamTarget = Extract<Target, { kind: 'provider' | 'chain' }>

const BYTES_PER_MB = 1_000_000
const MS_PER_SECOND = 1_000
const LARGEST_SINGLE_WRITE = 16_384
const UNKNOWN_PROVIDER = refusal(
  404,
  'keymux_unknown_provider',
  'there is no such provider: see keymux providers',
)
const UNKNOWN_PROFILE = refusal(404, 'keymux_unknown_profile', 'there is no such profile: see keymux list')
const UNKNOWN_CHAIN = refusal(404, 'keymux_unknown_chain', 'the config declares no such chain')

/** A caller who asks for a WebSocket session, and may have one. */
export interface TunnelCaller {
  readonly line: CallerLine
  /** Whether his token still counts. */
  readonly isAdmitted: () => boolean
}

/** What became of an exchange, for log and metrics. */
interface Exchange {
  readonly provider: string
  readonly method: string
  readonly startedAt: number
}

/** Takes requests for providers to the forwarding core, and its answers back. */
export class Relay {
  readonly #handle: Served
  readonly #metrics: GatewayMetrics
  readonly #tunnels: Tunnels
  readonly #logger: Logger | undefined

  constructor(handle: Served, metrics: GatewayMetrics, tunnels: Tunnels, logger: Logger | undefined) {
    this.#handle = handle
    this.#metrics = metrics
    this.#tunnels = tunnels
    this.#logger = logger
  }

  /**
   * Answers one request from upstream; gives the refusal where there is no such upstream or the vault fails.
   * Rejects when something unforeseen goes wrong.
   */
  async relay(
    request: IncomingMessage,
    response: ServerResponse,
    target: UpstreamTarget,
    caller?: TunnelCaller,
  ): Promise<Refusal | undefined> {
    const startedAt = performance.now()
    const stages = this.#stages(target)
    if ('status' in stages) return stages
    const leaving = new Ending()
    let answered = false
    const leave = (): void => {
      // The server itself may have answered meanwhile: the rest of the body could not be read.
      if (!answered || !response.writableFinished) leaving.abort()
    }
    response.once('close', leave)
    try {
      if (target.kind === 'provider' && target.name !== undefined && (await this.#isUnknown(target))) {
        response.off('close', leave)
        return UNKNOWN_PROFILE
      }
      const provider = target.kind === 'provider' ? target.provider : `@${target.chain}`
      const held = this.#holdOf(provider, leaving)
      const asked =
        caller === undefined
          ? await this.#asked(request, target, stages, leaving, held)
          : this.#askedForSession(request, target, stages, leaving, held)
      const answer = await this.#handle.forwarder.forward(asked)
      answered = true
      const exchange = { provider, method: request.method ?? '', startedAt }
      if (caller !== undefined && answer.tunnel !== undefined) {
        response.off('close', leave)
        this.#join(request, caller, answer, answer.tunnel, exchange)
        return undefined
      }
      this.#answer(response, answer, exchange)
      // A provider may answer before it has the whole body: the rest must not stand in the way of what follows.
      if (!request.complete) response.once('finish', () => discardBody(request))
      return undefined
    } catch (error) {
      response.off('close', leave)
      if (leaving.aborted || response.headersSent || isKeymuxError(error, 'aborted')) return undefined
      const why = refusalOf(error)
      if (why === undefined) throw error
      return why
    }
  }

  #stages(target: UpstreamTarget): readonly Stage[] | Refusal {
    const { providers, config } = this.#handle
    if (target.kind === 'provider') {
      const { provider, name } = target
      if (providers.get(provider) === undefined) return UNKNOWN_PROVIDER
      return [name === undefined ? { provider } : { provider, profile: name }]
    }
    const members = Object.hasOwn(config.chains, target.chain) ? config.chains[target.chain] : undefined
    return members?.map(chainStage) ?? UNKNOWN_CHAIN
  }

  /** Whether a profile is named that is not there. */
  async #isUnknown(target: UpstreamTarget): Promise<boolean> {
    if (target.kind !== 'provider' || target.name === undefined) return false
    try {
      await this.#handle.profiles.view(newProfileId(target.provider, target.name))
      return false
    } catch (error) {
      if (isKeymuxError(error, 'profile_not_found')) return true
      throw error
    }
  }

  #holdOf(provider: string, leaving: EndSignal): ForwardRequest['held'] {
    return () => {
      const over = this.#metrics.held(provider)
      return (served) => over(served ? 'served' : leaving.aborted ? 'left' : 'gave_up')
    }
  }

  async #asked(
    request: IncomingMessage,
    target: UpstreamTarget,
    stages: readonly Stage[],
    signal: EndSignal,
    held: ForwardRequest['held'],
  ): Promise<ForwardRequest> {
    const { gateway } = this.#handle.config
    const body = await bodyOf(request, gateway.replayLimitMb * BYTES_PER_MB, signal)
    // OpenAI's clients are told a base URL with or without the version; chains take both.
    const path = target.kind === 'chain' ? target.path.replace(/^\/v1(?=\/|$)/, '') : target.path
    return {
      method: request.method ?? 'GET',
      path: path + target.query,
      headers: request.rawHeaders,
      stages,
      signal,
      held,
      settings: { maxWaitMs: gateway.maxWaitSeconds * MS_PER_SECOND },
      ...(body === undefined ? {} : { body }),
    }
  }

  #askedForSession(
    request: IncomingMessage,
    target: UpstreamTarget,
    stages: readonly Stage[],
    signal: EndSignal,
    held: ForwardRequest['held'],
  ): ForwardRequest {
    const { gateway } = this.#handle.config
    const provider = target.kind === 'provider' ? this.#handle.providers.get(target.provider) : undefined
    const realtime = realtimeOf(provider, target.path)
    if (realtime === undefined) throw new Error('only what can be tunnelled gets here')
    return {
      method: 'GET',
      path: target.path + withoutCredentials(target.query),
      headers: request.rawHeaders,
      stages,
      signal,
      held,
      settings: { maxWaitMs: gateway.maxWaitSeconds * MS_PER_SECOND },
      model: modelIn(target.query, realtime),
      upgrade: upgradeOf(request, realtime),
    }
  }

  #join(
    request: IncomingMessage,
    { line, isAdmitted }: TunnelCaller,
    answer: Answer,
    tunnel: AnswerTunnel,
    exchange: Exchange,
  ): void {
    const headMs = performance.now() - exchange.startedAt
    if (line.response.closed) {
      // The caller left while the upstream's head was on its way.
      tunnel.close(1001, '')
      this.#record(answer, exchange, headMs, false)
      return
    }
    const head = switchingHead(request, tunnel.protocol, withoutHandshake(headersOf(answer)))
    this.#logger?.debug('a session was opened', {
      provider: exchange.provider,
      profile: answer.profileId ?? '',
    })
    this.#tunnels.join(
      line,
      { answer, tunnel, head },
      isAdmitted,
      ({ by, code, callerBytes, providerBytes }) => {
        this.#record(answer, exchange, headMs, true)
        this.#logger?.info('a session ended', {
          provider: exchange.provider,
          profile: answer.profileId ?? '',
          by,
          ...(code === undefined ? {} : { close_code: code }),
          caller_bytes: callerBytes,
          provider_bytes: providerBytes,
        })
      },
    )
  }

  #answer(response: ServerResponse, answer: Answer, exchange: Exchange): void {
    const headMs = performance.now() - exchange.startedAt
    const { body } = answer
    if (response.closed) {
      // The caller left while the upstream's head was on its way.
      body.cancel()
      this.#record(answer, exchange, headMs, false)
      return
    }
    response.once('close', () => {
      const complete = response.writableFinished
      if (!complete) body.cancel()
      this.#record(answer, exchange, headMs, complete)
    })
    response.writeHead(answer.status, answer.statusText, headersOf(answer))
    const whole = body.whole()
    if (whole === undefined) stream(answer, response)
    else endWith(response, whole)
  }

  #record(
    answer: Answer,
    { provider, method, startedAt }: Exchange,
    headMs: number,
    complete: boolean,
  ): void {
    const totalMs = performance.now() - startedAt
    const { status, attempts, profileId: profile = '', failures } = answer
    this.#metrics.request({ provider, profile, status, attempts, headMs, totalMs })
    for (const failure of failures) {
      this.#metrics.failure(provider, failure.profileId, failure.reason)
      this.#logger?.warn('an upstream try failed', { ...failure })
    }
    if (this.#logger === undefined) return
    const smooth = failures.length === 0 && answer.kind === 'provider' && status < 400
    this.#logger[smooth ? 'debug' : 'info']('a request was answered', {
      method,
      provider,
      ...(profile === '' ? {} : { profile }),
      status,
      attempts,
      complete,
      head_ms: Math.round(headMs * 10) / 10,
      total_ms: Math.round(totalMs * 10) / 10,
      ...(answer.error === undefined ? {} : { code: answer.error.code }),
    })
  }
}

function stream({ body }: Answer, response: ServerResponse): void {
  response.on('drain', () => body.resume())
  body.pipe({
    data: (chunk) => response.write(chunk),
    end: () => response.end(),
    // What was sent is not all there is: the caller sees the connection break, as the upstream's did.
    fail: () => response.destroy(),
  })
}

/** Bytes as text of one byte each go out in one write with the head, which is a text of that kind as well. */
function endWith(response: ServerResponse, bytes: Buffer): void {
  if (bytes.length > LARGEST_SINGLE_WRITE) response.end(bytes)
  else response.end(bytes.toString('latin1'), 'latin1')
}

function chainStage(member: string): Stage {
  const colon = member.indexOf(':')
  if (colon < 0) return { provider: member, compatible: true }
  return { provider: member.slice(0, colon), model: member.slice(colon + 1), compatible: true }
}

async function bodyOf(
  request: IncomingMessage,
  limit: number,
  signal: EndSignal,
): Promise<RequestBody | undefined> {
  const { 'content-length': stated, 'transfer-encoding': encoding } = request.headers
  if (stated === undefined && encoding === undefined) return undefined
  return holdStream(request, { limit, length: stated === undefined ? undefined : Number(stated), signal })
}

/** Web pages may not read answers, whatever the upstream would allow them. */
const FOR_WEB_PAGES = /^access-control-/i

/** What a proxy before the gateway reads: nginx would hold a stream back until its buffer is full. */
const BUFFERING = 'x-accel-buffering'

function headersOf(answer: Answer): string[] {
  const headers = makingHeaders(answer)
  const isStream = bodyKind(answer.headers) === 'events'
  if (isStream) headers.push(BUFFERING, 'no')
  for (let index = 0; index < answer.headers.length; index += 2) {
    const name = answer.headers[index] ?? ''
    if (FOR_WEB_PAGES.test(name) || (isStream && name.toLowerCase() === BUFFERING)) continue
    headers.push(name, answer.headers[index + 1] ?? '')
  }
  return headers
}
