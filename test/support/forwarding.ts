import { createHash } from 'node:crypto'
import type { Answer, Forwarder, ForwardRequest, ForwardSettings } from '../../src/domain/forwarding.js'
import type { OAuthTokenRefresher } from '../../src/domain/ports.js'
import type { NewProfile } from '../../src/domain/profiles.js'
import { Renewer } from '../../src/logins/renewal.js'
import { defaultRegistry } from '../../src/providers/registry.js'
import type { Store } from '../../src/storage/contract.js'
import type { ScriptedUpstream, ScriptedUpstreamOptions } from '../../src/testing/scripted-upstream.js'
import { startScriptedUpstream } from '../../src/testing/scripted-upstream.js'
import type { CreateFetchOptions } from '../../src/transport/create-fetch.js'
import { createFetch } from '../../src/transport/create-fetch.js'
import { createForwarder } from '../../src/transport/forwarder.js'
import type { Timers, UpstreamSender } from '../../src/transport/types.js'
import { createUndiciSender } from '../../src/transport/undici-sender.js'
import { openTestHandle, type TestHandle } from './handle.js'

/** Waits of at most this many milliseconds are pauses between tries: they are over at once. */
const LONGEST_PAUSE_MS = 2_000

/** Timers that run pauses at once and keep time-outs until they are told. */
export class TestTimers implements Timers {
  /** Every pause that was made, in milliseconds. */
  readonly pauses: number[] = []
  readonly #waiting = new Set<{ readonly atMs: number; readonly run: () => void }>()
  #nowMs = 0

  /** Time-outs that are set and have not run. */
  get pending(): number {
    return this.#waiting.size
  }

  after(ms: number, run: () => void): () => void {
    if (ms <= LONGEST_PAUSE_MS) {
      this.pauses.push(ms)
      const immediate = setImmediate(run)
      return () => clearImmediate(immediate)
    }
    const timer = { atMs: this.#nowMs + ms, run }
    this.#waiting.add(timer)
    return () => this.#waiting.delete(timer)
  }

  deadline(ms: number, run: () => void): () => void {
    return this.after(ms, run)
  }

  /** Lets time pass, one time-out after the other. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms
    for (;;) {
      const [due] = [...this.#waiting].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)
      if (due === undefined) break
      this.#nowMs = due.atMs
      this.#waiting.delete(due)
      due.run()
    }
    this.#nowMs = endMs
  }
}

/** Timers that all wait until they are told; the clock of a lab can go with them. */
export class SteppedTimers implements Timers {
  /** Is told how much time has passed. */
  onStep: (ms: number) => void = () => {}
  readonly #waiting = new Set<{ readonly atMs: number; readonly run: () => void }>()
  #nowMs = 0

  get pending(): number {
    return this.#waiting.size
  }

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, run }
    this.#waiting.add(timer)
    return () => this.#waiting.delete(timer)
  }

  deadline(ms: number, run: () => void): () => void {
    return this.after(ms, run)
  }

  /** Lets time pass, one timer after the other, each with whatever follows from it on this machine's own. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    for (;;) {
      const [due] = [...this.#waiting].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)
      this.#step((due?.atMs ?? endMs) - this.#nowMs)
      if (due === undefined) return
      this.#waiting.delete(due)
      due.run()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #step(ms: number): void {
    this.#nowMs += ms
    this.onStep(ms)
  }
}

/** A forwarding core on a memory vault, before a scripted upstream. */
export interface ForwardingLab extends AsyncDisposable {
  readonly handle: TestHandle
  readonly upstream: ScriptedUpstream
  readonly timers: TestTimers
  readonly forwarder: Forwarder
  readonly logged: string[]
  /** Adds a profile whose base URL is the upstream; its secret is `key-NAME`. */
  add(name: string, profile?: Partial<NewProfile>): Promise<void>
  /** Adds several, in the order of choice. */
  addAll(...names: string[]): Promise<void>
  fetch(options?: Partial<CreateFetchOptions>): ReturnType<typeof createFetch>
  /** A chat request to the core itself. */
  forward(request?: Partial<ForwardRequest>): Promise<Answer>
  /** Credentials that the upstream saw, in order. */
  credentials(): (string | undefined)[]
}

export interface LabOptions extends ScriptedUpstreamOptions {
  readonly refresher?: OAuthTokenRefresher
  readonly sender?: UpstreamSender
  readonly timers?: Timers
  readonly store?: Store
  readonly settings?: Partial<ForwardSettings>
}

/** The body of {@link ForwardingLab.forward}. */
export const CHAT: Readonly<Record<string, unknown>> = {
  model: 'gpt-4o',
  messages: [{ role: 'user', content: 'hello' }],
}

export async function openForwarding(options: LabOptions = {}): Promise<ForwardingLab> {
  const { refresher, store } = options
  const handle = await openTestHandle({
    ...(refresher === undefined ? {} : { refresher }),
    ...(store === undefined ? {} : { store }),
  })
  const upstream = await startScriptedUpstream(options)
  const timers = new TestTimers()
  if (options.timers instanceof SteppedTimers) options.timers.onStep = (ms) => handle.clock.advance(ms)
  const logged: string[] = []
  const log = (message: string, fields?: object): void => {
    logged.push(`${message} ${JSON.stringify(fields ?? {})}`)
  }
  const forwarder = createForwarder({
    resolver: handle.resolver,
    profiles: handle.profiles,
    affinity: handle.profiles.affinity,
    refusals: handle.profiles.refusals,
    renewer: new Renewer({
      store: handle.profiles,
      clock: handle.clock,
      refresher: options.refresher ?? { refreshToken: () => Promise.reject(new Error('no refresher')) },
    }),
    providers: defaultRegistry,
    sender: options.sender ?? createUndiciSender(),
    clock: handle.clock,
    timers: options.timers ?? timers,
    random: () => 0,
    pseudonym: (id, value) => createHash('sha256').update(`${id} ${value}`).digest(),
    settings: options.settings,
    logger: { debug: log, info: log, warn: log, error: log },
  })
  const lab: ForwardingLab = {
    handle,
    upstream,
    timers,
    forwarder,
    logged,
    async add(name, profile = {}) {
      await handle.profiles.add({
        provider: 'openai',
        name,
        baseUrl: `${upstream.url}/v1`,
        ...(profile.reference === undefined && profile.oauth === undefined ? { secret: `key-${name}` } : {}),
        ...profile,
      })
    },
    async addAll(...names) {
      for (const [index, name] of names.entries()) await lab.add(name, { priority: names.length - index })
    },
    fetch: (fetchOptions = {}) =>
      createFetch(
        { forwarder, providers: defaultRegistry, config: { gateway: { replayLimitMb: 10 } } },
        { provider: 'openai', ...fetchOptions },
      ),
    forward: (request = {}) =>
      forwarder.forward({
        method: 'POST',
        path: '/chat/completions',
        headers: ['content-type', 'application/json', 'authorization', 'Bearer from-the-caller'],
        body: { bytes: Buffer.from(JSON.stringify(CHAT)) },
        stages: [{ provider: 'openai' }],
        ...request,
      }),
    credentials: () => upstream.requests.map((request) => request.credential),
    async [Symbol.asyncDispose]() {
      await forwarder.close()
      await upstream.close()
      await handle.close()
    },
  }
  return lab
}

/** The same, as a stream. */
export const STREAMED: Pick<ForwardRequest, 'body'> = {
  body: { bytes: Buffer.from(JSON.stringify({ ...CHAT, stream: true })) },
}

/** How a profile of a lab stands, and which models are set aside on it. */
export async function standing(lab: ForwardingLab, name: string): Promise<string> {
  const { state, modelCooldowns } = await lab.handle.profiles.view(`openai:${name}`)
  return modelCooldowns.length > 0 ? `${state} ${modelCooldowns.map(({ model }) => model).join()}` : state
}

/** Reads a body to its end; a break-off rejects. */
export function readBody(answer: Answer): Promise<Buffer> {
  const chunks: Buffer[] = []
  return new Promise((resolve, reject) => {
    answer.body.pipe({
      data: (chunk) => {
        chunks.push(chunk)
        return true
      },
      end: () => resolve(Buffer.concat(chunks)),
      fail: reject,
    })
  })
}

/** Waits until something holds; for what happens in another place of this process. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve))
}
