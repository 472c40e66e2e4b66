import fc from 'fast-check'
import { successStream } from '../../src/testing/upstream/success.js'
import type { Answer, RecordedRequest, Reply } from '../../src/testing/upstream/types.js'

/** A streamed answer of each dialect, and where it is asked for. */
export interface StreamedDialect {
  readonly name: string
  readonly provider: 'openai' | 'anthropic' | 'gemini'
  readonly model: string
  /** Relative to the gateway's `/PROVIDER`, and to the provider's default base URL. */
  readonly path: string
  readonly baseUrl: string
  /** What a profile of it needs at a scripted upstream. */
  upstreamBase(url: string): string
  readonly body: object
  /** An error inside the stream that states a reason, and one that states none. */
  readonly overloadedEvent: string
  readonly vagueEvent: string
}

const event = (type: string, fields: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
const data = (fields: object): string => `data: ${JSON.stringify(fields)}\n\n`

export const STREAMED_DIALECTS: readonly StreamedDialect[] = [
  {
    name: 'chat completions',
    provider: 'openai',
    model: 'gpt-4o',
    path: '/chat/completions',
    baseUrl: 'https://api.openai.com/v1',
    upstreamBase: (url) => `${url}/v1`,
    body: { model: 'gpt-4o', stream: true, messages: [] },
    overloadedEvent: data({
      error: { message: 'The engine is currently overloaded', type: 'server_error', code: null },
    }),
    vagueEvent: data({ error: { message: 'hm', code: null } }),
  },
  {
    name: 'responses',
    provider: 'openai',
    model: 'gpt-4o',
    path: '/responses',
    baseUrl: 'https://api.openai.com/v1',
    upstreamBase: (url) => `${url}/v1`,
    body: { model: 'gpt-4o', stream: true, input: 'Hello?' },
    overloadedEvent: event('response.failed', {
      response: {
        id: 'r',
        status: 'failed',
        error: { code: 'server_is_overloaded', message: 'Our servers are currently overloaded.' },
      },
    }),
    vagueEvent: event('error', { code: null, message: 'hm', param: null, sequence_number: 9 }),
  },
  {
    name: 'messages',
    provider: 'anthropic',
    model: 'claude-next',
    path: '/v1/messages',
    baseUrl: 'https://api.anthropic.com',
    upstreamBase: (url) => url,
    body: { model: 'claude-next', stream: true, max_tokens: 9, messages: [] },
    overloadedEvent: event('error', { error: { type: 'overloaded_error', message: 'Overloaded' } }),
    vagueEvent: event('error', { error: { type: 'odd', message: 'hm' } }),
  },
  {
    name: 'generateContent',
    provider: 'gemini',
    model: 'gemini-2.5-pro',
    path: '/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse',
    baseUrl: 'https://generativelanguage.googleapis.com',
    upstreamBase: (url) => url,
    body: { contents: [] },
    overloadedEvent: data({
      error: { code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' },
    }),
    vagueEvent: data({ error: { code: 0, message: 'hm' } }),
  },
]

/** What becomes of a stream after its first content. */
export type Fate = 'end' | 'break' | 'overloaded' | 'vague' | 'without end' | 'abort'

/** A stream that waits after its first content until `when` settles, and then meets its fate, cut anywhere. */
export function fatedStream(
  dialect: StreamedDialect,
  fate: Fate,
  { cuts, when }: { readonly cuts: readonly number[]; readonly when: Promise<unknown> },
): Reply {
  return {
    answer(request: RecordedRequest): Answer {
      const { opening, deltas, closing } = successStream(request)
      const beginning = [...opening, ...deltas.slice(0, 1)].join('')
      const rest = restOf(dialect, fate, deltas.slice(1), closing)
      const headers = { 'content-type': 'text/event-stream; charset=utf-8' }
      const at = Buffer.byteLength(beginning)
      return {
        status: 200,
        headers,
        pieces: pieces(Buffer.from(beginning + rest), cuts),
        interruptions: [
          { kind: 'pause', at, pause: when },
          ...(fate === 'break' ? [{ kind: 'reset', at: at + Buffer.byteLength(rest) } as const] : []),
        ],
      }
    },
  }
}

function restOf(
  dialect: StreamedDialect,
  fate: Fate,
  deltas: readonly string[],
  closing: readonly string[],
): string {
  switch (fate) {
    case 'end':
      return [...deltas, ...closing].join('')
    case 'break':
      // In the middle of an event.
      return deltas.join('').slice(0, -7)
    case 'overloaded':
      return dialect.overloadedEvent
    case 'vague':
      return dialect.vagueEvent
    case 'without end':
      return dialect.provider === 'gemini' ? (deltas[0] ?? '') : deltas.join('')
    case 'abort':
      return ''
  }
}

function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const result: Buffer[] = []
  let at = 0
  for (let index = 0; at < bytes.length; index += 1) {
    const length = cuts[index % cuts.length] ?? bytes.length
    result.push(bytes.subarray(at, at + length))
    at += length
  }
  return result
}

/** Ways of cutting a stream, the same ones each time. */
export function someCuts(seed: number, count: number): number[][] {
  return fc.sample(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 9 }), {
    seed,
    numRuns: count,
  })
}

/** What comes in one piece with its content nobody has seen yet: another account would be asked. */
export function lastPieceLate(late: Reply): Reply {
  return {
    answer(request) {
      const answer = late.answer(request)
      const pieces = [...answer.pieces]
      const at = Buffer.byteLength(pieces.slice(0, -1).join(''))
      return { ...answer, pieces, interruptions: [{ kind: 'pause', at, pause: 100 }] }
    },
  }
}
