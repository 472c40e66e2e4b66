import type { RequestBody } from '../domain/forwarding.js'
import { holdBody, wholeBody } from './request-body.js'

const ACCEPT_ENCODING = 'gzip, deflate, br'

/** The headers of a request as they go out, with what a `fetch` adds by itself. */
export function requestHeaders(headers: Headers): string[] {
  const raw: string[] = []
  headers.forEach((value, name) => {
    raw.push(name, value)
  })
  if (!headers.has('accept')) raw.push('accept', '*/*')
  if (!headers.has('accept-encoding')) raw.push('accept-encoding', ACCEPT_ENCODING)
  if (!headers.has('user-agent')) raw.push('user-agent', 'keymux')
  return raw
}

/** The body of a request. Texts and bytes are taken as they are; forms, files and streams are read. */
export async function requestBody(
  request: Request,
  init: RequestInit | undefined,
  limit: number,
): Promise<RequestBody | undefined> {
  if (request.body === null) return undefined
  const given = init?.body
  if (typeof given === 'string') return wholeBody(Buffer.from(given))
  if (given instanceof URLSearchParams) return wholeBody(Buffer.from(given.toString()))
  if (given instanceof ArrayBuffer) return wholeBody(new Uint8Array(given))
  if (ArrayBuffer.isView(given)) {
    return wholeBody(new Uint8Array(given.buffer, given.byteOffset, given.byteLength))
  }
  const length = Number(request.headers.get('content-length') ?? Number.NaN)
  return holdBody(request.body, {
    limit,
    signal: request.signal,
    length: Number.isSafeInteger(length) && length >= 0 ? length : undefined,
  })
}
