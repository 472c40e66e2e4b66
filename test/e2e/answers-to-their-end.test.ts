import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ProfileView } from '../../src/domain/profiles.js'
import { ok, type ScriptedUpstream, startScriptedUpstream } from '../../src/entries/testing.js'
import { createFetch } from '../../src/transport/create-fetch.js'
import { startTestGateway, type TestGateway } from '../support/gateway.js'
import {
  type Fate,
  fatedStream,
  STREAMED_DIALECTS,
  type StreamedDialect,
  someCuts,
} from '../support/streams.js'

const [FIRST, SECOND] = ['first-planted-Marker7Qx9Zt3Lk8', 'second-planted-Marker8Vb2Nm5Wp4']

/** The two ways through the forwarding core. */
const DOORS = ['the gateway', 'createFetch'] as const

/** What each fate leaves behind: whether it counts for the account, and what is held against it. */
const FATES: readonly (readonly [Fate, boolean, object])[] = [
  ['end', true, {}],
  ['break', false, { server_error: 1 }],
  ['overloaded', false, { overloaded: 1 }],
  ['vague', false, { server_error: 1 }],
  ['without end', false, { server_error: 1 }],
  ['abort', true, {}],
]

describe.each(DOORS)('through %s', (door) => {
  describe.each(STREAMED_DIALECTS)('$name', (dialect) => {
    let upstream: ScriptedUpstream
    let started: TestGateway

    beforeEach(async () => {
      upstream = await startScriptedUpstream()
      const baseUrl = dialect.upstreamBase(upstream.url)
      const { provider } = dialect
      started = await startTestGateway([
        { provider, name: 'first', mode: 'api_key', secret: FIRST, priority: 2, baseUrl },
        { provider, name: 'second', mode: 'api_key', secret: SECOND, priority: 1, baseUrl },
      ])
    })
    afterEach(async () => {
      await started.close()
      await upstream.close()
    })

    const ask = (signal?: AbortSignal): Promise<Response> => askThrough(door, started, dialect, signal)
    const first = (): Promise<ProfileView> => started.keymux.profiles.view(`${dialect.provider}:first`)

    /** Meets a fate after the first content; gives what its caller got. */
    async function meet(fate: Fate, cuts: readonly number[]): Promise<{ text: string; broken: boolean }> {
      let open = (): void => {}
      const when = new Promise<void>((resolve) => {
        open = resolve
      })
      const hangUp = new AbortController()
      upstream.respond(fatedStream(dialect, fate, { cuts, when }), FIRST)
      const response = await ask(hangUp.signal)
      expect(response.status).toBe(200)
      if (door === 'the gateway') expect(response.headers.get('x-accel-buffering')).toBe('no')
      const reader = (response.body as ReadableStream<Uint8Array>).getReader()
      const decoder = new TextDecoder()
      let [text, broken] = ['', false]
      try {
        for (;;) {
          const { done, value } = await reader.read()
          if (done) break
          text += decoder.decode(value, { stream: true })
          if (!text.includes('Hello')) continue
          if (fate === 'abort') hangUp.abort()
          else open()
        }
      } catch {
        broken = true
      }
      await upstream.requests.at(-1)?.ended
      return { text, broken }
    }

    test.each(FATES)('%s', async (fate, counts, failureCounts) => {
      for (const cuts of someCuts(fate.length, 2)) {
        await started.keymux.profiles.reset()
        // The base URL is known for the event that ends its streams.
        upstream.respond(ok(), FIRST)
        await (await ask()).text()
        upstream.respond(ok(), SECOND)
        const before = await first()
        const { text, broken } = await meet(fate, cuts)
        expect(broken).toBe(fate === 'break' || fate === 'abort')
        if (fate === 'end') expect(text).toContain('keymux.')
        const after = await eventually(first, ({ errorCount, behind }) =>
          counts ? true : errorCount > before.errorCount && behind !== undefined,
        )
        expect(added(before.failureCounts, after.failureCounts)).toEqual(failureCounts)
        expect(after.state).toBe('available')
        expect(after.behind?.map(({ model }) => model)).toEqual(counts ? undefined : [dialect.model])
        expect(after.modelCooldowns.map(({ reason }) => reason)).toEqual(
          fate === 'overloaded' ? ['overloaded'] : [],
        )
        upstream.respond(ok(), FIRST)
        expect((await ask()).headers.get('x-keymux-profile')).toBe(
          `${dialect.provider}:${counts ? 'first' : 'second'}`,
        )
      }
    })

    test('an upstream that never sends a terminal event is believed', async () => {
      for (const cuts of someCuts(7, 2)) {
        expect((await meet('without end', cuts)).broken).toBe(false)
        expect(await first()).toMatchObject({ errorCount: 0, lastGood: true })
      }
    })

    test('who broke off is not the last good one', async () => {
      upstream.respond(ok(), SECOND)
      await meet('break', [40])
      expect(await eventually(first, ({ behind }) => behind !== undefined)).toMatchObject({ lastGood: false })
      expect((await ask()).headers.get('x-keymux-profile')).toBe(`${dialect.provider}:second`)
    })
  })
})

function askThrough(
  door: (typeof DOORS)[number],
  { keymux, url, token }: TestGateway,
  { provider, path, baseUrl, body }: StreamedDialect,
  signal?: AbortSignal,
): Promise<Response> {
  const init = {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  }
  if (door === 'the gateway') return fetch(`${url}/${provider}${path}`, init)
  return createFetch(keymux, { provider })(`${baseUrl}${path}`, init)
}

function added(before: object, after: object): object {
  const known = new Map<string, number>(Object.entries(before))
  return Object.fromEntries(
    Object.entries(after)
      .map(([reason, count]) => [reason, Number(count) - (known.get(reason) ?? 0)] as const)
      .filter(([, count]) => count > 0),
  )
}

async function eventually<T>(look: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (let left = 500; ; left -= 1) {
    const value = await look()
    if (holds(value) || left === 0) return value
    await new Promise((resolve) => setImmediate(resolve))
  }
}
