import type { Answer, ForwardRequest } from '../../domain/forwarding.js'
import type { UpstreamProvider } from '../upstream/types.js'
import type { Breach, Tally } from './breaches.js'
import { openLab, type SimulationLab } from './lab.js'
import { type Call, REQUEST_HEADER, SimulatedProvider } from './provider.js'
import { SimulatedTime } from './time.js'
import { Watch } from './watch.js'
import type { SimulatedRequest, World } from './world.js'

/** What came of a world. */
export interface WorldRun {
  readonly breaches: readonly Breach[]
  readonly tally: Tally
  /** Half-open trials. */
  readonly checks: number
  /** Every call and every answer to a caller, one a line. */
  readonly trace: readonly string[]
}

/** Options of a run. */
export interface RunOptions {
  /** Whether every call is written down. Default false. */
  readonly traced?: boolean
}

/** Between two looks at the accounts. */
const LOOK_EVERY_MS = 60_000
const BEGINNING = Date.UTC(2026, 0, 1)

/** Sends the requests of a world through the forwarding core, each at its time. */
export async function runWorld(world: World, { traced = false }: RunOptions = {}): Promise<WorldRun> {
  const time = new SimulatedTime(BEGINNING)
  const trace: string[] = []
  const note = (atMs: number, line: string): void => {
    if (traced) trace.push(`${(atMs / 1_000).toFixed(1)} s  ${line}`)
  }
  let lab: SimulationLab | undefined
  const theLab = (): SimulationLab => {
    if (lab === undefined) throw new Error('the lab is not open yet')
    return lab
  }
  const watch = new Watch(world, theLab, BEGINNING)
  const provider = new SimulatedProvider(world, time, (call) => {
    watch.called(call)
    note(call.atMs, describe(call))
  })
  lab = await openLab(world, time, provider)
  const failed: unknown[] = []
  let open = world.requests.length
  const inTurn = (run: () => Promise<void>): void => {
    run().catch((error: unknown) => failed.push(error))
  }
  const elapsed = (): number => time.nowMs - BEGINNING
  for (const request of world.requests) {
    time.after(request.atMs, () =>
      inTurn(async () => {
        const startMs = elapsed()
        try {
          const answer = await theLab().forwarder.forward(forwardRequest(world, request))
          await watch.ended({ request, answer, startMs, endMs: elapsed() })
          note(elapsed(), `request ${request.id} is answered with ${answer.status}`)
          await drained(answer)
        } finally {
          open -= 1
        }
      }),
    )
  }
  for (const { kind, toMs, accounts } of world.episodes) {
    if (kind !== 'revoked') continue
    const [owner] = world.accounts.filter(({ name }) => accounts.includes(name))
    if (owner === undefined) continue
    time.after(toMs, () =>
      inTurn(async () => {
        note(toMs, `${owner.name} has another key`)
        await theLab().replace(owner)
      }),
    )
  }
  const look = (): void => {
    time.after(LOOK_EVERY_MS, () => {
      inTurn(() => watch.look(elapsed()))
      look()
    })
  }
  look()
  try {
    await time.run(() => open === 0 || failed.length > 0)
  } finally {
    await lab.close()
  }
  const [error] = failed
  if (error !== undefined) throw error
  return { breaches: watch.breaches, tally: watch.tally, checks: lab.trials, trace }
}

function forwardRequest(world: World, request: SimulatedRequest): ForwardRequest {
  const { id, conversation, maxWaitMs } = request
  const text = `${request.fault?.id ?? 'hello'} in conversation ${conversation}`
  return {
    method: 'POST',
    ...targetOf(world.provider, request, text),
    headers: [
      'content-type',
      'application/json',
      REQUEST_HEADER,
      String(id),
      'x-session-id',
      String(conversation),
    ],
    stages: [{ provider: world.provider }],
    settings: { maxWaitMs },
  }
}

function targetOf(
  provider: UpstreamProvider,
  { model, isStreamed }: SimulatedRequest,
  text: string,
): Pick<ForwardRequest, 'path' | 'body'> {
  const messages = [{ role: 'user', content: text }]
  const json = (body: object): ForwardRequest['body'] => ({ bytes: Buffer.from(JSON.stringify(body)) })
  if (provider === 'gemini') {
    const action = isStreamed ? 'streamGenerateContent?alt=sse' : 'generateContent'
    const contents = [{ role: 'user', parts: [{ text }] }]
    return { path: `/v1beta/models/${model}:${action}`, body: json({ contents }) }
  }
  if (provider === 'anthropic') {
    return { path: '/v1/messages', body: json({ model, max_tokens: 64, stream: isStreamed, messages }) }
  }
  return { path: '/chat/completions', body: json({ model, stream: isStreamed, messages }) }
}

/** Reads an answer to its end, however that comes. */
function drained({ body }: Answer): Promise<void> {
  return new Promise((resolve) => {
    body.pipe({ data: () => true, end: resolve, fail: () => resolve() })
  })
}

function describe({ account, request, fault, answer }: Call): string {
  const asked = `request ${request.id} (${request.model}, conversation ${request.conversation}) asks ${account.name}`
  const said =
    answer === undefined
      ? 'nothing'
      : `${answer.status} ${answer.pieces.join('').slice(0, 160)}${answer.isStated ? '' : ' (loose)'}`
  return `${asked}: ${fault === undefined ? 'served' : `${fault.kind}, says ${said}`}`
}
