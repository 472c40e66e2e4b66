import { describe, expect, test } from 'vitest'
import type { OwnFailureRule } from '../domain/failure-rule.js'
import { doubtsAbout } from './doubts.js'
import { failurePattern } from './pattern.js'

const KNOWN = (name: string): boolean => name === 'corp' || name === 'openai'
const about = (...rules: OwnFailureRule[]): string[] =>
  doubtsAbout(rules, KNOWN).map(({ where, message }) => `${where}: ${message}`)

describe('doubtsAbout', () => {
  test('finds nothing odd about different rules', () => {
    expect(
      about(
        { provider: 'corp', status: 400, message: 'budget is gone', reason: 'billing' },
        { provider: 'corp', status: 400, message: 'budget', reason: 'format' },
        { provider: 'corp', pattern: failurePattern('quota \\d+'), reason: 'rate_limit' },
        { provider: 'openai', status: 429, reason: 'overloaded' },
        { provider: '*', status: 403, message: 'safety_check', reason: 'format' },
      ),
    ).toEqual([])
  })

  test.each([
    [
      { provider: '*', message: 'budget' },
      { provider: 'corp', status: 400, message: 'The BUDGET is gone' },
    ],
    [
      { provider: 'corp', status: 400 },
      { provider: 'corp', status: 400, message: 'anything' },
    ],
    [
      { provider: 'corp', status: 400 },
      { provider: 'corp', status: 400, pattern: failurePattern('x+') },
    ],
    [
      { provider: 'corp', pattern: failurePattern('x+') },
      { provider: 'corp', status: 500, pattern: failurePattern('x+') },
    ],
  ])('%j covers %j', (earlier, later) => {
    expect(about({ ...earlier, reason: 'billing', where: 'a:1' }, { ...later, reason: 'format' })).toEqual([
      'rule 2: it never decides: a:1 comes first, and says billing where this one says format',
    ])
    expect(about({ ...earlier, reason: 'format' }, { ...later, reason: 'format', where: 'a:2' })).toEqual([
      'a:2: it never decides: rule 1 comes first and says the same',
    ])
    expect(about({ ...later, reason: 'format' }, { ...earlier, reason: 'billing' })).toEqual([])
  })

  test('finds providers that nobody knows, and rules about nearly everything', () => {
    expect(about({ provider: 'crop', status: 400, reason: 'billing' })).toEqual([
      'rule 1: there is no provider "crop"',
    ])
    expect(about({ provider: 'corp', message: 'e', reason: 'billing' })[0]).toMatch(/nearly every message/)
    expect(about({ provider: '*', status: 429, reason: 'billing' })[0]).toMatch(/every 429 of every provider/)
  })
})
