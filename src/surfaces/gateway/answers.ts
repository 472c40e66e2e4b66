import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { ProviderFamily } from '../../domain/provider.js'
import { errorBody } from '../../transport/own-answer.js'
import type { Refusal } from './refusal.js'

/** Whose client a request comes from, where its path does not tell. */
export function familyOfCaller(headers: IncomingHttpHeaders): ProviderFamily {
  if (headers['anthropic-version'] !== undefined || headers['x-api-key'] !== undefined) return 'anthropic'
  return headers['x-goog-api-key'] === undefined ? 'openai' : 'gemini'
}

/** Answers with an error of the gateway's own. */
export function refuse(response: ServerResponse, family: ProviderFamily, refusal: Refusal): void {
  sendJson(response, refusal.status, errorBody(family, refusal), {
    ...refusal.headers,
    // Asking again would change nothing: the official SDKs obey this.
    'x-should-retry': 'false',
  })
}

/** Answers with a JSON document. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  sendText(response, status, JSON.stringify(body), { 'content-type': 'application/json', ...headers })
}

/** Answers with a text, unless an answer is under way already. */
export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>>,
): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const bytes = Buffer.from(text)
  response.writeHead(status, {
    'cache-control': 'no-store',
    'content-length': String(bytes.length),
    ...headers,
  })
  response.end(bytes)
}

/** The same for a connection on which no request could be read: a whole HTTP/1.1 response that ends it. */
export function rawRefusal(refusal: Refusal): string {
  const body = JSON.stringify(errorBody('openai', refusal))
  return [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? 'Error'}`,
    'connection: close',
    'content-type: application/json',
    'cache-control: no-store',
    'x-should-retry: false',
    ...Object.entries(refusal.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n')
}
