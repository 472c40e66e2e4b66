import { fstatSync, read, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { KeymuxError } from '../../domain/errors.js'

const MAX_BYTES = 65_536
// A descriptor that does not block and gives nothing must not hang the command.
const PATIENCE_MS = 5_000
const PAUSE_MS = 20
/** Node's own descriptors lie among the first few dozen. */
const OWN_DESCRIPTORS = 64
const readDescriptor = promisify(read)

/**
 * Reads a file descriptor that the caller of keymux opened, to its end. One final line feed (with its
 * carriage return) is dropped.
 *
 * @throws KeymuxError `invalid_value`
 */
export async function readPassphraseDescriptor(fd: number, signal: AbortSignal): Promise<Uint8Array> {
  const fail = (what: string): KeymuxError =>
    new KeymuxError('invalid_value', `the passphrase cannot be read from file descriptor ${fd}: ${what}`, {
      hint: `open it in the shell, as in keymux … --passphrase-fd ${fd} ${fd}< FILE`,
    })
  if (!isReadable(fd)) throw fail('it is not open')
  const buffer = Buffer.alloc(MAX_BYTES + 2)
  try {
    const length = await fill(fd, buffer, signal)
    if (length === undefined) throw fail('nothing comes from it')
    const bytes = withoutFinalNewline(buffer.subarray(0, length))
    if (bytes.byteLength > MAX_BYTES) throw fail(`there is more than ${MAX_BYTES / 1024} KiB in it`)
    if (bytes.byteLength === 0) throw fail('it is empty')
    return Uint8Array.from(bytes)
  } catch (error) {
    if (error instanceof Error && 'syscall' in error && 'code' in error) throw fail(String(error.code))
    throw error
  } finally {
    buffer.fill(0)
  }
}

/** Fills the buffer up to the end of what comes; `undefined` when nothing comes at all. */
async function fill(fd: number, buffer: Buffer, signal: AbortSignal): Promise<number | undefined> {
  let length = 0
  let waited = 0
  while (length < buffer.byteLength) {
    signal.throwIfAborted()
    try {
      const { bytesRead } = await readDescriptor(fd, buffer, length, buffer.byteLength - length, null)
      if (bytesRead === 0) return length
      length += bytesRead
      waited = 0
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      // Windows reports the end of a pipe as an error.
      if (error.code === 'EOF') return length
      if (error.code !== 'EAGAIN') throw error
      if (waited >= PATIENCE_MS) return undefined
      waited += PAUSE_MS
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
  return length
}

function isReadable(fd: number): boolean {
  try {
    const stats = fstatSync(fd)
    if (stats.isFIFO()) return !isOwnPipe(fd, stats)
    return stats.isFile() || stats.isSocket() || stats.isCharacterDevice()
  } catch {
    return false
  }
}

/**
 * Whether the other end of a pipe is in this very process, as with those that Node keeps for itself: it
 * would never end, and reading from some of them stops Node's signal handling.
 */
function isOwnPipe(fd: number, { dev, ino }: { dev: number; ino: number }): boolean {
  if (ino === 0) return false
  for (let other = 0; other < OWN_DESCRIPTORS; other += 1) {
    if (other === fd) continue
    const stats = statsOf(other)
    if (stats?.isFIFO() === true && stats.dev === dev && stats.ino === ino && isWritable(other)) return true
  }
  return false
}

function statsOf(fd: number): ReturnType<typeof fstatSync> | undefined {
  try {
    return fstatSync(fd)
  } catch {
    return undefined
  }
}

/** Reads proc_pid_fdinfo(5): the access mode is in the last two bits. Elsewhere, what is not standard is Node's. */
function isWritable(fd: number): boolean {
  if (process.platform !== 'linux') return fd > 2
  try {
    const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
    return flags === undefined || (Number.parseInt(flags, 8) & 3) !== 0
  } catch {
    return true
  }
}

function withoutFinalNewline(bytes: Uint8Array): Uint8Array {
  if (bytes.at(-1) !== 0x0a) return bytes
  return bytes.subarray(0, bytes.at(-2) === 0x0d ? -2 : -1)
}
