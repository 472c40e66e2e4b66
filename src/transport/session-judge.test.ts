import { describe, expect, test } from 'vitest'
import { isTelling, judgeClose, judgeMessage, type SessionContext } from './session-judge.js'

const now = (): Date => new Date('2026-01-01T00:00:00Z')
const OPENAI: SessionContext = { provider: 'openai', family: 'openai', now }
const GEMINI: SessionContext = { provider: 'gemini', family: 'gemini', now }

function verdict(context: SessionContext, event: unknown): string {
  const payload = Buffer.from(JSON.stringify(event))
  if (!isTelling(context, payload.subarray(0, 256))) return 'unread'
  const found = judgeMessage(context, payload)
  return found?.kind === 'bad' ? found.reason : (found?.kind ?? 'nothing')
}

const error = (code: string | null, type: string, message: string): object => ({
  event_id: 'event_890',
  type: 'error',
  error: { type, code, message, param: null, event_id: null },
})
const failed = (fault: object | null): object => ({
  type: 'response.done',
  response: { status: 'failed', status_details: { type: 'failed', error: fault } },
})

describe('messages of OpenAI', () => {
  test.each([
    ['auth', error('invalid_api_key', 'invalid_request_error', 'Incorrect API key provided: sk-x.')],
    ['billing', error('insufficient_quota', 'insufficient_quota', 'You exceeded your current quota.')],
    ['rate_limit', error('rate_limit_exceeded', 'tokens', 'Rate limit reached. Please try again in 20s.')],
    ['server_error', error(null, 'server_error', 'The server had an error while processing your request')],
    ['model_not_found', error('model_not_found', 'invalid_request_error', 'The model `x` does not exist')],
    [
      'nothing',
      error(
        'session_expired',
        'invalid_request_error',
        'Your session hit the maximum duration of 60 minutes.',
      ),
    ],
    ['nothing', error('invalid_value', 'invalid_request_error', "Invalid value: 'x'.")],
    [
      'nothing',
      error('conversation_already_has_active_response', 'invalid_request_error', 'There is one already'),
    ],
    ['nothing', error(null, 'x', '')],
    ['nothing', { type: 'error' }],
    ['billing', failed({ type: 'insufficient_quota', code: 'insufficient_quota', message: 'quota' })],
    ['server_error', failed({ type: 'server_error', message: 'oops' })],
    ['server_error', failed(null)],
    ['good', { type: 'response.done', response: { status: 'completed' } }],
    ['good', { type: 'response.done', response: { status: 'incomplete' } }],
    ['good', { type: 'response.done', response: { status: 'cancelled' } }],
    ['good', { type: 'conversation.item.input_audio_transcription.completed', transcript: 'hi' }],
    ['unread', { type: 'response.output_audio.delta', delta: 'UklGRg' }],
    ['unread', { type: 'session.created', session: {} }],
    // A text that looks like one is none.
    ['nothing', { type: 'x', text: '{"type":"error"}', item: { type: 'error' } }],
  ])('%s', (expected, event) => {
    expect(verdict(OPENAI, event)).toBe(expected)
  })

  test('a wait that is stated is taken over', () => {
    const fault = {
      type: 'usage_limit_reached',
      message: 'The usage limit was reached',
      resets_in_seconds: 20,
    }
    const found = judgeMessage(OPENAI, Buffer.from(JSON.stringify({ type: 'error', error: fault })))
    expect(found).toMatchObject({ kind: 'bad', stated: { reason: 'rate_limit', retryAfterMs: 20_000 } })
  })

  test.each(['', '{', '[]', 'null', '"error"', `${'['.repeat(30_000)}`, '{"type":"error","error":7}'])(
    'says nothing: %.20s',
    (text) => {
      expect(judgeMessage(OPENAI, Buffer.from(text))).toBeUndefined()
    },
  )
})

describe('messages of Gemini', () => {
  test.each([
    ['good', { serverContent: { turnComplete: true } }],
    ['good', { serverContent: { generationComplete: true } }],
    ['nothing', { serverContent: { turnComplete: false } }],
    ['unread', { setupComplete: {} }],
    ['unread', { serverContent: { modelTurn: { parts: [{ text: 'Hello' }] } } }],
    [
      'rate_limit',
      { error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'Resource has been exhausted' } },
    ],
  ])('%s', (expected, event) => {
    expect(verdict(GEMINI, event)).toBe(expected)
  })
})

describe('Close frames', () => {
  test.each([
    [OPENAI, 1000, '', undefined],
    [OPENAI, 1001, 'going away', undefined],
    [OPENAI, 1005, '', undefined],
    [OPENAI, 3000, 'invalid_request_error.invalid_api_key', 'auth'],
    [OPENAI, 3000, 'something', undefined],
    [OPENAI, 4999, '', undefined],
    [OPENAI, 1011, '', 'server_error'],
    [OPENAI, 1012, '', 'server_error'],
    [OPENAI, 1013, '', 'overloaded'],
    [OPENAI, 1014, '', 'server_error'],
    [GEMINI, 1007, 'API key not valid. Please pass a valid API key.', 'auth'],
    [GEMINI, 1007, 'Request contains an invalid argument.', undefined],
    [
      GEMINI,
      1011,
      'You exceeded your current quota, please check your plan and billing details.',
      'rate_limit',
    ],
    [GEMINI, 1011, 'Internal error encountered.', 'server_error'],
    [
      GEMINI,
      1008,
      'models/x is not found for API version v1beta, or is not supported for bidiGenerateContent.',
      'model_not_found',
    ],
    [GEMINI, 1008, 'Operation is not implemented, or supported, or enabled.', undefined],
  ] as const)('%o %i %s', (context, code, reason, expected) => {
    const found = judgeClose(context, code, reason)
    expect(found?.kind === 'bad' ? found.reason : found?.kind).toBe(expected)
  })
})
