import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { parseFlatJson } from '../../domain/nesting.js'
import { GatewayFiles, type GatewayRecord, type ReadPrivateFile } from './files.js'
import { proofOf } from './token.js'

/** A gateway that runs. */
export interface RunningGateway {
  readonly url: string
  readonly token: string
}

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

async function proves(url: string, token: string): Promise<boolean> {
  const challenge = randomBytes(16).toString('base64url')
  const answer = await ask(`${url}/healthz`, challenge)
  try {
    const body: unknown = parseFlatJson(answer ?? '')
    return body instanceof Object && 'proof' in body && body.proof === proofOf(token, challenge, url)
  } catch {
    return false
  }
}

function ask(url: string, challenge: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const headers = { 'x-keymux-challenge': challenge }
    const asking = request(url, { headers, timeout: ANSWER_MS, agent: false }, (response) => {
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
