import type {
  UpstreamConnection,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamSender,
} from '../../transport/types.js'
import { refusal, served, type WireAnswer } from './answers.js'
import { chanceOf } from './chance.js'
import type { SimulatedTime } from './time.js'
import { type Fault, faultOf } from './truth.js'
import type { SimulatedAccount, SimulatedRequest, World } from './world.js'

/** One try that reached an account. */
export interface Call {
  readonly account: SimulatedAccount
  readonly request: SimulatedRequest
  readonly atMs: number
  /** What was wrong; absent where it was served. */
  readonly fault?: Fault
  /** What was said; absent where the connection broke, or nothing ever came. */
  readonly answer?: WireAnswer
}

/** An answer that breaks off does so after this long, in milliseconds. */
const BREAK_MS = 400

/** The header by which a simulated provider knows a request. */
export const REQUEST_HEADER = 'x-simulated-request'

/** The secret of an account: each time that its owner replaces it, another one. */
export function secretOf({ name }: Pick<SimulatedAccount, 'name'>, generation: number): string {
  return `simulated-key-${name}-${generation}`
}

/** All accounts of a world at their provider, without a network. */
export class SimulatedProvider implements UpstreamSender {
  readonly #world: World
  readonly #time: SimulatedTime
  readonly #startMs: number
  readonly #called: (call: Call) => void
  readonly #accounts: ReadonlyMap<string, SimulatedAccount>
  readonly #requests: ReadonlyMap<number, SimulatedRequest>
  readonly #tries = new Map<number, number>()

  constructor(world: World, time: SimulatedTime, called: (call: Call) => void) {
    this.#world = world
    this.#time = time
    this.#startMs = time.nowMs
    this.#called = called
    this.#accounts = new Map(world.accounts.map((account) => [account.name, account]))
    this.#requests = new Map(world.requests.map((request) => [request.id, request]))
  }

  send({ headers }: UpstreamRequest, handler: UpstreamHandler): void {
    const [, name = '', generation = ''] = /simulated-key-(\w+)-(\d+)/.exec(headers.join('\n')) ?? []
    const account = this.#accounts.get(name)
    const request = this.#requests.get(Number(headers[headers.indexOf(REQUEST_HEADER) + 1]))
    if (account === undefined || request === undefined) throw new Error('nobody has sent this request')
    const atMs = this.#time.nowMs - this.#startMs
    const tries = this.#tries.get(request.id) ?? 0
    this.#tries.set(request.id, tries + 1)
    const asked = { world: this.#world, account, request, atMs, tries }
    const fault =
      this.#oldKey(account, Number(generation), atMs) ?? faultOf(this.#world, account, request, atMs)
    const answer =
      fault === undefined ? served(asked) : fault.kind === 'silent' ? undefined : refusal(asked, fault)
    this.#called({
      account,
      request,
      atMs,
      ...(fault === undefined ? {} : { fault }),
      ...(answer === undefined ? {} : { answer }),
    })
    const chance = chanceOf(this.#world.seed, 'pace', request.id, name, tries)
    this.#deliver(handler, answer, fault?.kind === 'silent', 30 + chance.wait(300))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** A key that was revoked stays so when its owner has another one. */
  #oldKey({ name }: SimulatedAccount, generation: number, atMs: number): Fault | undefined {
    const revoked = this.#world.episodes.filter(
      ({ kind, accounts, fromMs }) => kind === 'revoked' && accounts.includes(name) && fromMs <= atMs,
    )
    const [first] = revoked.slice(generation)
    return first && { id: first.id, kind: 'revoked', of: 'account' }
  }

  #deliver(
    handler: UpstreamHandler,
    answer: WireAnswer | undefined,
    isSilent: boolean,
    afterMs: number,
  ): void {
    let isOver = false
    const connection: UpstreamConnection = {
      pause: () => undefined,
      resume: () => undefined,
      abort: (reason) => {
        if (isOver) return
        isOver = true
        handler.error(reason)
      },
    }
    handler.start(connection)
    if (isSilent) return
    this.#time.after(afterMs, () => {
      if (isOver) return
      const broken = Object.assign(new Error('the connection was reset'), { code: 'ECONNRESET' })
      if (answer === undefined) {
        isOver = true
        handler.error(broken)
        return
      }
      handler.head(answer.status, '', answer.headers)
      for (const piece of answer.pieces) if (!isOver && piece !== '') handler.data(Buffer.from(piece))
      if (isOver) return
      const end = (): void => {
        if (isOver) return
        isOver = true
        if (answer.end === 'whole') handler.end()
        else handler.error(broken)
      }
      // What breaks off does so after its beginning was passed on.
      if (answer.end === 'whole') end()
      else this.#time.after(BREAK_MS, end)
    })
  }
}
