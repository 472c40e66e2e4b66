import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { FAMILIES } from './classify-families.js'
import { explainMessage } from './classify-message.js'
import { type ExplainedVerdict, explainResponse } from './classify-response.js'
import { type FailureRule, GENERIC_RULES } from './classify-rules.js'

const NOW = new Date('2026-11-28T12:00:00Z')

/** A case of the vectors: what it is taken for now, and the reasons that it allows. */
interface Case {
  readonly explain: () => ExplainedVerdict | undefined
  readonly allowed: readonly unknown[]
}

function read(name: string): Case[] {
  const url = new URL(`../../test/vectors/${name}.json`, import.meta.url)
  const value = JSON.parse(readFileSync(url, 'utf8'))
  return (value.cases ?? value.vectors).map(toCase)
}

function toCase(one: Record<string, unknown>): Case {
  const { message, request, want, want_also: also, expect: simple, expected, ...own } = one
  const input = { provider: '', status: 0, ...own, ...Object(request), now: NOW }
  const wanted = [want, ...(Array.isArray(also) ? also : []), expected, simple]
  return {
    explain: () =>
      typeof message === 'string' ? explainMessage(message, { now: NOW }) : explainResponse(input),
    allowed: wanted
      .flatMap((each) => (typeof each === 'string' ? [each] : [Object(each).reason, Object(each).or]))
      .flat(),
  }
}

const CASES: readonly Case[] = [
  'provider-failures-kinds',
  'provider-failures-field',
  'provider-failures-peers',
  'provider-failures',
  'failure-messages',
].flatMap(read)

const LISTS = [
  ...FAMILIES.map(({ name, rules }) => ({ name, rules })),
  { name: 'everyone', rules: GENERIC_RULES },
]
const RULES = LISTS.flatMap(({ name, rules }) =>
  rules.map((rule) => {
    const parts = [rule.code, rule.words, rule.quota].flatMap((one) =>
      one === undefined ? [] : [one.source],
    )
    // The lists are read-only for those who use them.
    return { title: `${name}: ${rule.reason} ${parts.join(' + ')}`, list: rules as FailureRule[], rule }
  }),
)

const told = (verdict: ExplainedVerdict | undefined): string => {
  const { reason, scope, certainty, retryAfterMs } = verdict ?? {}
  return JSON.stringify([reason, scope, certainty, retryAfterMs])
}
const BEFORE = CASES.map(({ explain }) => explain())

/** The cases that are told otherwise without a rule, and what they are told then. */
function without(
  list: FailureRule[],
  rule: FailureRule,
): { one: Case; before?: ExplainedVerdict; after?: ExplainedVerdict }[] {
  const at = list.indexOf(rule)
  list.splice(at, 1)
  try {
    return CASES.flatMap((one, index) => {
      const [before, after] = [BEFORE[index], one.explain()]
      return told(before) === told(after) ? [] : [{ one, ...(before && { before }), ...(after && { after }) }]
    })
  } finally {
    list.splice(at, 0, rule)
  }
}

describe('every rule', () => {
  test.each(RULES)('$title decides a case that nothing else decides alike', ({ list, rule }) => {
    expect(without(list, rule), 'no case needs this rule: cover it, or delete it').not.toEqual([])
  })

  test.each(RULES)(
    '$title: where another of its list says otherwise, a case asserts which goes first',
    ({ list, rule }) => {
      const contradicting = without(list, rule).filter(
        ({ before, after }) =>
          after?.decision.by === 'rule' &&
          after.decision.family === before?.decision.family &&
          after.reason !== before?.reason,
      )
      const reasons = new Set(contradicting.map(({ after }) => after?.reason))
      for (const reason of reasons) {
        const asserting = contradicting.filter(
          ({ one, after }) => after?.reason === reason && !one.allowed.includes(reason),
        )
        expect(asserting, `no case says that ${rule.reason} goes before ${reason}`).not.toEqual([])
      }
    },
  )
})
