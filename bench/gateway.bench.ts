import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, request, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { composeKeymux } from '../src/compose.js'
import { serveGateway } from '../src/surfaces/gateway/gateway.js'
import { createJsonLogger } from '../src/surfaces/gateway/log.js'
import { readPrivateFile } from '../src/system/safe-file.js'
import { addLimited, busyWait, median, report, withFolder } from './support.js'

// Upstream, bare proxy and gateway each have a process of their own; this one makes the load. Bare proxy and
// gateway take turns, so that whatever else the machine does meets both alike.
const CONNECTIONS = 32
const ROUNDS = 7
const PLAIN_REQUESTS = 20_000
const STREAMS = 1_500
const SINGLE_REQUESTS = 1_500
const FAILOVERS = 500
/** Requests a second where they come at a steady pace, and for how long, in seconds. */
const PACE = 3_000
const PACED_SECONDS = 3
const BODIES: readonly (readonly [bytes: number, count: number, targetMs: number])[] = [
  [50_000, 500, 0.2],
  [1_000_000, 100, 0.5],
]
/** Longer than the first profile asks for, and than its failure takes to be written down. */
const PAUSE_MS = 10
const CHUNKS = 50

const ANSWER = answerOf(361)
const BODY = JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello?' }] })
const STREAM_BODY = JSON.stringify({ ...JSON.parse(BODY), stream: true })
const TOKEN = 'a-token-for-the-benchmark'

const children: ChildProcess[] = []

async function measure(): Promise<void> {
  // Orphans would go on listening.
  process.once('exit', () => {
    for (const child of children) child.kill()
  })
  const up = await start('upstream', '')
  const bare = await start('proxy', String(up.port))
  await withFolder(async (folder) => {
    const gate = await start('gateway', JSON.stringify({ folder, upstream: up.port }))
    const direct: Place = { port: up.port, path: '/v1/chat/completions', secret: 'sk-second' }
    const through: Place = { port: bare.port, path: '/v1/chat/completions', secret: 'sk-second' }
    const gated: Place = { port: gate.port, path: '/openai/chat/completions', secret: TOKEN }
    await plain(through, gated)
    await streams(through, gated)
    await single(direct, through, gated)
    await paced(through, gated)
    await bodies(through, gated)
    await memory(gated, gate.child)
    await failover(direct, gated, gate.child)
    for (const child of children) child.kill()
  })
}

async function plain(through: Place, gated: Place): Promise<void> {
  const rates = await inTurns([through, gated], (place) => rate(place, BODY, PLAIN_REQUESTS))
  report({
    what: `bare proxy, ${ANSWER.length} bytes, ${CONNECTIONS} connections`,
    value: rates[0] ?? 0,
    unit: '/s',
  })
  report({
    what: `gateway, ${ANSWER.length} bytes, ${CONNECTIONS} connections`,
    value: rates[1] ?? 0,
    unit: '/s',
  })
  report({ what: 'gateway against bare proxy', value: share(rates), unit: '%', target: 90, atLeast: true })
}

async function streams(through: Place, gated: Place): Promise<void> {
  const rates = await inTurns([through, gated], (place) => rate(place, STREAM_BODY, STREAMS))
  report({ what: `bare proxy, streams of ${CHUNKS} chunks`, value: rates[0] ?? 0, unit: '/s' })
  report({ what: `gateway, streams of ${CHUNKS} chunks`, value: rates[1] ?? 0, unit: '/s' })
  report({
    what: 'gateway against bare proxy, streams',
    value: share(rates),
    unit: '%',
    target: 95,
    atLeast: true,
  })
}

async function single(direct: Place, through: Place, gated: Place): Promise<void> {
  const [none = 0, bare = 0, gateway = 0] = await inTurns([direct, through, gated], (place) =>
    middle(place, SINGLE_REQUESTS),
  )
  report({ what: 'p50 at 1 connection, without anything between', value: none, unit: 'ms' })
  report({ what: 'p50 at 1 connection, bare proxy', value: bare, unit: 'ms' })
  report({
    what: 'p50 at 1 connection, added by the gateway to the bare proxy',
    value: gateway - bare,
    unit: 'ms',
    target: 0.05,
  })
}

/** What the gateway adds to the slowest of a hundred requests that come at a steady pace, whoever is served already. */
async function paced(through: Place, gated: Place): Promise<void> {
  const [bare = 0, gateway = 0] = await inTurns([through, gated], (place) => paceOf(place))
  report({ what: `p99 at ${PACE}/s, bare proxy`, value: bare, unit: 'ms' })
  report({
    what: `p99 at ${PACE}/s, added by the gateway to the bare proxy`,
    value: gateway - bare,
    unit: 'ms',
    target: 0.6,
  })
}

/** Bodies as agents send them: the whole conversation, each time. */
async function bodies(through: Place, gated: Place): Promise<void> {
  for (const [bytes, count, target] of BODIES) {
    const body = conversationOf(bytes)
    const [bare = 0, gateway = 0] = await inTurns([through, gated], (place) => middle(place, count, 0, body))
    report({
      what: `p50 at 1 connection, a body of ${bytes / 1_000} kB, added to the bare proxy (${bare.toFixed(2)} ms)`,
      value: gateway - bare,
      unit: 'ms',
      target,
    })
  }
}

/** The p99 of requests that are due at a steady pace, in milliseconds: also the time that they wait to be sent counts. */
async function paceOf(place: Place): Promise<number> {
  const idle = await Promise.all(Array.from({ length: CONNECTIONS }, () => Caller.connect(place, BODY)))
  const callers = [...idle]
  const due: number[] = []
  const times: number[] = []
  const total = PACE * PACED_SECONDS
  const begin = performance.now()
  let begun = 0
  await new Promise<void>((resolve, reject) => {
    const send = (): void => {
      for (let caller = idle.pop(); caller !== undefined; caller = idle.pop()) {
        const at = due.shift()
        if (at === undefined) {
          idle.push(caller)
          return
        }
        const used = caller
        used.ask().then(() => {
          times.push(performance.now() - at)
          idle.push(used)
          if (times.length === total) resolve()
          else send()
        }, reject)
      }
    }
    const tick = (): void => {
      const now = performance.now()
      for (; begun < total && begin + (begun * 1_000) / PACE <= now; begun += 1)
        due.push(begin + (begun * 1_000) / PACE)
      send()
      if (begun < total) setImmediate(tick)
    }
    tick()
  })
  for (const caller of callers) caller.close()
  return times.sort((a, b) => a - b)[Math.floor(total * 0.99)] ?? Number.NaN
}

/**
 * The first of two profiles answers 429, and is back when the next request comes: what a request costs that meets
 * it, beyond one further round trip to the upstream.
 */
async function failover(direct: Place, gated: Place, child: ChildProcess): Promise<void> {
  const trip = await middle(direct, FAILOVERS, PAUSE_MS)
  const usual = await middle(gated, FAILOVERS, PAUSE_MS)
  await tell(child, 'limit')
  const failing = await middle(gated, FAILOVERS, PAUSE_MS)
  await tell(child, 'unlimit')
  report({
    what: 'failover after a 429, beyond one round trip',
    value: failing - usual - trip,
    unit: 'ms',
    target: 0.3,
  })
}

async function memory(gated: Place, child: ChildProcess): Promise<void> {
  await rate(gated, STREAM_BODY, 2_000)
  const before = Number(await tell(child, 'heap'))
  await rate(gated, STREAM_BODY, 10_000)
  const grown = Number(await tell(child, 'heap')) - before
  report({ what: 'heap grown over 10,000 streams', value: Math.max(0, grown) / 1e6, unit: 'MB', target: 2 })
}

interface Place {
  readonly port: number
  readonly path: string
  readonly secret: string
}

/** Medians of several rounds in which every place has its turn; the first one only warms up. */
async function inTurns(
  places: readonly Place[],
  figure: (place: Place) => Promise<number>,
): Promise<number[]> {
  const figures = places.map((): number[] => [])
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [index, place] of places.entries()) {
      const value = await figure(place)
      if (round > 0) figures[index]?.push(value)
    }
  }
  return figures.map(median)
}

function share([bare = 1, gateway = 0]: readonly number[]): number {
  return (gateway / bare) * 100
}

/** Requests a second, over all connections. */
async function rate(place: Place, body: string, count: number): Promise<number> {
  const callers = await Promise.all(Array.from({ length: CONNECTIONS }, () => Caller.connect(place, body)))
  let left = count
  const begin = performance.now()
  await Promise.all(
    callers.map(async (caller) => {
      while (left > 0) {
        left -= 1
        await caller.ask()
      }
    }),
  )
  const seconds = (performance.now() - begin) / 1_000
  for (const caller of callers) caller.close()
  return count / seconds
}

/** The median time of one request after the other, with pauses in between, in milliseconds. */
async function middle(place: Place, count: number, pauseMs = 0, body = BODY): Promise<number> {
  const caller = await Caller.connect(place, body)
  const times: number[] = []
  for (let index = 0; index < count; index += 1) {
    times.push(await caller.ask())
    busyWait(pauseMs)
  }
  caller.close()
  return median(times)
}

/** One connection that asks the same again and again. It knows no more HTTP than it must: the load should be light. */
class Caller {
  readonly #socket: Socket
  readonly #bytes: Buffer
  #text = ''
  #done: (() => void) | undefined
  #failed: ((error: Error) => void) | undefined

  static async connect({ port, path, secret }: Place, body: string): Promise<Caller> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const head = [
      `POST ${path} HTTP/1.1`,
      'host: 127.0.0.1',
      `authorization: Bearer ${secret}`,
      'content-type: application/json',
      `content-length: ${body.length}`,
    ]
    return new Caller(socket, Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`))
  }

  private constructor(socket: Socket, bytes: Buffer) {
    this.#socket = socket
    this.#bytes = bytes
    socket.setEncoding('latin1')
    socket.on('data', (text) => this.#take(String(text)))
    socket.on('error', (error) => this.#failed?.(error))
    socket.on('close', () => this.#failed?.(new Error('the connection was closed')))
  }

  /** Milliseconds until the whole answer was there. */
  async ask(): Promise<number> {
    const begin = performance.now()
    await new Promise<void>((resolve, reject) => {
      this.#done = resolve
      this.#failed = reject
      this.#text = ''
      this.#socket.write(this.#bytes)
    })
    return performance.now() - begin
  }

  close(): void {
    this.#failed = undefined
    this.#socket.destroy()
  }

  #take(text: string): void {
    this.#text += text
    const head = this.#text.indexOf('\r\n\r\n')
    if (head < 0) return
    if (!this.#text.startsWith('HTTP/1.1 200')) throw new Error(`unexpected: ${this.#text.slice(0, 500)}`)
    const length = /\r\ncontent-length: (\d+)/i.exec(this.#text.slice(0, head + 2))?.[1]
    const whole =
      length === undefined
        ? this.#text.endsWith('\r\n0\r\n\r\n')
        : this.#text.length >= head + 4 + Number(length)
    if (whole) this.#done?.()
  }
}

interface Started {
  readonly child: ChildProcess
  readonly port: number
}

async function start(name: string, given: string): Promise<Started> {
  const child = fork(program, [name, given], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  children.push(child)
  const [message] = await once(child, 'message')
  return { child, port: (message as { port: number }).port }
}

async function tell(child: ChildProcess, what: string): Promise<unknown> {
  child.send(what)
  const [answer] = await once(child, 'message')
  return answer
}

async function listening(server: Server): Promise<number> {
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Answers at once, or with a stream; to the first profile with a rate limit. */
function upstream(): Promise<number> {
  const event = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n`
  const server = createServer((message, response) => {
    let body = ''
    message.setEncoding('latin1')
    message.on('data', (chunk: string) => {
      body += chunk
    })
    message.once('end', () => {
      if (message.headers.authorization === 'Bearer sk-first') {
        const text =
          '{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}'
        response
          .writeHead(429, {
            'content-type': 'application/json',
            'content-length': text.length,
            'retry-after-ms': '1',
          })
          .end(text)
        return
      }
      if (!body.includes('"stream":true')) {
        response
          .writeHead(200, { 'content-type': 'application/json', 'content-length': ANSWER.length })
          .end(ANSWER)
        return
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      let left = CHUNKS
      const next = (): void => {
        left -= 1
        if (left === 0) response.end('data: [DONE]\n\n')
        else {
          response.write(event)
          setImmediate(next)
        }
      }
      next()
    })
  })
  return listening(server)
}

/** What anybody would write with node:http in ten lines. */
function proxy(target: string): Promise<number> {
  const agent = new Agent({ keepAlive: true })
  const server = createServer((message, response) => {
    const { method, url: path, headers } = message
    const onward = request(
      { host: '127.0.0.1', port: Number(target), method, path, headers, agent },
      (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers)
        answer.pipe(response)
      },
    )
    message.pipe(onward)
  })
  return listening(server)
}

async function gateway(given: string): Promise<number> {
  const { folder, upstream: port } = JSON.parse(given)
  const keymux = await composeKeymux({
    vault: join(folder, 'vault.db'),
    unlock: { keyFile: join(folder, 'key') },
    create: true,
    env: { XDG_STATE_HOME: join(folder, 'state') },
  })
  const baseUrl = `http://127.0.0.1:${port}/v1`
  await keymux.profiles.add({ provider: 'openai', name: 'second', secret: 'sk-second', baseUrl })
  // As `keymux serve` logs: what goes smoothly is not worth a line.
  const logger = createJsonLogger({ level: 'warn', clock: { now: () => new Date() }, write: () => undefined })
  const started = await serveGateway(keymux, {
    port: 0,
    token: TOKEN,
    announce: false,
    stateFolder: folder,
    readFile: readPrivateFile,
    logger,
  })
  process.on('message', async (what) => {
    if (what === 'limit') await addLimited(keymux.profiles, baseUrl)
    if (what === 'unlimit') await keymux.profiles.delete('openai:first')
    if (what === 'heap') globalThis.gc?.()
    process.send?.(what === 'heap' ? process.memoryUsage().heapUsed : 'done')
  })
  return started.port ?? 0
}

/** A conversation of about so many bytes, in turns of a kilobyte, with the quotes and escapes of code in it. */
function conversationOf(bytes: number): string {
  const said = 'const text = "a line of code";\n'.repeat(30)
  const messages = Array.from({ length: Math.ceil(bytes / 1_100) }, (_, index) => ({
    role: index % 2 === 0 ? 'user' : 'assistant',
    content: said,
  }))
  return JSON.stringify({ model: 'gpt-4o', messages })
}

/** A chat completion of exactly so many bytes. */
function answerOf(bytes: number): string {
  const make = (content: string): string =>
    JSON.stringify({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1_700_000_000,
      model: 'gpt-4o',
      choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 },
    })
  return make('x'.repeat(bytes - make('').length))
}

const roles: Readonly<Record<string, (argument: string) => Promise<number>>> = { upstream, proxy, gateway }
const [, program = '', role, argument = ''] = process.argv
const work = role === undefined ? undefined : roles[role]
if (work === undefined) await measure()
else process.send?.({ port: await work(argument) })
