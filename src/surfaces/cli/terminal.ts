import { closeSync, openSync, writeSync } from 'node:fs'
import { ReadStream } from 'node:tty'

/** The terminal itself, whatever standard input and output are. */
export interface Terminal {
  write(text: string): void
  /** Whether typed characters come one by one and unseen; otherwise by lines, echoed. */
  raw(on: boolean): void
  /** Hears what is typed until the terminal is closed; `undefined` when it has gone. */
  listen(listener: (bytes: Uint8Array | undefined) => void): void
  /** Gives the terminal back as it was. */
  close(): void
}

/** Opens the controlling terminal; `undefined` when there is none. */
export function openTerminal(): Terminal | undefined {
  const windows = process.platform === 'win32'
  const opened: number[] = []
  try {
    const input = openSync(windows ? '\\\\.\\CONIN$' : '/dev/tty', windows ? 'r+' : 'r')
    opened.push(input)
    const output = openSync(windows ? '\\\\.\\CONOUT$' : '/dev/tty', 'w')
    opened.push(output)
    return terminalOn(new ReadStream(input), input, output)
  } catch {
    opened.forEach(closeSync)
    return undefined
  }
}

function terminalOn(stream: ReadStream, input: number, output: number): Terminal {
  return {
    write(text) {
      writeSync(output, text)
    },
    raw(on) {
      stream.setRawMode(on)
    },
    listen(listener) {
      stream.on('data', (chunk: Uint8Array) => listener(chunk))
      stream.on('end', () => listener(undefined))
      stream.on('error', () => listener(undefined))
    },
    close() {
      stream.removeAllListeners('data')
      stream.once('close', () => closeSync(input))
      stream.setRawMode(false)
      stream.destroy()
      closeSync(output)
    },
  }
}
