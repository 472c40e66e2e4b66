import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * What goes wrong with one answer of the token endpoint.
 *
 * - `reset`: the connection is cut before anything is done
 * - `stall`: nothing is ever answered, and nothing is done
 * - `answer_lost`: the request is carried out, then the connection is cut
 * - `truncated`: it is carried out, and half of the answer arrives
 * - `html`, `empty`, `garbage`, `huge` (10 MB), `endless`: nothing is done, and that is the answer
 * - `redirect`: to the same endpoint on `localhost`
 * - an object: that status, these headers and this body, and nothing is done
 */
export type TokenFault =
  | 'reset'
  | 'stall'
  | 'answer_lost'
  | 'truncated'
  | 'html'
  | 'empty'
  | 'garbage'
  | 'huge'
  | 'endless'
  | 'redirect'
  | TokenAnswer

/** An answer in full. */
export interface TokenAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Text as it is, anything else as JSON. */
  readonly body?: unknown
}

const HTML = '<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>'
const HUGE_BYTES = 10 * 1024 * 1024

/** Answers with a fault that needs nothing to be carried out; false for one that does. */
export async function sendFault(fault: TokenFault, response: ServerResponse, port: number): Promise<boolean> {
  switch (fault) {
    case 'answer_lost':
    case 'truncated':
      return false
    case 'reset':
      response.destroy()
      return true
    case 'stall':
      return true
    case 'html':
      response.writeHead(502, { 'content-type': 'text/html' }).end(HTML)
      return true
    case 'empty':
      response.writeHead(200).end()
      return true
    case 'garbage':
      response.writeHead(200, { 'content-type': 'application/json' }).end('\u0000\u0001{]not json')
      return true
    case 'huge':
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(`{"access_token":"${'a'.repeat(HUGE_BYTES)}"}`)
      return true
    case 'endless':
      await sendForEver(response)
      return true
    case 'redirect':
      response.writeHead(307, { location: `http://localhost:${port}/token` }).end()
      return true
    default: {
      const { status = 200, headers = {}, body = '' } = fault
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text)
      return true
    }
  }
}

async function sendForEver(response: ServerResponse): Promise<void> {
  response.on('error', () => {})
  response.writeHead(200, { 'content-type': 'application/json' })
  while (!response.destroyed) {
    response.write(' '.repeat(1024))
    await sleep(5)
  }
}
