import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { JsonText } from './json-walk.js'
import { refusesSigned, SignedItems } from './signed-items.js'

type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

/** JSON with white space anywhere that it may stand. */
function written(value: Json, gap: () => string): string {
  if (Array.isArray(value))
    return `[${gap()}${value.map((one) => written(one, gap) + gap()).join(`,${gap()}`)}]`
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(
      ([key, one]) => `${JSON.stringify(key)}${gap()}:${gap()}${written(one, gap)}${gap()}`,
    )
    return `{${gap()}${fields.join(`,${gap()}`)}}`
  }
  return JSON.stringify(value)
}

const gaps = fc.array(fc.constantFrom('', '', ' ', '\n', '\t  '), { minLength: 1 })
const text = fc.oneof(
  fc.string(),
  fc.constantFrom('"signature"', '\\"encrypted_content\\":', '[{', '}]', 'thoughtSignature'),
)
const plain = fc.record({ type: fc.constantFrom('text', 'message', 'tool_use'), text })
const proof = fc.string({ minLength: 1 })

/** A body with signed items in it, what is left of it without the first `count`, and how many there are. */
interface Case {
  readonly path: string
  readonly body: Json
  readonly without: (count: number) => Json
  readonly proofs: readonly string[]
}

const responses = fc
  .array(fc.oneof(plain, fc.record({ type: fc.constant('reasoning'), id: text, encrypted_content: proof })))
  .map((input): Case => {
    const isSigned = (one: Json): boolean => Object.hasOwn(one as object, 'encrypted_content')
    return {
      path: '/v1/responses',
      body: { model: 'm', input, store: false },
      without: (count) => ({ model: 'm', input: dropped(input, isSigned, count), store: false }),
      proofs: input.flatMap((one) => ('encrypted_content' in one ? [one.encrypted_content] : [])),
    }
  })

const block = fc.oneof(
  plain,
  fc.record({ type: fc.constant('thinking'), thinking: text, signature: proof }),
  fc.record({ type: fc.constant('redacted_thinking'), data: proof }),
)
const messages = fc
  .array(fc.record({ role: fc.constantFrom('user', 'assistant'), content: fc.oneof(text, fc.array(block)) }))
  .map((said): Case => {
    const proofOf = (one: Json): string | undefined => {
      const fields = one as { type: string; signature?: string; data?: string }
      return fields.type === 'thinking' ? fields.signature : fields.data
    }
    const proofs = said.flatMap(({ content }) =>
      typeof content === 'string' ? [] : content.flatMap((one) => proofOf(one) ?? []),
    )
    return {
      path: '/v1/messages?beta=true',
      body: { messages: said },
      without: (count) => {
        let left = count
        return {
          messages: said.flatMap(({ role, content }): Json[] => {
            if (typeof content === 'string') return [{ role, content }]
            const kept = content.filter((one) => {
              if (proofOf(one) === undefined || left === 0) return true
              left -= 1
              return false
            })
            return kept.length === 0 && content.length > 0 ? [] : [{ role, content: kept }]
          }),
        }
      },
      proofs,
    }
  })

const part = fc.oneof(
  fc.record({ text }),
  fc.record({ thoughtSignature: proof, functionCall: fc.record({ name: text }) }),
)
const gemini = fc
  .array(fc.record({ role: fc.constant('model'), parts: fc.array(part) }))
  .map((contents): Case => {
    let left = 0
    const swapped = (one: Json): Json => {
      const fields = one as { [key: string]: Json }
      if (fields.thoughtSignature === undefined || left === 0) return one
      left -= 1
      return { ...fields, thoughtSignature: 'skip_thought_signature_validator' }
    }
    return {
      path: '/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse',
      body: { contents },
      without: (count) => {
        left = count
        return { contents: contents.map(({ role, parts }) => ({ role, parts: parts.map(swapped) })) }
      },
      proofs: contents.flatMap(({ parts }) =>
        parts.flatMap((one) => ('thoughtSignature' in one ? [one.thoughtSignature] : [])),
      ),
    }
  })

function dropped(list: readonly Json[], isSigned: (one: Json) => boolean, count: number): Json[] {
  let left = count
  return list.filter((one) => {
    if (!isSigned(one) || left === 0) return true
    left -= 1
    return false
  })
}

describe('items that an account has signed', () => {
  test('are found, and left out from the first on, whatever stands around them', () => {
    fc.assert(
      fc.property(fc.oneof(responses, messages, gemini), gaps, fc.nat(12), (one, between, wanted) => {
        let at = 0
        const gap = (): string => {
          at += 1
          return between[at % between.length] ?? ''
        }
        const body = Buffer.from(written(one.body, gap))
        const items = new SignedItems(one.path, new JsonText(body))
        expect(items.count).toBe(one.proofs.length)
        const proofs = one.proofs.map((_, index) => Buffer.from(items.proof(index), 'latin1').toString())
        expect(proofs.map((each): unknown => JSON.parse(each))).toEqual(one.proofs)
        const count = Math.min(wanted, items.count)
        expect(JSON.parse(items.without(count).toString())).toEqual(one.without(count))
        if (count === 0) expect(items.without(0)).toEqual(body)
      }),
      { numRuns: 400 },
    )
  })

  test('are left out of a body that has tens of thousands of them', () => {
    const one = { role: 'assistant', content: [{ type: 'thinking', thinking: 'x', signature: 's' }] }
    const said = { role: 'user', content: 'go on' }
    const messages = Array.from({ length: 80_000 }, (_, index) => (index % 2 === 0 ? one : said))
    const items = new SignedItems('/v1/messages', new JsonText(Buffer.from(JSON.stringify({ messages }))))
    const left: unknown = JSON.parse(items.without(items.count).toString())
    expect(left).toEqual({ messages: messages.filter((each) => each === said) })
  })

  test.each([
    '',
    '[]',
    'null',
    '{"input":',
    '{"input":[{"encrypted_content":"x"',
    '{"input":{"encrypted_content":"x"}}',
    '{"input":[{"encrypted_content":5}]}',
    `{"input":[${'['.repeat(20_000)}"encrypted_content"`,
    '{"messages":[{"content":[{"type":"thinking","signature":"x"}',
    '{"messages":"signature"}',
  ])('a body that is no conversation is read without harm: %#', (body) => {
    for (const path of ['/responses', '/messages', '/models/x:generateContent']) {
      const items = new SignedItems(path, new JsonText(Buffer.from(body)))
      expect(items.without(items.count).length).toBeLessThanOrEqual(body.length)
    }
  })

  test.each([
    ['{"error":{"code":"invalid_encrypted_content"}}', true],
    ['The encrypted content gAAA...6Dg= could not be verified.', true],
    [
      'The encrypted content for item rs_1 could not be verified. Reason: Encrypted content could not be decrypted or parsed.',
      true,
    ],
    ['messages.1.content.0: Invalid `signature` in `thinking` block', true],
    ['Invalid signature in thinking block', true],
    ['Unable to submit request because Thought signature is not valid..', true],
    ['Corrupted thought signature.', true],
    ['Function call is missing a thought_signature in functionCall parts.', false],
    ['The encrypted connection could not be opened', false],
    ['max_tokens is too large', false],
  ])('%s', (said, refuses) => {
    expect(refusesSigned(said)).toBe(refuses)
  })
})
