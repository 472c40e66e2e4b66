import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { composeKeymux } from '../src/compose.js'
import type { FetchLike } from '../src/domain/ports.js'
import { createFetch } from '../src/transport/create-fetch.js'
import { addLimited, median, report, withFolder } from './support.js'

// The upstream has a process of its own: what is written down while it works must not count as its time.
const WARM_UP = 500
const ROUNDS = 1_000
/** Longer than the first profile asks for, and than its failure takes to be written down. */
const PAUSE_MS = 10

const BODY = JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello?' }] })
const ANSWER = JSON.stringify({ id: 'c', choices: [{ message: { content: 'x'.repeat(300) } }] })
const LIMITED = JSON.stringify({ error: { message: 'Rate limit reached', code: 'rate_limit_exceeded' } })

/** Answers at once; to the first profile with a rate limit. */
async function upstream(): Promise<void> {
  const server = createServer((message, response) => {
    message.resume().once('end', () => {
      const limited = message.headers.authorization === 'Bearer sk-first'
      const text = limited ? LIMITED : ANSWER
      const headers = {
        'content-type': 'application/json',
        'content-length': text.length,
        ...(limited ? { 'retry-after-ms': '1' } : {}),
      }
      response.writeHead(limited ? 429 : 200, headers).end(text)
    })
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.send?.((server.address() as AddressInfo).port)
}

async function measure(): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['upstream'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  try {
    const [port] = await once(child, 'message')
    await withFolder((folder) => run(folder, Number(port)))
  } finally {
    child.kill()
  }
}

async function run(folder: string, port: number): Promise<void> {
  const keymux = await composeKeymux({
    vault: `${folder}/vault.db`,
    unlock: { keyFile: `${folder}/key` },
    create: true,
    env: { XDG_STATE_HOME: `${folder}/state` },
  })
  const baseUrl = `http://127.0.0.1:${port}/v1`
  await keymux.profiles.add({ provider: 'openai', name: 'second', secret: 'sk-second', baseUrl })
  const url = 'https://api.openai.com/v1/chat/completions'
  const call = caller(createFetch(keymux, { provider: 'openai' }), url)
  const bare = caller(fetch, `${baseUrl}/chat/completions`)

  const [trip, usual] = await inTurns(bare, call)
  report({ what: 'one request, the global fetch', value: trip, unit: 'ms' })
  report({ what: 'one request, createFetch with one profile', value: usual, unit: 'ms' })

  // The first profile is back when the next request comes, so that each of them meets it.
  const paused = await middle(call)
  await addLimited(keymux.profiles, baseUrl)
  const failing = await middle(call)
  await keymux.close()
  report({
    what: 'failover after a 429, beyond one round trip of the global fetch',
    value: failing - paused - trip,
    unit: 'ms',
    target: 0.3,
  })
}

/** The median of one request after the other, with pauses in between. */
async function middle(call: () => Promise<number>): Promise<number> {
  const times: number[] = []
  for (let index = 0; index < ROUNDS; index += 1) {
    times.push(await call())
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  return median(times)
}

/** Medians of two callers that take turns: whatever else the machine does meets both alike. */
async function inTurns(a: () => Promise<number>, b: () => Promise<number>): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []]
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    const pair = [await a(), await b()] as const
    if (round < 0) continue
    times[0].push(pair[0])
    times[1].push(pair[1])
  }
  return [median(times[0]), median(times[1])]
}

function caller(send: FetchLike, url: string): () => Promise<number> {
  const headers = { 'content-type': 'application/json', authorization: 'Bearer sk-second' }
  return async () => {
    const begin = performance.now()
    const response = await send(url, { method: 'POST', headers, body: BODY })
    await response.text()
    if (response.status !== 200) throw new Error(`unexpected status ${response.status}`)
    return performance.now() - begin
  }
}

await (process.argv[2] === 'upstream' ? upstream() : measure())
