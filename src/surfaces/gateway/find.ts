import { randomBytes } from 'node:crypto'
import { Agent, type IncomingMessage, request } from 'node:http'
import { KeymuxError } from '../../domain/errors.js'
import { parseFlatJson } from '../../domain/nesting.js'
import { GatewayFiles, type GatewayRecord, type ReadPrivateFile } from './files.js'
import { proofOf } from './token.js'

/** A gateway that runs. */
export interface RunningGateway {
  readonly url: string
  readonly token: string
}

/** Where a program's own token is asked for, below `/api`. */
export const CHILD_TOKENS = '/child-tokens'

const ANSWER_MS = 2_000
/** More than any answer of `/healthz`. */
const LONGEST_ANSWER = 4_096

/**
 * The gateway of a vault that runs now and can be reached by a URL. Whoever listens at the address that was
 * left behind must prove that he knows the token, and is there himself, before anybody sends it there.
 */
export async function findGateway(
  stateFolder: string,
  vaultId: string,
  readFile: ReadPrivateFile,
): Promise<RunningGateway | undefined> {
  const files = new GatewayFiles(stateFolder, vaultId, readFile)
  const token = await files.readToken()
  if (token === undefined) return undefined
  for (const record of await files.records()) {
    if (record.url !== undefined && lives(record) && (await proves(record.url, token))) {
      return { url: record.url, token }
    }
  }
  return undefined
}

/** Whether the process of a record is there. Another one may have taken its number by now. */
export function lives({ pid }: GatewayRecord): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process cannot be asked, but is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * A token for one program, for the accounts of some providers. It lasts as long as the connection that it was asked for
 * on, which `release` ends, as the end of this process does.
 *
 * The gateway proves on the same connection that it knows its own token before that one is sent: whoever takes the port
 * of a gateway that has ended meanwhile gets nothing.
 *
 * @throws KeymuxError `gateway_not_found`
 */
export async function childToken(
  { url, token }: RunningGateway,
  providers: readonly string[],
): Promise<{ readonly token: string; release(): void }> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  if (await proves(url, token, agent)) {
    const child = await mint(url, token, providers, agent)
    if (child !== undefined) return { token: child, release: () => agent.destroy() }
  }
  agent.destroy()
  throw new KeymuxError('gateway_not_found', 'the gateway of this vault does not answer any more', {
    hint: 'try again, or restart keymux serve if it is of another version',
  })
}

function mint(
  url: string,
  token: string,
  providers: readonly string[],
  agent: Agent,
): Promise<string | undefined> {
  const body = JSON.stringify({ providers })
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  }
  return new Promise((resolve) => {
    const asking = request(`${url}/api${CHILD_TOKENS}`, { method: 'POST', headers, agent }, (response) => {
      firstLine(response, (line) => {
        asking.setTimeout(0)
        resolve(response.statusCode === 200 ? tokenIn(line) : undefined)
      })
    })
    // On a connection that is not the proven one nothing may be sent; nothing is before this.
    asking.once('socket', () => {
      if (!asking.reusedSocket) asking.destroy()
    })
    asking.setTimeout(ANSWER_MS, () => asking.destroy())
    asking.on('error', () => resolve(undefined))
    asking.once('close', () => resolve(undefined))
    asking.end(body)
  })
}

/** The first line of an answer that need not end. */
function firstLine(response: IncomingMessage, take: (line: string) => void): void {
  let text = ''
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    if (text.includes('\n')) return
    text += chunk
    if (text.includes('\n') || text.length > LONGEST_ANSWER) take(text.split('\n', 1)[0] ?? '')
  })
  response.once('end', () => take(text))
  response.on('error', () => take(''))
}

function tokenIn(line: string): string | undefined {
  try {
    const body: unknown = parseFlatJson(line)
    const found = body instanceof Object && 'token' in body ? body.token : undefined
    return typeof found === 'string' && found !== '' ? found : undefined
  } catch {
    return undefined
  }
}

async function proves(url: string, token: string, agent: Agent | false = false): Promise<boolean> {
  const challenge = randomBytes(16).toString('base64url')
  const answer = await ask(`${url}/healthz`, challenge, agent)
  try {
    const body: unknown = parseFlatJson(answer ?? '')
    return body instanceof Object && 'proof' in body && body.proof === proofOf(token, challenge, url)
  } catch {
    return false
  }
}

function ask(url: string, challenge: string, agent: Agent | false): Promise<string | undefined> {
  return new Promise((resolve) => {
    const headers = { 'x-keymux-challenge': challenge }
    const asking = request(url, { headers, timeout: ANSWER_MS, agent }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > LONGEST_ANSWER) asking.destroy()
      })
      response.once('end', () => resolve(text))
    })
    asking.setTimeout(ANSWER_MS, () => asking.destroy())
    asking.once('error', () => resolve(undefined))
    asking.once('close', () => resolve(undefined))
    asking.end()
  })
}
