import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ok } from '../../src/entries/testing.js'
import { openForwarding } from '../support/forwarding.js'
import { type ProxyMode, startProxy } from '../support/proxies.js'

const status = fc.constantFrom(301, 400, 401, 402, 403, 404, 407, 429, 500, 502, 503, 504)
const broken = fc.integer({ min: 0, max: 6_000 }).map((bytes) => ({ resetAfterBytes: bytes }))
const fault: fc.Arbitrary<ProxyMode> = fc.oneof(
  status,
  fc.constantFrom('page', 'late page', 'closes', 'garbage', 'endless head'),
  broken,
)
const request = fc.record({ fault, stream: fc.boolean(), words: fc.integer({ min: 1, max: 2_000 }) })

/** All that is remembered of accounts, but when they were used and which of them was good. */
function remembered(views: readonly object[]): unknown {
  return views.map((view) => ({ ...view, lastUsedAt: undefined, updatedAt: undefined, lastGood: undefined }))
}

test('whatever proxies do, no account is set aside, counted or put behind others for it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 8 }), async (requests) => {
      await using lab = await openForwarding({ provider: 'openai' })
      const proxies = [await startProxy(), await startProxy()]
      try {
        for (const [index, { url }] of proxies.entries())
          await lab.add(`p${index}`, { proxy: url, priority: -index })
        const before = remembered(await lab.handle.profiles.views())
        const fetch = lab.fetch()
        for (const { fault, stream, words } of requests) {
          const text = 'word '.repeat(words)
          for (const index of [0, 1]) lab.upstream.respond(ok({ text }), `key-p${index}`)
          for (const proxy of proxies) proxy.mode = fault
          const body = JSON.stringify({ model: 'gpt-4o', stream, messages: [] })
          await fetch('https://api.openai.com/v1/chat/completions', { method: 'POST', body })
            .then((answer) => answer.text())
            .catch(() => '')
        }
        expect(remembered(await lab.handle.profiles.views())).toEqual(before)
        expect(proxies.flatMap(({ others }) => others)).toEqual([])
      } finally {
        for (const proxy of proxies) await proxy.close()
      }
    }),
    { numRuns: 40 },
  )
})
