import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SCOPES_OF_REASON } from '../domain/failure-rule.js'
import { FAILURE_REASONS } from '../domain/usage.js'
import { type RuleProblem, readOwnRule, readProviderRule, ruleToJson } from './read.js'

const SNAKE = {
  spell: (key: string) => key.replace(/[A-Z]/g, (one) => `_${one.toLowerCase()}`),
  where: 'here',
}

function read(value: unknown): { rule: ReturnType<typeof readOwnRule>; problems: readonly RuleProblem[] } {
  const problems: RuleProblem[] = []
  const rule = readOwnRule(value, SNAKE, (problem) => problems.push(problem))
  return { rule, problems }
}

describe('a rule', () => {
  test('is read, with a pattern, a wait and its place', () => {
    const value = {
      provider: 'Corp',
      status: 429,
      pattern: 'busy|full',
      reason: 'rate_limit',
      scope: 'credential',
    }
    const { rule, problems } = read({ ...value, retry_after_seconds: 300 })
    expect(problems).toEqual([])
    expect(rule).toMatchObject({ provider: 'corp', retryAfterSeconds: 300, where: 'here' })
    expect(rule?.pattern?.test('It is FULL')).toBe(true)
    expect(ruleToJson(rule ?? { reason: 'unknown' })).toEqual({
      ...value,
      provider: 'corp',
      retry_after_seconds: 300,
    })
  })

  test('a regular expression of a program is taken as it is', () => {
    const pattern = /gone/i
    expect(read({ provider: '*', pattern, reason: 'format' }).rule?.pattern).toBe(pattern)
  })

  test.each([
    ['no mapping', [], undefined, /a mapping with provider, status, message, pattern, reason, scope, retry_/],
    ['nothing to look at', { provider: 'x', reason: 'billing' }, undefined, /match every failure/],
    ['no reason', { provider: 'x', status: 400 }, undefined, /reason is missing/],
    ['no provider', { status: 400, reason: 'billing' }, undefined, /provider is missing/],
    ['a blank message', { provider: 'x', message: '  ', reason: 'billing' }, 'message', /part of a message/],
    ['a success', { provider: 'x', status: 200, reason: 'billing' }, 'status', /400 to 599/],
    ['both texts', { provider: 'x', message: 'a', pattern: 'b', reason: 'format' }, 'pattern', /not both/],
    ['an empty pattern', { provider: 'x', pattern: '', reason: 'format' }, 'pattern', /1 to 500/],
    ['a pattern for all', { provider: 'x', pattern: '.*', reason: 'format' }, 'pattern', /every message/],
    ['a pattern for any character', { provider: 'x', pattern: '.', reason: 'format' }, 'pattern', /every/],
    ['a pattern for any word', { provider: 'x', pattern: '\\w', reason: 'format' }, 'pattern', /every/],
    ['a pattern for both', { provider: 'x', pattern: 'a|[^a]', reason: 'format' }, 'pattern', /every/],
    ['a pattern for all', { provider: 'x', pattern: 'a?|b', reason: 'format' }, 'pattern', /every message/],
    [
      'a back-reference',
      { provider: 'x', pattern: '(a)\\1', reason: 'format' },
      'pattern',
      /back-references/,
    ],
    ['a foreign reason', { provider: 'x', status: 400, reason: 'poverty' }, 'reason', /expected auth,/],
    [
      'a foreign scope',
      { provider: 'x', status: 400, reason: 'format', scope: 'all' },
      'scope',
      /expected request,/,
    ],
    [
      'a scope without effect',
      { provider: 'x', status: 400, reason: 'format', scope: 'credential' },
      'scope',
      /format goes with the scope request/,
    ],
    [
      'a contradiction',
      { provider: 'x', status: 400, reason: 'billing', scope: 'request' },
      'scope',
      /billing goes with the scope credential/,
    ],
    [
      'a wait that mends nothing',
      { provider: 'x', status: 400, reason: 'billing', retry_after_seconds: 5 },
      'retry_after_seconds',
      /no wait mends billing/,
    ],
    [
      'a wait of none',
      { provider: 'x', status: 429, reason: 'rate_limit', retry_after_seconds: 0 },
      'retry_after_seconds',
      /above 0 and up to 86400/,
    ],
    [
      'a wait of days',
      { provider: 'x', status: 429, reason: 'rate_limit', retry_after_seconds: 86_401 },
      'retry_after_seconds',
      /above 0 and up to 86400/,
    ],
    ['another key', { provider: 'x', status: 429, reason: 'rate_limit', words: 'x' }, 'words', /unknown key/],
    ['a place', { provider: 'x', status: 429, reason: 'rate_limit', where: 'x' }, 'where', /unknown key/],
    [
      'camelCase',
      { provider: 'x', status: 429, reason: 'rate_limit', retryAfterSeconds: 1 },
      'retryAfterSeconds',
      /unknown key/,
    ],
    [
      'a strange name',
      { provider: 'a b', status: 429, reason: 'rate_limit' },
      'provider',
      /provider name, or "\*"/,
    ],
  ])('%s is refused', (_what, value, key, message) => {
    const { rule, problems } = read(value)
    expect(rule).toBeUndefined()
    expect(problems.map((problem) => problem.key)).toContain(key)
    expect(problems.map((problem) => problem.message).join('\n')).toMatch(message)
  })

  test('with a provider names none', () => {
    const problems: RuleProblem[] = []
    const value = { provider: 'x', status: 400, reason: 'billing' }
    expect(readProviderRule(value, SNAKE, (problem) => problems.push(problem))).toBeUndefined()
    expect(problems).toMatchObject([{ key: 'provider', message: expect.stringMatching(/leave it out/) }])
  })

  test('every reason has a scope that is taken', () => {
    for (const reason of FAILURE_REASONS) {
      for (const scope of SCOPES_OF_REASON[reason]) {
        expect(read({ provider: '*', status: 400, reason, scope }).problems).toEqual([])
      }
    }
  })

  test('whatever it is, it is read or something is said', () => {
    const values = fc.oneof(
      fc.anything(),
      fc.record(
        {
          provider: fc.anything(),
          status: fc.oneof(fc.anything(), fc.constant(400)),
          message: fc.anything(),
          pattern: fc.anything(),
          reason: fc.oneof(fc.anything(), fc.constantFrom(...FAILURE_REASONS)),
          scope: fc.anything(),
          retry_after_seconds: fc.anything(),
        },
        { requiredKeys: [] },
      ),
    )
    fc.assert(
      fc.property(values, (value) => {
        const { rule, problems } = read(value)
        expect(rule === undefined).toBe(problems.length > 0)
      }),
    )
  })
})
