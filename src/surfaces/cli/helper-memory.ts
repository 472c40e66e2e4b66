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
  readonly #folders: readonly string[]
  readonly #name: string
  readonly #nowMs: number

  /** @param folders Where it may be kept, the first that can be used: private ones of the user. */
  constructor(folders: readonly string[], { caller, vault, wanted }: Asking, nowMs: number) {
    const name = createHash('sha256')
      .update(JSON.stringify([caller, vault, wanted]))
      .digest('hex')
      .slice(0, 32)
    this.#folders = folders
    this.#name = `helper-${name}`
    this.#nowMs = nowMs
  }

  /** The profiles that the program was given and came back from. */
  tried(): ReadonlySet<string> {
    return new Set(this.#folders.flatMap((folder) => this.#triedBy(folder)))
  }

  #triedBy(folder: string): readonly string[] {
    try {
      const { at, ids } = JSON.parse(readPlainFile(join(folder, this.#name))) as {
        at?: unknown
        ids?: unknown
      }
      const recent = typeof at === 'number' && Math.abs(this.#nowMs - at) <= AGAIN_WITHIN_MS
      return recent && Array.isArray(ids) ? ids.filter((id): id is string => typeof id === 'string') : []
    } catch {
      return []
    }
  }

  remember(ids: Iterable<string>): void {
    const text = JSON.stringify({ at: this.#nowMs, ids: [...ids] })
    this.#folders.some((folder) => this.#writeTo(folder, text))
  }

  #writeTo(folder: string, text: string): boolean {
    const path = join(folder, this.#name)
    const aside = `${path}.${randomBytes(6).toString('hex')}`
    try {
      makeOwnFolder(folder)
      this.#forgetOld(folder)
      writeFileSync(aside, text, { mode: 0o600, flag: 'wx' })
      renameSync(aside, path)
      return true
    } catch {
      removeIfThere(aside)
      return false
    }
  }

  #forgetOld(folder: string): void {
    for (const name of readdirSync(folder)) {
      if (!FILE.test(name)) continue
      const path = join(folder, name)
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
