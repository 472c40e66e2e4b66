import { describe, expect, test } from 'vitest'
import { headerObject } from './headers.js'
import { ownAnswer } from './own-answer.js'

const LIMITED = {
  status: 429,
  code: 'keymux_no_usable_profile',
  message: 'all cooling',
  retryAfterMs: 1_740.5,
}

function json(family: 'openai' | 'anthropic' | 'gemini', message = LIMITED): unknown {
  return JSON.parse(ownAnswer(family, message).body.whole()?.toString() ?? '')
}

describe('shapes', () => {
  test('openai', () => {
    expect(json('openai')).toEqual({
      error: {
        message: 'all cooling',
        type: 'rate_limit_error',
        param: null,
        code: 'keymux_no_usable_profile',
      },
    })
  })

  test('anthropic', () => {
    expect(json('anthropic')).toEqual({
      type: 'error',
      error: { type: 'rate_limit_error', message: 'all cooling', code: 'keymux_no_usable_profile' },
    })
  })

  test('gemini', () => {
    expect(json('gemini')).toEqual({
      error: {
        code: 429,
        message: 'all cooling',
        status: 'RESOURCE_EXHAUSTED',
        details: [
          {
            '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
            reason: 'keymux_no_usable_profile',
            domain: 'keymux',
          },
          { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '2s' },
        ],
      },
    })
  })
})

test('waits are rounded up, and never to nothing', () => {
  expect(headerObject(ownAnswer('openai', LIMITED).headers)).toMatchObject({
    'retry-after': '2',
    'retry-after-ms': '1741',
    'x-should-retry': 'false',
    'content-type': 'application/json',
  })
  const soon = headerObject(ownAnswer('openai', { ...LIMITED, retryAfterMs: -5 }).headers)
  expect(soon).toMatchObject({ 'retry-after': '1', 'retry-after-ms': '1' })
})

test('a failure that may pass by itself says nothing against trying again', () => {
  const headers = headerObject(
    ownAnswer('openai', { status: 502, code: 'keymux_x', message: 'm', passing: true }).headers,
  )
  expect(headers['x-should-retry']).toBeUndefined()
  expect(headers['retry-after']).toBeUndefined()
})

test('the length is that of the bytes', () => {
  const { headers, body } = ownAnswer('openai', { ...LIMITED, message: '日本' })
  expect(headerObject(headers)['content-length']).toBe(String(body.whole()?.length))
})
