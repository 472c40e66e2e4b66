import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Providers } from '../../domain/providers.js'
import { isRefusal, readObject } from './json-body.js'
import { type Refusal, refusal } from './refusal.js'
import type { Target } from './target.js'
import { newToken, presentedTokens } from './token.js'

/** What a caller may do who has shown a token. */
export interface Grant {
  /** The providers whose accounts it may use, and nothing else. Absent: everything. */
  readonly providers?: ReadonlySet<string> | undefined
}

/** More programs than that hang on to a gateway by mistake alone. */
const MOST_CHILDREN = 1_000
const MOST_PROVIDERS = 64

const FORBIDDEN = refusal(
  403,
  'keymux_forbidden',
  'this token is for the accounts of the providers that the program was started with',
)
const TOO_MANY = refusal(503, 'keymux_too_many_children', 'too many programs hold a token of this gateway')
const NO_PROVIDERS = refusal(400, 'keymux_bad_request', 'name the providers that the token is for')

/**
 * Tokens of the programs that `exec --gateway` runs. One lives in memory alone, and no longer than the connection on
 * which it was asked for: it is gone with the command that keeps the connection open, whatever ends that one.
 */
export class ChildTokens {
  /** By SHA-256: what a look-up tells by its time is nothing that helps to guess. */
  readonly #grants = new Map<string, Grant>()
  readonly #held = new Set<ServerResponse>()
  readonly #gone: () => void

  /** @param gone called when one has ended */
  constructor(gone: () => void = () => {}) {
    this.#gone = gone
  }

  /** How many programs hold one. */
  get size(): number {
    return this.#held.size
  }

  grantOf(request: IncomingMessage): Grant | undefined {
    if (this.#grants.size === 0) return undefined
    for (const token of presentedTokens(request.headers, request.url ?? '')) {
      const grant = this.#grants.get(digestOf(token))
      if (grant !== undefined) return grant
    }
    return undefined
  }

  /**
   * Answers who asks for one with its token, and holds the answer open. Gives the refusal where it cannot.
   *
   * @param closing the gateway is about to end
   */
  async hold(
    request: IncomingMessage,
    response: ServerResponse,
    known: Pick<Providers, 'get'>,
  ): Promise<Refusal | undefined> {
    const body = await readObject(request)
    if (isRefusal(body)) return body
    const { providers } = body
    if (!Array.isArray(providers) || providers.length === 0 || providers.length > MOST_PROVIDERS)
      return NO_PROVIDERS
    if (!providers.every((name) => typeof name === 'string' && known.get(name) !== undefined))
      return NO_PROVIDERS
    if (this.#held.size >= MOST_CHILDREN) return TOO_MANY
    if (response.closed) return undefined
    const token = newToken()
    const key = digestOf(token)
    this.#grants.set(key, { providers: new Set(providers as string[]) })
    this.#held.add(response)
    response.once('close', () => {
      this.#grants.delete(key)
      this.#held.delete(response)
      this.#gone()
    })
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
    response.write(`${JSON.stringify({ token })}\n`)
    return undefined
  }

  /** Lets go of all who hold one. */
  end(): void {
    for (const response of this.#held) response.end()
  }
}

/** What a token of a program does not open. */
export function exceeds({ providers }: Grant, target: Target): Refusal | undefined {
  if (providers === undefined || target.kind === 'bad' || target.kind === 'root') return undefined
  return target.kind === 'provider' && providers.has(target.provider) ? undefined : FORBIDDEN
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}
