import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { newUsageStats, type ProfileUsageStats } from '../domain/usage.js'
import { isComparedPath, isOpenRefusal } from './compare.js'
import { speaksOfPolicy } from './policy-words.js'
import { type Refusal, refusalFingerprint } from './refusal-fingerprint.js'
import { isRefusing, REFUSED_MAX_MS, withoutRefused, withRefused } from './refused.js'

const MEMORY = { memoryMs: 86_400_000 }
const START = Date.UTC(2026, 0, 1)

describe('a refusal is open', () => {
  const presumed = { certainty: 'presumed', scope: 'request', message: 'no' } as const

  test.each([400, 403, 404, 413, 422])('with %i, where nothing is known for sure', (status) => {
    expect(isOpenRefusal({ ...presumed, reason: 'format' }, status)).toBe(true)
    expect(isOpenRefusal({ ...presumed, reason: 'unknown' }, status)).toBe(true)
  })

  test('not where a code says it, something else is set aside, or the status is another one', () => {
    expect(isOpenRefusal({ ...presumed, certainty: 'stated', reason: 'format' }, 400)).toBe(false)
    expect(isOpenRefusal({ ...presumed, scope: 'model', reason: 'unknown' }, 400)).toBe(false)
    expect(isOpenRefusal({ ...presumed, reason: 'format' }, 409)).toBe(false)
    expect(isOpenRefusal({ ...presumed, reason: 'model_not_found' }, 404)).toBe(false)
  })

  test.each([
    ['messages: at least one message is required', false],
    ['messages.1.content.0.text: Field required', false],
    ['Invalid JSON payload received. Unknown name "flavour": Cannot find field.', false],
    ["Invalid value at 'contents[0].parts'", false],
    ['tools.0.custom.defer_loading: Extra inputs are not permitted', true],
    ['Error: Model not available for your organisation', true],
    ['messages are not available for you', true],
  ])('unless it names the part of the request that is wrong: %s', (message, isOpen) => {
    expect(isOpenRefusal({ ...presumed, reason: 'format', message }, 400)).toBe(isOpen)
  })

  test('for a request that is too large only where its status alone says so', () => {
    expect(isOpenRefusal({ ...presumed, reason: 'context_overflow' }, 400)).toBe(false)
    expect(isOpenRefusal({ ...presumed, reason: 'context_overflow' }, 413)).toBe(true)
  })
})

test.each([
  ['/chat/completions', true],
  ['/v1/messages?beta=true', true],
  ['/v1/messages/count_tokens', false],
  ['/v1/responses', true],
  ['/v1/responses/resp_1', false],
  ['/v1/embeddings', true],
  ['/v1beta/models/g:streamGenerateContent?alt=sse', true],
  ['/v1beta/models/g:countTokens', false],
  ['/v1/files', false],
])('%s is compared: %s', (path, compared) => {
  expect(isComparedPath(path)).toBe(compared)
})

describe('words of policy', () => {
  test.each([
    'ContentPolicyViolation',
    'data_inspection: 内容违规',
    'Responsible AI Practices',
    'This may be UNSAFE',
    '{"message":"\\u5ba1\\u67e5"}',
    'センシティブな内容',
    'Votre demande a été refusée par notre système de sécurité',
    'Die Anfrage wurde aus Sicherheitsgründen abgelehnt',
    'La solicitud fue rechazada por motivos de seguridad',
    'Conteúdo inapropriado detectado',
    'Contenuto inappropriato',
    'İçerik uygunsuz',
    'The prompt contains hate speech',
    'NSFW content detected',
    'refused as dangerous',
    's\u200bafety',
    's&#97;fety and s&#x61;fety',
    'ｓａｆｅｔｙ',
  ])('%s', (text) => {
    expect(speaksOfPolicy(text)).toBe(true)
  })

  test.each(['Model not available for your organisation', 'invalid params', '请求参数错误', ''])(
    'are not in %s',
    (text) => {
      expect(speaksOfPolicy(text)).toBe(false)
    },
  )
})

describe('the fingerprint of a refusal', () => {
  const of = (message: string, more: Partial<Refusal> = {}): string =>
    refusalFingerprint({
      family: 'openai',
      status: 400,
      body: JSON.stringify({ error: { message, type: 'invalid_request_error', code: null } }),
      ...more,
    })

  test.each([
    ['Try again, request req_011CSHoEeqs5C35K2UUqR7Fy.', 'Try again, request req_AAAbbb.'],
    ['Limit 30000, used 29800', 'Limit 12, used 4'],
    ["Unknown name 'flavour'", "Unknown name 'colour'"],
    ['Not enabled for organization org-acme', 'Not enabled for organization org-other'],
    ['See https://example.com/a?b=1', 'See https://example.com/c'],
    ['trace 3f1c2f6e-aaaa-4bbb-8ccc-ddddeeeeffff', 'trace 0b1c2f6e-1111-4bbb-8ccc-ddddeeeeffff'],
    ['当前账户不支持该功能，请求编号 a8f3', '当前账户不支持该功能，请求编号 77c1'],
    ['ask me@example.com', 'ask you@example.org'],
  ])('leaves out what varies: %s', (one, other) => {
    expect(of(one)).toBe(of(other))
  })

  test('keeps words, and does not take apostrophes for quotation marks', () => {
    expect(of('Model not available')).not.toBe(of('Feature not available'))
    expect(of("doesn't work, can't be")).not.toBe(of("doesn't fly, can't be"))
  })

  test('differs by family, status, code and type', () => {
    const all = [
      of('no'),
      of('no', { status: 422 }),
      of('no', { family: 'anthropic' }),
      of('no', { body: '{"error":{"message":"no","type":"invalid_request_error","code":"x"}}' }),
      of('no', { body: '{"error":{"message":"no","type":"permission_error"}}' }),
    ]
    expect(new Set(all).size).toBe(all.length)
  })

  test('is the same through a relay', () => {
    const body = JSON.stringify({ error: { message: 'no', type: 'invalid_request_error', code: null } })
    const relayed = JSON.stringify({ error: { message: `upstream said: ${body}`, type: 'relay_error' } })
    expect(of('no', { body: relayed })).toBe(of('no'))
  })

  test('is made of anything, in linear time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 400, max: 599 }), (body, status) => {
        const refusal = { family: undefined, status, body }
        expect(refusalFingerprint(refusal)).toBe(refusalFingerprint(refusal))
      }),
    )
    const started = performance.now()
    for (const piece of ["'", 'a', '"a', 'a.', '“', 'http://']) of(piece.repeat(200_000))
    expect(performance.now() - started).toBeLessThan(5_000)
  })
})

describe('refused models', () => {
  test('keep a bounded record, and a window of an hour at most, whatever comes', () => {
    const step = fc.record({
      model: fc.constantFrom('m', 'n', undefined),
      conversation: fc.constantFrom('1', '2', '3', '4'),
      afterMs: fc.integer({ min: 0, max: 2 * REFUSED_MAX_MS }),
      isServed: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let stats: ProfileUsageStats = newUsageStats()
        let nowMs = START
        let told = new Map<string, Set<string>>()
        for (const { model, conversation, afterMs, isServed } of steps) {
          nowMs += afterMs
          const now = new Date(nowMs)
          const key = model ?? ''
          if (isServed) {
            stats = withoutRefused(stats, model)
            told = new Map([...told].filter(([name]) => name !== key))
            expect(isRefusing(stats, model, now)).toBe(false)
            continue
          }
          const wasRefusing = isRefusing(stats, model, now)
          stats = withRefused(stats, model, conversation, { now, ...MEMORY })
          told.set(key, (told.get(key) ?? new Set()).add(conversation))
          const isEnough = (told.get(key)?.size ?? 0) >= 3
          if (!wasRefusing && isEnough && steps.every((one) => one.afterMs < 3_600_000)) {
            expect(isRefusing(stats, model, now)).toBe(true)
          }
          if (!isEnough) expect(isRefusing(stats, model, now)).toBe(false)
          const refused = stats.refused?.[key]
          expect(refused?.conversations.length).toBeLessThanOrEqual(3)
          expect((refused?.until?.getTime() ?? 0) - nowMs).toBeLessThanOrEqual(REFUSED_MAX_MS)
        }
      }),
    )
  })

  test('double their window from a minute to an hour', () => {
    let stats: ProfileUsageStats = newUsageStats()
    let nowMs = START
    const found: number[] = []
    for (const conversation of ['1', '2', ...Array.from({ length: 8 }, (_, index) => `${index + 3}`)]) {
      stats = withRefused(stats, 'm', conversation, { now: new Date(nowMs), ...MEMORY })
      const until = stats.refused?.m?.until?.getTime()
      if (until === undefined) continue
      found.push((until - nowMs) / 60_000)
      nowMs = until
    }
    expect(found).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
  })

  test('of made-up names do not make the record grow for ever', () => {
    let stats: ProfileUsageStats = newUsageStats()
    for (let index = 0; index < 400; index += 1) {
      stats = withRefused(stats, `m${index}`, 'c', { now: new Date(START + index), ...MEMORY })
    }
    expect(Object.keys(stats.refused ?? {}).length).toBe(256)
    expect(stats.refused?.m399).toBeDefined()
  })
})
