import { Agent, request } from 'node:http'
import { expect, test } from 'vitest'
import {
  errorInFirstEvent,
  ok,
  type RecordedRequest,
  type Reply,
  rateLimited,
  reset,
  serverError,
  stall,
  startScriptedUpstream,
} from '../../src/entries/testing.js'
import { startTestGateway } from '../support/gateway.js'

/** LOAD_REQUESTS=10000 in the environment for the whole run. */
const REQUESTS = Number(process.env.LOAD_REQUESTS ?? 2_000)
const CONNECTIONS = 64
const ACCOUNTS = ['one', 'two', 'three', 'four', 'five']
/** After so many upstream requests it is the next account's turn to fail. */
const TURN = 40

const FAULTS: readonly ((request: RecordedRequest) => Reply)[] = [
  () => rateLimited({ retryAfterMs: 40 }),
  () => serverError(),
  () => reset(),
  () => stall(),
  ({ text }) => (text.includes('"stream":true') ? errorInFirstEvent() : serverError()),
]

test(`of ${REQUESTS} requests at ${CONNECTIONS} connections none fails, though every account fails by turns`, async () => {
  const upstream = await startScriptedUpstream()
  let seen = 0
  let failed = 0
  upstream.respond((asked) => {
    seen += 1
    const turn = ACCOUNTS[Math.floor(seen / TURN) % ACCOUNTS.length]
    if (asked.credential !== `sk-${turn}` || seen % 10 >= 3) return ok()
    failed += 1
    return FAULTS[failed % FAULTS.length]?.(asked) ?? ok()
  })
  const started = await startTestGateway(
    ACCOUNTS.map((name) => ({
      provider: 'openai',
      name,
      secret: `sk-${name}`,
      baseUrl: `${upstream.url}/v1`,
    })),
    { gateway: { firstByteTimeoutSeconds: 2 }, defaultPreference: 'type' },
  )
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const ask = (stream: boolean): Promise<string> =>
    new Promise((resolve) => {
      const headers = { authorization: `Bearer ${started.token}`, 'content-type': 'application/json' }
      const sent = request(
        `${started.url}/openai/chat/completions`,
        { method: 'POST', headers, agent },
        (answer) => {
          let text = ''
          answer.setEncoding('utf8')
          answer.on('data', (chunk: string) => {
            text += chunk
          })
          answer.once('end', () => {
            const whole = stream ? text.endsWith('data: [DONE]\n\n') : text.includes('Hello from keymux.')
            resolve(answer.statusCode === 200 && whole ? 'ok' : `${answer.statusCode}: ${text.slice(0, 200)}`)
          })
          answer.once('error', (error) => resolve(error.message))
        },
      )
      sent.once('error', (error) => resolve(error.message))
      sent.end(JSON.stringify({ model: 'gpt-4o', messages: [], stream }))
    })
  let next = 0
  const outcomes = new Map<string, number>()
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (next < REQUESTS) {
        next += 1
        const outcome = await ask(next % 2 === 0)
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      }
    }),
  )
  agent.destroy()
  await started.close()
  await upstream.close()
  expect(Object.fromEntries(outcomes)).toEqual({ ok: REQUESTS })
  // Each account had its turn, and a good part of the tries failed.
  expect(failed).toBeGreaterThan(REQUESTS / 100)
})
