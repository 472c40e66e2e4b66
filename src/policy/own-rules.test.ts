import { describe, expect, test } from 'vitest'
import type { OwnFailureRule } from '../domain/failure-rule.js'
import { judgeMessage } from '../transport/session-judge.js'
import { familyFor } from './classify-families.js'
import { explainMessage } from './classify-message.js'
import { classifyResponse, explainResponse } from './classify-response.js'
import { failureSource } from './own-rules.js'

const NOW = new Date('2026-11-28T12:00:00Z')
const CORP = {
  name: 'corp',
  family: 'openai' as const,
  failureRules: [{ message: 'seat', reason: 'rate_limit' as const, retryAfterSeconds: 60 }],
}

function explain(
  body: unknown,
  status: number,
  ...rules: OwnFailureRule[]
): ReturnType<typeof explainResponse> {
  return explainResponse({ ...failureSource('corp', CORP, rules), status, headers: {}, body, now: NOW })
}

describe('rules of an owner’s own', () => {
  test('those of the config go before those of the provider, and both before keymux’s', () => {
    const body = { error: { message: 'Your seat is gone', code: 'invalid_api_key' } }
    expect(explain(body, 401)).toMatchObject({
      reason: 'rate_limit',
      certainty: 'stated',
      retryAfterMs: 60_000,
    })
    const config = { provider: '*', status: 401, reason: 'format' } as const
    expect(explain(body, 401, config)).toMatchObject({ reason: 'format', scope: 'request' })
    expect(explain(body, 403, config)?.reason).toBe('rate_limit')
  })

  test('look at codes as they came, at what a relay quotes, at titles of pages, and at bodies of no known kind', () => {
    const about = (message: string): OwnFailureRule => ({ provider: 'corp', message, reason: 'billing' })
    expect(
      explain({ error: { code: 'wallet_EMPTY', message: 'no' } }, 400, about('Wallet_empty'))?.reason,
    ).toBe('billing')
    const quoted = { error: { message: 'upstream: {"error":{"message":"wallet is empty"}}' } }
    expect(explain(quoted, 400, about('wallet is empty'))).toMatchObject({
      reason: 'billing',
      certainty: 'stated',
    })
    expect(explain('<html><title>Wallet empty</title></html>', 403, about('wallet empty'))?.reason).toBe(
      'billing',
    )
    expect(explain('{"fault":{"text":"wallet is empty"}}', 400, about('wallet is empty'))?.reason).toBe(
      'billing',
    )
  })

  test('a wait that the answer states goes before that of a rule', () => {
    const input = { ...failureSource('corp', CORP), status: 429, body: 'seat', now: NOW }
    expect(classifyResponse({ ...input, headers: { 'retry-after': '5' } })?.retryAfterMs).toBe(5_000)
    expect(classifyResponse({ ...input, headers: {} })?.retryAfterMs).toBe(60_000)
  })

  test('a regular expression that goes on from where it was finds the same each time', () => {
    const rule = { provider: 'corp', pattern: /gone/g, reason: 'billing' } as const
    for (let time = 0; time < 3; time += 1) expect(explain('it is gone', 400, rule)?.reason).toBe('billing')
  })

  test('a rule that asks for a status fits a message that mentions it, and no other', () => {
    const rules: OwnFailureRule[] = [{ provider: 'corp', status: 403, message: 'moved', reason: 'billing' }]
    const source = failureSource('corp', undefined, rules)
    expect(explainMessage('HTTP 403: it moved', source)).toMatchObject({
      reason: 'billing',
      certainty: 'stated',
    })
    expect(explainMessage('it moved', source).reason).toBe('unknown')
  })

  test('hold in sessions', () => {
    const context = { ...failureSource('corp', CORP), now: () => NOW }
    const payload = Buffer.from('{"type":"error","error":{"message":"no seat"}}')
    expect(judgeMessage(context, payload)).toMatchObject({ kind: 'bad', reason: 'rate_limit' })
  })
})

describe('familyFor', () => {
  test('what is declared, else what is known by name, else the dialect', () => {
    expect(familyFor('corp', 'zai', 'openai')?.name).toBe('zai')
    expect(familyFor('qwen', undefined, 'openai')?.name).toBe('dashscope')
    expect(familyFor('corp', undefined, 'anthropic')?.name).toBe('anthropic')
    expect(familyFor('corp', 'nobody')).toBeUndefined()
  })

  test('what a body shows goes before what is declared', () => {
    const input = { provider: 'corp', failureFamily: 'zai', headers: {}, now: NOW }
    const code = { error: { code: '1302', message: 'x' } }
    expect(explainResponse({ ...input, status: 400, body: code })).toMatchObject({
      reason: 'rate_limit',
      decision: { family: 'zai' },
    })
    const minimax = { base_resp: { status_code: 1002, status_msg: 'x' } }
    expect(explainResponse({ ...input, status: 200, body: minimax })?.decision.family).toBe('minimax')
  })
})
