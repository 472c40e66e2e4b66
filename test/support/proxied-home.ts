import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect } from 'vitest'
import {
  keymuxBinary,
  makeSandbox,
  type RunResult,
  removeSandbox,
  runProgram,
} from '../transcripts/harness.js'
import { startProxy, startTlsFront, type TestProxy, type TestProxyOptions } from './proxies.js'
import { TEST_CA } from './test-ca.js'

type Env = Readonly<Record<string, string>>

/** `USER:PASSWORD` of a proxy. */
export const PROXY_LOGIN = 'user:Planted-Pr0xy-Passw0rd'

/** A gateway that runs. */
export interface ProxiedGateway {
  readonly url: string
  readonly token: string
  readonly log: () => string
  chat(body?: object, path?: string): Promise<Response>
}

/** A vault and the built command line; every server behind its proxies is one on loopback that speaks TLS. */
export interface ProxiedHome {
  readonly folder: string
  readonly binary: string
  /** What programs are run with. */
  readonly env: Env
  /** The server's port. */
  readonly target: number
  keymux(args: readonly string[], more?: { readonly stdin?: string; readonly env?: Env }): Promise<RunResult>
  /** Adds an account; options follow its secret. */
  add(id: string, secret: string, ...options: string[]): Promise<void>
  /** Everything that is known of the accounts but when they were used. */
  states(): Promise<unknown>
  configure(yaml: string): void
  serve(env?: Env): Promise<ProxiedGateway>
  proxy(options?: TestProxyOptions): Promise<TestProxy>
  close(): Promise<void>
}

const CHAT = { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello?' }] }
const TOKEN = 'a-token-of-sixteen-and-more'

/** @param port of the server, which speaks plain HTTP */
export async function makeProxiedHome(port: number): Promise<ProxiedHome> {
  const binary = keymuxBinary()
  const folder = makeSandbox()
  const front = await startTlsFront(port)
  const children: ChildProcess[] = []
  const proxies: TestProxy[] = []
  const env: Env = {
    KEYMUX_KEY_FILE: join(folder, 'key'),
    KEYMUX_CONFIG: join(folder, 'config.yaml'),
    NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'),
  }
  writeFileSync(join(folder, 'ca.pem'), TEST_CA)
  writeFileSync(join(folder, 'config.yaml'), '')
  const home: ProxiedHome = {
    folder,
    binary,
    env,
    target: front.port,
    keymux: (args, more = {}) =>
      runProgram(binary, args, folder, { env: { ...env, ...more.env }, stdin: more.stdin ?? '' }),
    async add(id, secret, ...options) {
      const added = await home.keymux(['add', id, '--stdin', ...options], { stdin: secret })
      expect(added).toMatchObject({ code: 0, stderr: '' })
    },
    async states() {
      const { stdout } = await home.keymux(['status', '--json'])
      return JSON.parse(stdout, (name, value: unknown) => (name === 'last_used_at' ? undefined : value))
    },
    configure: (yaml) => writeFileSync(join(folder, 'config.yaml'), yaml),
    async serve(more = {}) {
      const child = spawn(process.execPath, [binary, 'serve', '--port', '0'], {
        env: { PATH: process.env.PATH, HOME: folder, KEYMUX_GATEWAY_TOKEN: TOKEN, ...env, ...more },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      children.push(child)
      let log = ''
      child.stderr.on('data', (chunk: Buffer) => {
        log += chunk.toString()
      })
      const [line] = await once(createInterface({ input: child.stdout }), 'line')
      const url = String(line).replace('listening on ', '')
      const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
      return {
        url,
        token: TOKEN,
        log: () => log,
        chat: (body = CHAT, path = '/openai/chat/completions') =>
          fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) }),
      }
    },
    async proxy(options = {}) {
      const made = await startProxy({ target: front.port, ...options })
      proxies.push(made)
      return made
    },
    async close() {
      for (const child of children) child.kill('SIGKILL')
      for (const proxy of proxies) await proxy.close()
      await front.close()
      removeSandbox(folder)
    },
  }
  expect(await home.keymux(['init', '--key-file', join(folder, 'key')])).toMatchObject({ code: 0 })
  return home
}

/** The error in an answer of the gateway. */
export async function errorOf(
  answer: Response,
): Promise<{ readonly code: string; readonly message: string }> {
  return ((await answer.json()) as { error: { code: string; message: string } }).error
}

/** Neither a proxy's password nor a planted key. */
export function expectClean(...texts: string[]): void {
  for (const text of texts) {
    expect(text).not.toMatch(/planted/i)
    expect(text).not.toContain(Buffer.from(PROXY_LOGIN).toString('base64'))
  }
}
