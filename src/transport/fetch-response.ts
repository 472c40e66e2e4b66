import type { Answer, AnswerBody } from '../domain/forwarding.js'
import { headerValue, makingHeaders } from './headers.js'

const HIGH_WATER_BYTES = 65_536
/** Statuses whose responses have no body (Fetch standard, section 2.2.3). */
const WITHOUT_BODY: ReadonlySet<number> = new Set([101, 103, 204, 205, 304])

/** An answer as a `fetch` gives it: the body decoded, the headers as they came. */
export async function toResponse(answer: Answer, request: Request): Promise<Response> {
  const { status, statusText } = answer
  const headers = new Headers()
  const raw = [...answer.headers, ...makingHeaders(answer)]
  for (let index = 0; index < raw.length; index += 2) headers.append(raw[index] ?? '', raw[index + 1] ?? '')
  const init = { status, statusText, headers }
  if (WITHOUT_BODY.has(status) || request.method === 'HEAD') {
    answer.body.cancel()
    return withUrl(new Response(null, init), request.url)
  }
  const coding = headerValue(answer.headers, 'content-encoding')
  const body = coding === undefined ? answer.body : await decoded(answer.body, coding)
  const whole = body.whole()
  const content = whole === undefined ? streamOf(body) : new Uint8Array(whole)
  return withUrl(new Response(content, init), request.url)
}

/** Makes a response tell the URL it answers, as one of `fetch` does; its clones too. */
function withUrl(response: Response, url: string): Response {
  return Object.defineProperties(response, {
    url: { value: url.split('#', 1)[0] ?? '' },
    clone: { value: () => withUrl(Response.prototype.clone.call(response), url) },
  })
}

/** Decoders are loaded when something is encoded. */
async function decoded(body: AnswerBody, coding: string): Promise<AnswerBody> {
  const { decodedBody } = await import('./decoded-body.js')
  return decodedBody(body, coding)
}

function streamOf(body: AnswerBody): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        body.pipe({
          data(chunk) {
            controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
            return (controller.desiredSize ?? 0) > 0
          },
          end: () => controller.close(),
          fail: (error) => controller.error(bodyError(error)),
        })
      },
      pull: () => body.resume(),
      cancel: (reason) => body.cancel(reason),
    },
    { highWaterMark: HIGH_WATER_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
  )
}

/** An abort keeps its reason; a broken connection is what `fetch` makes of it, without the bytes of the wire. */
function bodyError(error: unknown): unknown {
  const name: unknown = error instanceof Error ? error.name : undefined
  return name === 'AbortError' || name === 'TimeoutError' ? error : new TypeError('terminated')
}
