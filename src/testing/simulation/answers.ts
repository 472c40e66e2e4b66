import { classifyResponse } from '../../policy/classify-response.js'
import { anthropicMessage, anthropicStream } from '../upstream/dialects/anthropic.js'
import { geminiContent, geminiStream } from '../upstream/dialects/gemini.js'
import { chatCompletion, chatStream } from '../upstream/dialects/openai-chat.js'
import type { Speech, SpeechStream } from '../upstream/dialects/speech.js'
import { FAILURES, type FailureName } from '../upstream/failure-shapes.js'
import type { UpstreamProvider } from '../upstream/types.js'
import { type Chance, chanceOf } from './chance.js'
import type { Fault } from './truth.js'
import { CONTENT_WORDS, HARSH_STATUSES, LOOSE_STATUSES, LOOSE_WORDS } from './wording.js'
import type { SeenAnswer, SimulatedAccount, SimulatedRequest, World } from './world.js'

/** An answer as it goes over the wire; `undefined` as a body never ends. */
export interface WireAnswer {
  readonly status: number
  readonly headers: readonly string[]
  readonly pieces: readonly string[]
  /** How it ends. */
  readonly end: 'whole' | 'broken'
  /** A documented code, header or time says what is wrong: then that is true. */
  readonly isStated: boolean
}

/** What answers are made for. */
export interface Asked {
  readonly world: World
  readonly account: SimulatedAccount
  readonly request: SimulatedRequest
  /** Since the beginning, in milliseconds. */
  readonly atMs: number
  /** So many tries of this request went before. */
  readonly tries: number
}

const JSON_TYPE = ['content-type', 'application/json']
const EVENTS_TYPE = ['content-type', 'text/event-stream']
const HTML_TYPE = ['content-type', 'text/html; charset=UTF-8', 'server', 'cloudflare']
/** How often a fault is told as documented, and how often in words that anything may be said with. */
const STATED = 0.55
const LOOSE = 0.25

/** The failure, as a provider documents it, that a fault is. */
const DOCUMENTED: Readonly<Partial<Record<Fault['kind'], FailureName>>> = {
  limit: 'rate_limited',
  overload: 'overloaded',
  unpaid: 'out_of_money',
  revoked: 'bad_key',
  model: 'model_not_found',
  too_long: 'context_overflow',
  malformed: 'bad_request',
}

/** A success, in the shape of the provider. */
export function served({ world, request, atMs }: Asked, isCut = false): WireAnswer {
  const speech: Speech = {
    index: request.id,
    at: new Date(atMs),
    model: request.model,
    texts: ['one ', 'two'],
  }
  if (!request.isStreamed) {
    return {
      status: 200,
      headers: JSON_TYPE,
      pieces: [JSON.stringify(wholeAnswer(world.provider, speech))],
      end: isCut ? 'broken' : 'whole',
      isStated: true,
    }
  }
  const { opening, deltas, closing } = streamedAnswer(world.provider, speech)
  const pieces = isCut ? [...opening, ...deltas.slice(0, 1)] : [...opening, ...deltas, ...closing]
  return { status: 200, headers: EVENTS_TYPE, pieces, end: isCut ? 'broken' : 'whole', isStated: true }
}

/** What an account says for a fault; `undefined` where the connection breaks before an answer. */
export function refusal(asked: Asked, fault: Fault): WireAnswer | undefined {
  const { world, account } = asked
  // The same fault is told in the same way, whatever else a world holds.
  const chance = chanceOf(world.seed, 'telling', fault.id, fault.of === 'request' ? '' : account.name)
  switch (fault.kind) {
    case 'outage':
      return outage(chance)
    case 'block_page':
      return page(chance)
    case 'hollow':
      return hollow(chance, asked)
    case 'breaking':
      return served(asked, true)
    default:
      return told(asked, fault, chance)
  }
}

function told(asked: Asked, fault: Fault, chance: Chance): WireAnswer {
  const documented = DOCUMENTED[fault.kind]
  const way = chance.next()
  if (documented !== undefined && way < STATED) return asDocumented(asked, fault, documented, chance)
  const seen = asked.world.seen.length > 0 && chance.is(0.5) ? seenBy(asked.world) : []
  if (seen.length > 0) return asSeen(asked, chance.pick(seen))
  const isLoose = documented === undefined || way < STATED + LOOSE || fault.of === 'request'
  const status = chance.is(isLoose ? 0.15 : 0.6) ? chance.pick(HARSH_STATUSES) : chance.pick(LOOSE_STATUSES)
  const words = chance.pick(fault.kind === 'content' && chance.is(0.7) ? CONTENT_WORDS : LOOSE_WORDS)
  return inWords(asked, status, words)
}

/** As the provider documents it, with a true time where there is one. */
function asDocumented(asked: Asked, fault: Fault, name: FailureName, chance: Chance): WireAnswer {
  const { world, request, atMs } = asked
  const leftMs = fault.endMs === undefined ? undefined : fault.endMs - atMs
  const waitMs = leftMs !== undefined && chance.is(0.7) ? Math.ceil(leftMs / 1_000) * 1_000 : undefined
  const { status, body } = FAILURES[world.provider][name]({
    model: request.model,
    message: undefined,
    waitMs,
  })
  const states = waitMs !== undefined && (fault.kind === 'limit' || fault.kind === 'overload')
  const headers = states ? [...JSON_TYPE, 'retry-after', String(waitMs / 1_000)] : JSON_TYPE
  return relayed(asked, { status, headers, pieces: [JSON.stringify(body)], end: 'whole', isStated: true })
}

function inWords(asked: Asked, status: number, words: string): WireAnswer {
  const { world, account, request, tries } = asked
  const unique = chanceOf(world.seed, account.name, request.id, tries).next().toString(16).slice(2)
  const message = words.replaceAll('@', words.includes('`@`') ? request.model : unique)
  const body = JSON.stringify(looseBody(world.provider, status, message))
  return relayed(asked, { status, headers: JSON_TYPE, pieces: [body], end: 'whole', isStated: false })
}

/** Of each world, the answers that may be told for anything: none that a documented code, header or time is in. */
const SEEN = new WeakMap<World, readonly SeenAnswer[]>()

function seenBy(world: World): readonly SeenAnswer[] {
  const known = SEEN.get(world)
  if (known !== undefined) return known
  const { provider } = world
  const loose = world.seen.filter((answer) => {
    const verdict = classifyResponse({ provider, ...answer, model: 'large', now: new Date(0) })
    return verdict?.certainty === 'presumed' && verdict.retryAfterMs === undefined
  })
  SEEN.set(world, loose)
  return loose
}

function asSeen(asked: Asked, { status, headers = {}, body = '' }: SeenAnswer): WireAnswer {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const named = Object.entries(headers).flat()
  const hasType = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type')
  const type = hasType ? [] : typeof body === 'string' ? ['content-type', 'text/plain'] : JSON_TYPE
  return relayed(asked, {
    status,
    headers: [...type, ...named],
    pieces: [text],
    end: 'whole',
    isStated: false,
  })
}

/** Types that say no more than the status. */
function looseBody(provider: UpstreamProvider, status: number, message: string): object {
  const type = status === 400 ? 'invalid_request_error' : 'error'
  switch (provider) {
    case 'anthropic':
      return { type: 'error', error: { type, message } }
    case 'gemini':
      return { error: { code: status, message, status: status === 400 ? 'INVALID_ARGUMENT' : 'UNKNOWN' } }
    case 'xai':
      return { code: 'Client error', error: message }
    default:
      return { error: { message, type, param: null, code: null } }
  }
}

/** A relay passes an error on as text in one of its own. */
function relayed({ account }: Asked, answer: WireAnswer): WireAnswer {
  if (!account.isRelayed) return answer
  const message = `upstream said: ${answer.pieces.join('')}`
  const body = { error: { message, type: 'relay_error', param: null, code: null } }
  return { ...answer, pieces: [JSON.stringify(body)] }
}

function outage(chance: Chance): WireAnswer | undefined {
  const status = chance.pick([0, 500, 502, 503, 504])
  if (status === 0) return undefined
  const body = JSON.stringify({ error: { message: 'The server had an error', type: 'error', code: null } })
  return { status, headers: JSON_TYPE, pieces: [body], end: 'whole', isStated: true }
}

function page(chance: Chance): WireAnswer {
  const [status, title] = chance.pick([
    [403, 'Attention Required! | Cloudflare'],
    [503, 'Just a moment...'],
    [502, '502 Bad Gateway'],
  ] as const)
  const body = `<!DOCTYPE html><html><head><title>${title}</title></head><body>${title}</body></html>`
  return { status, headers: HTML_TYPE, pieces: [body], end: 'whole', isStated: false }
}

/** A 200 that is no answer. */
function hollow(chance: Chance, { request }: Asked): WireAnswer {
  const ways: readonly (readonly [headers: readonly string[], pieces: readonly string[]])[] = [
    [HTML_TYPE, ['<html><title>Welcome</title></html>']],
    [JSON_TYPE, ['']],
    [JSON_TYPE, ['{"success": false, "message": "failed"}']],
    [['content-type', 'text/plain'], ['OK']],
    request.isStreamed ? [EVENTS_TYPE, ['data: [DONE]\n\n']] : [JSON_TYPE, ['  ']],
  ]
  const [headers, pieces] = chance.pick(ways)
  return { status: 200, headers, pieces, end: 'whole', isStated: false }
}

function wholeAnswer(provider: UpstreamProvider, speech: Speech): object {
  if (provider === 'anthropic') return anthropicMessage(speech)
  return provider === 'gemini' ? geminiContent(speech) : chatCompletion(speech)
}

function streamedAnswer(provider: UpstreamProvider, speech: Speech): SpeechStream {
  if (provider === 'anthropic') return anthropicStream(speech)
  return provider === 'gemini' ? geminiStream(speech) : chatStream(speech, false)
}
