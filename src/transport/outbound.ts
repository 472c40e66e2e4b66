import { KeymuxError } from '../domain/errors.js'
import type { EndSignal, ForwardRequest, Stage } from '../domain/forwarding.js'
import type { AuthProfile } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { compatiblePath } from '../providers/api-paths.js'
import { Disguise } from './disguise.js'
import type { AnswerDue } from './gate.js'
import { newOffer, offerHeaders, withoutHandshake } from './handshake.js'
import { callerHeaders, upstreamHeaders, without } from './headers.js'
import { JsonText } from './json-walk.js'
import { codingsOf } from './request-coding.js'
import { requestedModel, withModel } from './request-model.js'
import type { UpstreamRequest } from './types.js'
import { upstreamUrl } from './upstream-url.js'

const PIECE_BYTES = 65_536

/** Is told how far a body has gone out. */
export interface SendingProgress {
  /** The next piece is handed to the upstream, or the last one was. */
  sending(): void
  /** The next piece is still to come from the caller. */
  waiting(): void
}

/** Paths on which a model answers, in the dialects of OpenAI, Anthropic and Gemini. */
const ASKS_MODEL =
  /\/(?:chat\/completions|completions|responses|messages|messages\/count_tokens|embeddings)(?:\?|$)|:(?:generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents)(?:\?|$)/

function dueTo(body: JsonText | undefined): AnswerDue {
  const generate = body?.find('generate')
  return {
    mayBeEmpty:
      generate !== undefined && body?.bytes.toString('latin1', generate.start, generate.end) === 'false',
  }
}

/** Items of a conversation that are left out for an account that cannot read them. */
export interface LeftOut {
  readonly count: number
  /** The body without so many of them. */
  readonly without: (count: number) => Buffer | undefined
}

/**
 * Whose own API wants the key in a header of its own, and whose OpenAI-compatible one as a bearer token, as OpenAI's
 * clients send it (ai.google.dev/gemini-api/docs/openai, docs.anthropic.com/en/api/openai-sdk).
 */
const OTHERWISE: ReadonlySet<string | undefined> = new Set(['gemini', 'anthropic'])

/** A caller's request as it is sent to one upstream after the other. */
export class Outbound {
  /** The body as it can be read. */
  readonly readable: JsonText | undefined
  /** What is due, where the path is that of a model in a known dialect. */
  readonly due: AnswerDue | undefined
  readonly #request: ForwardRequest
  readonly #headers: readonly string[]
  readonly #model: string | undefined
  readonly #removed: ((header: string, profileId: string) => void) | undefined
  /** The body with another model in it, the last one that was asked for. */
  #changed:
    | { readonly model: string | undefined; readonly leftOut: number; readonly bytes: Buffer }
    | undefined
  readonly #disguise: Disguise | undefined
  #spent = false
  #bodyError: unknown

  /**
   * @param removed is told of a header that named another account and is not sent, and of the account that is used
   * @param pseudonym stands for user ids in the body towards the account of a profile; without it they stay
   */
  constructor(
    request: ForwardRequest,
    removed?: (header: string, profileId: string) => void,
    pseudonym?: (profileId: string, value: string) => Buffer,
  ) {
    this.#request = request
    this.#disguise = pseudonym && new Disguise(pseudonym)
    this.#removed = removed
    const kept = callerHeaders(request.headers)
    this.#headers = request.upgrade === undefined ? kept : withoutHandshake(kept)
    const { body, decoded, headers } = request
    const bytes = decoded ?? (codingsOf(headers).length > 0 ? undefined : body?.bytes)
    this.readable = bytes && new JsonText(bytes)
    this.#model = requestedModel(request.path, this.readable) ?? request.model
    this.due = request.method === 'POST' && ASKS_MODEL.test(request.path) ? dueTo(this.readable) : undefined
  }

  /** Whether the body is kept, so that it can be sent any number of times. */
  get isReplayable(): boolean {
    return this.#request.body?.rest === undefined
  }

  /** Whether the body has begun to go out and is not kept. */
  get isSpent(): boolean {
    return this.#spent
  }

  /** What went wrong on the caller's side while a body was passed through. */
  get bodyError(): unknown {
    return this.#bodyError
  }

  /** The caller's signal. */
  get signal(): EndSignal | undefined {
    return this.#request.signal
  }

  /** The model a stage is asked for. */
  model(stage: Stage): string | undefined {
    return stage.model ?? this.#model
  }

  /**
   * The request to one upstream with one profile's credential.
   *
   * @param leftOut how many of its signed items are left out, and its body without them
   * @param progress told of bodies that do not go out at once
   *
   * @throws KeymuxError `foreign_host` (the path is at fault), `invalid_value` (the base URL), `invalid_secret`,
   *   `unsupported_coding`, `body_too_large`
   */
  request(
    stage: Stage,
    provider: ProviderMetadata,
    profile: AuthProfile,
    credential: string,
    leftOut: LeftOut,
    progress: SendingProgress,
  ): UpstreamRequest {
    const { method, path } = this.#request
    const relative = stage.compatible === true ? compatiblePath(provider, path) : path
    const { origin, path: target } = upstreamUrl(provider, profile.baseUrl ?? stage.baseUrl, relative)
    const mode = stage.compatible === true && OTHERWISE.has(provider.family) ? 'token' : profile.mode
    const bytes = this.#bytes(stage, leftOut, profile.id)
    const changed = bytes !== this.#request.body?.bytes
    const caller = changed ? without(this.#headers, 'content-encoding') : this.#headers
    const headers = upstreamHeaders(caller, provider, {
      mode,
      credential,
      own: profile.headers ?? {},
      removed: this.#removed && ((name) => this.#removed?.(name, profile.id)),
    })
    const { upgrade } = this.#request
    if (upgrade !== undefined) {
      const offer = newOffer(upgrade.protocols, upgrade.greets)
      return {
        origin,
        path: target,
        method,
        headers: [...headers, ...offerHeaders(offer)],
        body: undefined,
        offer,
      }
    }
    const { rest, length } = this.#request.body ?? {}
    if (rest === undefined) {
      const body = bytes === undefined || bytes.length === 0 ? undefined : bytes
      if (body === undefined || body.length <= PIECE_BYTES)
        return { origin, path: target, method, headers, body }
      headers.push('content-length', String(body.length))
      return { origin, path: target, method, headers, body: pieces(body, progress) }
    }
    const before = this.#request.body?.bytes.length ?? 0
    const beginning = bytes ?? Buffer.alloc(0)
    if (length !== undefined) headers.push('content-length', String(length + beginning.length - before))
    return { origin, path: target, method, headers, body: this.#passThrough(beginning, rest, progress) }
  }

  #bytes(stage: Stage, leftOut: LeftOut, profileId: string): Buffer | undefined {
    const { body } = this.#request
    const disguise = this.#disguise
    if (body === undefined || disguise === undefined) return this.#changedBytes(stage, leftOut)
    const readable = this.readable?.bytes
    disguise.checkWhole(body, readable)
    const bytes = this.#changedBytes(stage, leftOut)
    const text = bytes === body.bytes ? readable : bytes
    return (text && disguise.apply(text, profileId)) ?? bytes
  }

  #changedBytes({ model }: Stage, { count, without }: LeftOut): Buffer | undefined {
    const { body } = this.#request
    if ((model === undefined && count === 0) || body === undefined) return body?.bytes
    const known = this.#changed
    if (known !== undefined && known.model === model && known.leftOut === count) return known.bytes
    const left = without(count)
    if (left === undefined) {
      throw new KeymuxError('unsupported_coding', 'a coded body this large cannot be given another model', {
        hint: 'send it as it is',
      })
    }
    const bytes = model === undefined ? left : withModel(left, model)
    this.#changed = { model, leftOut: count, bytes }
    return bytes
  }

  async *#passThrough(
    beginning: Buffer,
    rest: AsyncIterable<Uint8Array>,
    progress: SendingProgress,
  ): AsyncGenerator<Uint8Array> {
    this.#spent = true
    yield beginning
    progress.waiting()
    try {
      for await (const piece of rest) {
        progress.sending()
        yield piece
        progress.waiting()
      }
    } catch (error) {
      this.#bodyError = error
      throw error
    }
    progress.sending()
  }
}

/** A body larger than one piece goes out as fast as it is taken, so that it is known how far it has come. */
async function* pieces(body: Buffer, progress: SendingProgress): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += PIECE_BYTES) {
    progress.sending()
    yield body.subarray(at, at + PIECE_BYTES)
  }
  progress.sending()
}
