import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { ProviderFamily } from '../../domain/provider.js'
import type { Refusal } from './refusal.js'

/** Google's names for statuses (google.rpc.Code). */
const GOOGLE_STATUS: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  408: 'DEADLINE_EXCEEDED',
  413: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
}

/** Anthropic's error types; its SDK chooses by status, people read the type. */
const ANTHROPIC_TYPE: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
}

/** The error's body as clients of this family read it. `code` is in each of them. */
export function errorBody(family: ProviderFamily, { status, code, message }: Refusal): object {
  if (family === 'anthropic') {
    const type = ANTHROPIC_TYPE[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
    return { type: 'error', error: { type, message, code } }
  }
  if (family === 'gemini') {
    const name = GOOGLE_STATUS[status] ?? (status < 500 ? 'FAILED_PRECONDITION' : 'INTERNAL')
    const info = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: code, domain: 'keymux' }
    return { error: { code: status, message, status: name, details: [info] } }
  }
  const type = status === 401 ? 'authentication_error' : status < 500 ? 'invalid_request_error' : 'api_error'
  return { error: { message, type, param: null, code } }
}

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
    ...Object.entries(refusal.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n')
}
