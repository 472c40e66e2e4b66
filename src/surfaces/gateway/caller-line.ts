import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** More than that nobody has to say before he is answered. */
const EARLY_BYTES = 65_536

/** The connection of a caller who wants another protocol. Until he gets it he is answered over HTTP. */
export class CallerLine {
  readonly response: ServerResponse
  readonly #socket: Socket
  #early: Buffer[] = []
  #earlyBytes = 0
  #taken = false

  constructor(request: IncomingMessage, socket: Socket, head: Buffer) {
    this.#socket = socket
    this.#take(head)
    // Read on: who hangs up would not be noticed otherwise.
    socket.on('data', this.#take)
    socket.on('end', this.#left)
    socket.on('error', () => {})
    socket.on('drain', this.#drain)
    this.response = new ServerResponse(request)
    this.response.shouldKeepAlive = false
    this.response.assignSocket(socket)
    this.response.once('finish', () => socket.destroySoon())
  }

  /** Writes the head of a 101 and hands out the connection, with what has come over it meanwhile. */
  switch(head: string): { readonly socket: Socket; readonly early: Buffer } {
    const socket = this.#socket
    this.#taken = true
    this.response.detachSocket(socket)
    socket.off('data', this.#take)
    socket.off('end', this.#left)
    socket.off('drain', this.#drain)
    socket.write(head, 'latin1')
    const early = Buffer.concat(this.#early)
    this.#early = []
    return { socket, early }
  }

  readonly #take = (chunk: Buffer): void => {
    if (this.#taken) return
    this.#early.push(chunk)
    this.#earlyBytes += chunk.length
    if (this.#earlyBytes >= EARLY_BYTES) this.#socket.pause()
  }

  readonly #left = (): void => {
    // Who reads no answer to the end has gone.
    if (!this.response.writableEnded) this.#socket.destroy()
  }

  readonly #drain = (): void => {
    this.response.emit('drain')
  }
}
