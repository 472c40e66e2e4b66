import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { Routes } from '../egress/routes.js'
import type { UpstreamConnection, UpstreamHandler, UpstreamSender } from './types.js'

/** No proxy is set anywhere. */
const NOBODY = {
  env: {},
  general: () => undefined,
  ofProvider: () => undefined,
  ofProfile: async () => undefined,
  readReference: () => Promise.reject(new Error('there is nothing to read')),
}

/**
 * Sends over connections that requests share, and through the proxy that is set for each.
 *
 * @param routes straight to every server by default, but for profiles that have a proxy of their own
 */
export function createUndiciSender(routes: Routes = new Routes(NOBODY)): UpstreamSender {
  return {
    route: (origin, { provider, proxy }) => routes.find(origin, provider, proxy),
    send({ origin, method, path, headers, body, offer }, handler, route) {
      const options = { origin, method, path, headers, body: body ?? null }
      if (offer !== undefined) Object.assign(options, { upgrade: 'websocket' })
      const dispatcher = route?.dispatcher ?? routes.straight
      dispatcher.dispatch(options as unknown as Dispatcher.DispatchOptions, new Dispatched(handler))
    },
    close: () => routes.close(),
  }
}

class Dispatched implements Dispatcher.DispatchHandler {
  readonly #handler: UpstreamHandler

  constructor(handler: UpstreamHandler) {
    this.#handler = handler
  }

  onRequestStart(connection: UpstreamConnection): void {
    this.#handler.start(connection)
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
    statusText = '',
  ): void {
    this.#handler.head(
      status,
      statusText,
      rawHeaders(controller.rawHeaders) ?? Object.entries(headers).flatMap(lines),
    )
  }

  onRequestUpgrade(
    _controller: unknown,
    _status: number,
    headers: Record<string, string | string[] | undefined>,
    connection: Duplex,
  ): void {
    this.#handler.upgraded(Object.entries(headers).flatMap(lines), connection)
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.#handler.data(chunk)
  }

  onResponseEnd(): void {
    this.#handler.end()
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#handler.error(error)
  }
}

/** Header bytes are Latin-1 on the wire (RFC 9110 section 5.5). */
function rawHeaders(raw: Dispatcher.DispatchController['rawHeaders']): string[] | undefined {
  if (!Array.isArray(raw)) return undefined
  return raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')))
}

function lines([name, value]: [string, string | string[] | undefined]): string[] {
  return [value ?? []].flat().flatMap((one) => [name, one])
}
