import type { CliHost } from '../../src/surfaces/cli/context.js'
import { signalStatus } from '../../src/surfaces/cli/interrupts.js'
import type { Prompter } from '../../src/surfaces/cli/prompt.js'
import { COMMANDS } from '../../src/surfaces/cli/registry.js'
import { run } from '../../src/surfaces/cli/run.js'
import type { CliServices } from '../../src/surfaces/cli/services.js'
import type { CommandEntry } from '../../src/surfaces/cli/spec.js'
import type { ByteSource, TextSink } from '../../src/surfaces/cli/streams.js'

/** What a command line meets when it is run in this process. */
export interface FakeWorld {
  readonly env?: Readonly<Record<string, string>>
  /** Bytes on standard input; empty when absent. */
  readonly stdin?: string | Uint8Array
  readonly stdinIsTTY?: boolean
  /** Standard output is a terminal of this many columns. */
  readonly columns?: number
  /** What the person answers, in turn; `undefined` where there is no terminal. Without it there is none. */
  readonly answers?: readonly (string | boolean | undefined)[]
  readonly now?: Date
  /** The program that runs keymux. */
  readonly caller?: string
  readonly services?: Partial<CliServices>
  readonly commands?: readonly CommandEntry[]
}

/** What a command line left behind. */
export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** What the person was asked. */
  readonly asked: readonly string[]
}

/** A host without a system behind it. */
export interface FakeHost {
  readonly host: CliHost
  readonly outcome: (code: number) => Outcome
  /** Does what Ctrl-C does. */
  readonly interrupt: (signal?: NodeJS.Signals) => void
}

/** Makes a host of made-up facts. */
export function fakeHost(world: FakeWorld = {}): FakeHost {
  const [stdout, stderr] = [collector(world.columns), collector(undefined)]
  const asked: string[] = []
  const controller = new AbortController()
  let received: NodeJS.Signals | undefined
  const host: CliHost = {
    platform: 'linux',
    env: world.env ?? {},
    home: '/home/ada',
    caller: () => world.caller ?? 'caller',
    cwd: '/work',
    stdin: bytes(world.stdin ?? '', world.stdinIsTTY ?? false),
    stdout: stdout.sink,
    stderr: stderr.sink,
    prompter: answering(world.answers, asked),
    clock: { now: () => world.now ?? new Date('2026-01-31T12:00:00Z') },
    interrupts: {
      signal: controller.signal,
      get received() {
        return received
      },
      holdWhile: () => {},
      take: () => () => {},
    },
    services: {
      openVault: () => Promise.reject(new Error('this test opens no vault')),
      openStore: () => Promise.reject(new Error('this test opens no vault')),
      providers: () => Promise.reject(new Error('this test asks for no providers')),
      providerNames: async () => ['anthropic', 'groq', 'openai'],
      startGateway: () => Promise.reject(new Error('this test starts no gateway')),
      findGateway: async () => undefined,
      childToken: () => Promise.reject(new Error('this test runs no program')),
      createLogger: () => Promise.reject(new Error('this test keeps no log')),
      version: () => '1.2.3',
      ...world.services,
    },
  }
  return {
    host,
    outcome: (code) => ({ code, stdout: stdout.text(), stderr: stderr.text(), asked }),
    interrupt(signal = 'SIGINT') {
      received = signal
      controller.abort(new Error(`ended by ${signalStatus(signal)}`))
    },
  }
}

/** Runs a command line in this process. */
export async function runCli(argv: readonly string[], world: FakeWorld = {}): Promise<Outcome> {
  const { host, outcome } = fakeHost(world)
  return outcome(await run(argv, host, world.commands ?? COMMANDS))
}

function collector(columns: number | undefined): { sink: TextSink; text: () => string } {
  let written = ''
  const sink: TextSink = {
    isTTY: columns !== undefined,
    columns,
    closed: false,
    write(text) {
      written += text
    },
    flush: async () => {},
  }
  return { sink, text: () => written }
}

function bytes(content: string | Uint8Array, isTTY: boolean): ByteSource {
  return {
    isTTY,
    read: async (limit) => Buffer.from(content as string).subarray(0, limit + 1),
    async *lines() {
      for (const line of Buffer.from(content as string)
        .toString()
        .split('\n'))
        if (line !== '') yield line
    },
  }
}

function answering(answers: FakeWorld['answers'], asked: string[]): Prompter {
  let next = 0
  const answer = (question: string): string | boolean | undefined => {
    if (answers === undefined) return undefined
    asked.push(question)
    if (next >= answers.length) throw new Error(`no answer is left for: ${question}`)
    next += 1
    return answers[next - 1]
  }
  const text = async (question: string): Promise<string | undefined> => {
    const given = answer(question)
    return typeof given === 'boolean' ? String(given) : given
  }
  return {
    hidden: text,
    line: text,
    newPassphrase: text,
    confirm: async (question) => {
      const given = answer(question)
      return given === undefined ? undefined : given === true || given === 'y'
    },
  }
}
