import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A program that asks again so soon was refused with what it got. In milliseconds. */
const AGAIN_WITHIN_MS = 5_000
const FILE = /^helper-[0-9a-f]{32}$/
const LARGEST = 65_536

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
      if (statSync(this.#path).size > LARGEST) return new Set()
      const { at, ids } = JSON.parse(readFileSync(this.#path, 'utf8')) as { at?: unknown; ids?: unknown }
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
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
      this.#forgetOld()
      writeFileSync(aside, JSON.stringify({ at: this.#nowMs, ids: [...ids] }), { mode: 0o600, flag: 'wx' })
      renameSync(aside, this.#path)
    } catch {
      rmSync(aside, { force: true })
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
