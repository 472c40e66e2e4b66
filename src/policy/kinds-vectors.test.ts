import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Certainty, FailureReason, FailureScope } from '../domain/usage.js'
import { explainMessage } from './classify-message.js'
import { type ClassifyInput, classifyResponse, type ResponseVerdict } from './classify-response.js'

/** A failure, what it is to be taken for, and why. */
interface Case {
  readonly name: string
  readonly provider?: string
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: unknown
  readonly message?: string
  readonly model?: string
  /** `null`: no failure. */
  readonly expected: null | {
    readonly reason: FailureReason
    /** Reasons that are right too. */
    readonly or?: readonly FailureReason[]
    readonly scope?: FailureScope
    readonly certainty?: Certainty
    /** `null`: none. */
    readonly retry_after_ms?: number | null
  }
  readonly why: string
}

const FILE = new URL('../../test/vectors/provider-failures-kinds.json', import.meta.url)
const { now, cases }: { now: string; cases: readonly Case[] } = JSON.parse(readFileSync(FILE, 'utf8'))
const NOW = new Date(now)

function verdictOn({ message, ...one }: Case): ResponseVerdict | undefined {
  if (message !== undefined) return explainMessage(message, { provider: one.provider, now: NOW })
  const input: ClassifyInput = {
    provider: one.provider ?? '',
    status: one.status ?? 0,
    headers: one.headers,
    body: one.body,
    model: one.model,
    now: NOW,
  }
  return classifyResponse(input)
}

describe('failures by kind', () => {
  test.each(cases)('$name', (one) => {
    const verdict = verdictOn(one)
    const { expected, why } = one
    if (expected === null) {
      expect(verdict, why).toBeUndefined()
      return
    }
    const { reason, or = [], scope, certainty, retry_after_ms: wait } = expected
    expect([reason, ...or], `${why}: ${verdict?.message}`).toContain(verdict?.reason)
    if (wait !== undefined) expect(verdict?.retryAfterMs ?? null, why).toBe(wait)
    // What it sets aside follows from the reason; the other ones have scopes of their own.
    if (verdict?.reason !== reason) return
    if (scope !== undefined) expect(verdict.scope, why).toBe(scope)
    if (certainty !== undefined) expect(verdict.certainty, why).toBe(certainty)
  })

  test('every case says why, and is there once', () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length)
    expect(cases.filter(({ why }) => why === '')).toEqual([])
    expect(cases.length).toBeGreaterThanOrEqual(400)
  })
})
