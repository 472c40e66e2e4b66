import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { FailureReason, FailureScope } from '../domain/usage.js'
import { classifyFailureMessage } from './classify-message.js'
import { type ClassifyInput, classifyResponse } from './classify-response.js'

interface Want {
  readonly reason: FailureReason
  readonly scope?: FailureScope
  /** `null`: none. `stated`: the full stated time. */
  readonly retryAfterMs?: number | 'stated' | null
  readonly message?: string
}

interface Case {
  readonly id: string
  readonly request?: Omit<ClassifyInput, 'now'> & { readonly now?: string }
  readonly message?: string
  /** `null`: no failure. */
  readonly want: Want | null
  /** What is right too. */
  readonly want_also?: readonly Want[]
  readonly why?: string
}

interface Vectors {
  readonly now?: string
  readonly cases: readonly Case[]
}

/** The accuracy to which times are stated. */
const SLACK_MS = 1_000

function vectors(name: string): Vectors {
  return JSON.parse(readFileSync(new URL(`../../test/vectors/${name}.json`, import.meta.url), 'utf8'))
}

describe.each([
  ['answers from public reports', 'provider-failures-field'],
  ['answers and messages from the tests of other projects', 'provider-failures-peers'],
])('%s', (_title, name) => {
  const { now, cases } = vectors(name)

  test.each(cases)('$id', ({ request, message = '', want, want_also = [], why = '' }) => {
    if (request === undefined) {
      const wanted = [want, ...want_also].map((one) => one?.reason)
      expect(wanted, why).toContain(classifyFailureMessage(message))
      return
    }
    const at = new Date(request.now ?? now ?? '2026-11-27T12:00:00Z')
    const verdict = classifyResponse({ ...request, now: at })
    if (want === null) {
      expect(verdict, why).toBeUndefined()
      return
    }
    const fits = ({ reason, scope, retryAfterMs, message: said }: Want): boolean =>
      verdict?.reason === reason &&
      (scope === undefined || verdict.scope === scope) &&
      (said === undefined || verdict.message === said) &&
      (typeof retryAfterMs !== 'number' ||
        Math.abs((verdict.retryAfterMs ?? 0) - retryAfterMs) <= SLACK_MS) &&
      (retryAfterMs !== null || verdict.retryAfterMs === undefined)
    if (![want, ...want_also].some(fits)) expect(verdict, why).toEqual(want)
  })
})
