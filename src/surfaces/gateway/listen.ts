import { chmod, lstat, unlink } from 'node:fs/promises'
import type { Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { dirname, resolve } from 'node:path'
import { refuseMistrusted } from '../../config/trusted-path.js'
import { KeymuxError } from '../../domain/errors.js'
import { shellQuote } from '../../domain/shell.js'
import { isLoopbackHost } from '../../providers/url.js'
import { makeFolders } from '../../storage/folders.js'

/** `sun_path` of unix(7) on macOS, with its closing zero; Linux takes 4 bytes more. Longer ones are cut silently. */
const LONGEST_SOCKET_PATH = 103

/** Where a gateway listens. */
export type Place =
  | { readonly host: string; readonly port: number; readonly allowRemote: boolean }
  | { readonly socket: string }

/** Where it turned out to listen. */
export interface Listening {
  /** `http://HOST:PORT`; absent behind a unix socket. */
  readonly url?: string
  readonly port?: number
  readonly socket?: string
}

/**
 * Starts to listen.
 *
 * @throws KeymuxError `usage` for an address beyond loopback that was not allowed, `conflict` for one in use,
 *   `invalid_value` for one that this machine does not have, `unsafe_permissions` for an open socket folder
 */
export async function listen(server: Server, place: Place): Promise<Listening> {
  if ('socket' in place) return listenOnSocket(server, place.socket)
  const { host, port, allowRemote } = place
  const name = host.includes(':') ? `[${host}]` : host.toLowerCase()
  if (!isLoopbackHost(name) && !allowRemote) {
    throw new KeymuxError(
      'usage',
      `on ${host} other machines can reach the gateway: whoever learns its token uses every account, and the token travels unencrypted`,
      { hint: 'add --allow-remote if that is what you want' },
    )
  }
  await bound(server, () => server.listen({ host, port }), `${name}:${port}`)
  const { port: actual } = server.address() as AddressInfo
  return { url: `http://${reachable(name)}:${actual}`, port: actual }
}

/** An address that a client can use: `0.0.0.0` and `::` are none. */
function reachable(name: string): string {
  if (name === '0.0.0.0') return '127.0.0.1'
  return name === '[::]' ? '[::1]' : name
}

async function listenOnSocket(server: Server, path: string): Promise<Listening> {
  if (process.platform !== 'win32' && Buffer.byteLength(path) > LONGEST_SOCKET_PATH) {
    throw new KeymuxError('invalid_value', `a socket's path is at most ${LONGEST_SOCKET_PATH} bytes long`, {
      hint: 'choose a shorter one',
    })
  }
  if (process.platform !== 'win32') await prepareSocket(path)
  await bound(server, () => server.listen(path), path)
  // Nobody else can enter the folder, so nobody came in between.
  if (process.platform !== 'win32') await chmod(path, 0o600)
  return { socket: path }
}

/** Makes the folder (0700), refuses one that others can enter, and removes a socket nobody listens on. */
async function prepareSocket(path: string): Promise<void> {
  const folder = dirname(path)
  makeFolders(folder)
  const stats = await lstat(folder, { bigint: true })
  if ((stats.mode & 0o077n) !== 0n) {
    throw new KeymuxError('unsafe_permissions', `others can enter ${folder}, where the socket is to be`, {
      hint: `name a folder of your own, or run chmod 700 ${shellQuote(folder)}`,
    })
  }
  await refuseMistrusted(resolve(folder), stats, 'the socket is to be there')
  const there = await lstat(path).catch(() => undefined)
  if (there === undefined) return
  if (!there.isSocket()) {
    throw new KeymuxError('file_exists', `${path} exists and is no socket`, { hint: 'choose another name' })
  }
  if (await answers(path)) throw inUse(path)
  await unlink(path)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function bound(server: Server, start: () => void, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(listenError(error, where))
    server.once('error', failed)
    server.once('listening', () => {
      server.off('error', failed)
      resolve()
    })
    start()
  })
}

function listenError(error: NodeJS.ErrnoException, where: string): KeymuxError {
  if (error.code === 'EADDRINUSE') return inUse(where, error)
  return new KeymuxError(
    'invalid_value',
    `the gateway cannot listen on ${where} (${error.code ?? 'unknown error'})`,
    {
      hint: 'choose another address or port',
      cause: error,
    },
  )
}

function inUse(where: string, cause?: Error): KeymuxError {
  return new KeymuxError('conflict', `${where} is in use already`, {
    hint: 'is a gateway running? choose another with --port (0 for any free one)',
    cause,
  })
}
