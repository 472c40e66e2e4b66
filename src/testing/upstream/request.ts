import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { RecordedRequest, UpstreamProvider } from './types.js'
import { UPSTREAM_PROVIDERS } from './types.js'

/** A request while it is being recorded. */
export class Recording implements RecordedRequest {
  readonly index: number
  readonly provider: UpstreamProvider
  readonly method: string
  readonly url: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly credential: string | undefined
  readonly receivedAt: Date
  readonly ended: Promise<void>
  endedAt: Date | undefined
  aborted = false
  #chunks: Buffer[] = []
  #end: () => void = () => {}

  constructor(index: number, message: IncomingMessage, provider: UpstreamProvider | undefined, now: Date) {
    const target = splitTarget(message.url ?? '/')
    this.index = index
    this.method = message.method ?? 'GET'
    this.url = message.url ?? '/'
    this.path = target.path
    this.query = target.query
    this.headers = message.headers
    this.credential = credentialOf(message.headers, target.query)
    this.provider = provider ?? providerOf(target.path, message.headers)
    this.receivedAt = now
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  get body(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0] ?? Buffer.alloc(0)
  }

  get text(): string {
    return this.body.toString('utf8')
  }

  get json(): unknown {
    try {
      return JSON.parse(this.text)
    } catch {
      return undefined
    }
  }

  /** Takes a further part of the body. */
  take(chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  /** Closes the record; only the first call counts. */
  end(now: Date, aborted: boolean): void {
    if (this.endedAt !== undefined) return
    this.endedAt = now
    this.aborted = aborted
    this.#end()
  }
}

/** A field of the request's JSON body; `undefined` when there is none. */
export function bodyField(request: RecordedRequest, name: string): unknown {
  const { json } = request
  return typeof json === 'object' && json !== null && Object.hasOwn(json, name)
    ? Reflect.get(json, name)
    : undefined
}

/** The model a request names: in its body, or in its path as Gemini has it. */
export function requestedModel(request: RecordedRequest): string | undefined {
  const named = bodyField(request, 'model')
  if (typeof named === 'string' && named !== '') return named
  return /\/models\/([^/:]+)/.exec(request.path)?.[1]
}

function splitTarget(target: string): { path: string; query: URLSearchParams } {
  const mark = target.indexOf('?')
  if (mark < 0) return { path: target, query: new URLSearchParams() }
  return { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) }
}

function credentialOf(headers: IncomingHttpHeaders, query: URLSearchParams): string | undefined {
  const bearer = /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1]
  return (
    bearer ??
    single(headers['x-api-key']) ??
    single(headers['x-goog-api-key']) ??
    query.get('key') ??
    undefined
  )
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

/** By the first segment of the path where it names a provider, else by what is unmistakable, else OpenAI. */
function providerOf(path: string, headers: IncomingHttpHeaders): UpstreamProvider {
  const segment = path.split('/', 2)[1]
  const named = UPSTREAM_PROVIDERS.find((provider) => provider === segment)
  if (named !== undefined) return named
  if (headers['anthropic-version'] !== undefined || path.endsWith('/messages')) return 'anthropic'
  if (headers['x-goog-api-key'] !== undefined || /\/v1(beta|alpha)\//.test(path)) return 'gemini'
  if (/\/v2\/chat$|\/check-api-key$/.test(path)) return 'cohere'
  if (path.startsWith('/api/v1/')) return 'openrouter'
  if (path.startsWith('/compatible-mode/')) return 'qwen'
  return 'openai'
}
