import type { IncomingMessage } from 'node:http'
import { parseFlatJson } from '../../domain/nesting.js'
import { type Refusal, refusal } from './refusal.js'

/** A key of 1 MiB in JSON, escaped, and room for the rest. */
const LARGEST_BODY = 4 * 1024 * 1024
const TOO_LARGE = refusal(413, 'keymux_body_too_large', 'the body is larger than 4 MiB')
const NOT_JSON = refusal(415, 'keymux_bad_request', 'the body must be application/json')
const NO_JSON = refusal(400, 'keymux_bad_request', 'the body must be a JSON object')

/** The JSON object in a request's body; empty where there is none. */
export async function readObject(
  request: IncomingMessage,
): Promise<Readonly<Record<string, unknown>> | Refusal> {
  const bytes = await readBody(request, LARGEST_BODY)
  if (bytes === undefined) return TOO_LARGE
  if (bytes.length === 0) return {}
  // A form that a web page submits can be anything but this.
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) return NOT_JSON
  try {
    const value: unknown = parseFlatJson(bytes.toString())
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // Told below.
  }
  return NO_JSON
}

/** The whole body; `undefined` when it is larger than `limit`. What is too much is read and dropped. */
function readBody(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= limit) chunks.push(chunk)
      else resolve(undefined)
    })
    request.once('end', () => resolve(Buffer.concat(chunks)))
    request.once('error', reject)
    request.once('close', () => reject(new Error('the caller hung up')))
  })
}

/** Whether it is why a body cannot be read. */
export function isRefusal(value: object): value is Refusal {
  return value === TOO_LARGE || value === NO_JSON || value === NOT_JSON
}
