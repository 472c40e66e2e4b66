import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

/** A program that asks again so soon was refused with what it got. In milliseconds. */
const AGAIN_WITHIN_MS = 5_000
const FILE = /^helper-[0-9a-f]{32}$/
const LARGEST = 65_536
const NOT_FOLLOWING = constants.O_NOFOLLOW ?? 0
const NOT_WAITING = constants.O_NONBLOCK ?? 0

/** Who asks, of which vault, and for what. */
export interface Asking {
  /** {@link callingProcess} */
  readonly caller: string
  readonly vault: string
  /** The profiles that may serve. */
  readonly wanted: string
}

/**
 * What programs got that take their key from `keymux resolve --helper`, for five seconds: ids alone. A memory that
 * cannot be read or written is none, for a key helper must not fail for the want of it.
 */
export class HelperMemory {
  readonly #folder: string
  readonly #path: string
  readonly #nowMs: number

  /** @param folder The private runtime folder. */
  constructor(folder: string, { caller, vault, wanted }: Asking, nowMs: number) {
    const name = createHash('sha256')
      .update(JSON.stringify([caller, vault, wanted]))
      .digest('hex')
      .slice(0, 32)
    this.#folder = folder
    this.#path = join(folder, `helper-${name}`)
    this.#nowMs = nowMs
  }

  /** The profiles that the program was given and came back from. */
  tried(): ReadonlySet<string> {
    try {
      const { at, ids } = JSON.parse(readPlainFile(this.#path)) as { at?: unknown; ids?: unknown }
      const recent = typeof at === 'number' && Math.abs(this.#nowMs - at) <= AGAIN_WITHIN_MS
      if (!recent || !Array.isArray(ids)) return new Set()
      return new Set(ids.filter((id): id is string => typeof id === 'string'))
    } catch {
      return new Set()
    }
  }

  remember(ids: Iterable<string>): void {
    const aside = `${this.#path}.${randomBytes(6).toString('hex')}`
    try {
      makeOwnFolder(this.#folder)
      this.#forgetOld()
      writeFileSync(aside, JSON.stringify({ at: this.#nowMs, ids: [...ids] }), { mode: 0o600, flag: 'wx' })
      renameSync(aside, this.#path)
    } catch {
      removeIfThere(aside)
    }
  }

  #forgetOld(): void {
    for (const name of readdirSync(this.#folder)) {
      if (!FILE.test(name)) continue
      const path = join(this.#folder, name)
      const age = Math.abs(Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0))
      if (age > AGAIN_WITHIN_MS) rmSync(path, { force: true })
    }
  }
}

/** Whatever stands under the name must not keep the helper: a pipe is never read, a link not followed. */
function readPlainFile(path: string): string {
  const descriptor = openSync(path, constants.O_RDONLY | NOT_FOLLOWING | NOT_WAITING)
  try {
    const { size } = plain(fstatSync(descriptor))
    const bytes = Buffer.alloc(size)
    return bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, size, 0))
  } finally {
    closeSync(descriptor)
  }
}

function plain(stats: Stats): Stats {
  if (!stats.isFile() || stats.size > LARGEST) throw new Error('this is no file of ours')
  return stats
}

/** The folder above it is the system's, or holds the state of keymux already: it is not made here. */
function makeOwnFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch {
    // It is there, or cannot be: told by what follows.
  }
  const stats = lstatSync(path)
  const own = process.getuid === undefined || stats.uid === process.getuid()
  if (!stats.isDirectory() || !own) throw new Error('this is no folder of ours')
}

function removeIfThere(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // Then it is not there.
  }
}
