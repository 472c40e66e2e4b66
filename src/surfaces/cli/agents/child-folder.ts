import { randomBytes } from 'node:crypto'
import { accessSync, chmodSync, constants, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileError } from '../../../domain/file-errors.js'
import { makeFolders } from '../../../storage/folders.js'

/** Files that last as long as a program that keymux runs. */
export class ChildFolder {
  readonly path: string
  /** Whether nobody else can have replaced it. */
  readonly isOutOfReach: boolean
  readonly #parent: string

  /**
   * @param candidates Where it may lie. The first that nobody else can have replaced is taken, which is what
   *   agents look at before they trust a file; without one, the first. Nothing is made before it is needed.
   */
  constructor(candidates: readonly string[]) {
    const safe = candidates.find(isOutOfReach)
    this.isOutOfReach = safe !== undefined
    this.#parent = join(safe ?? candidates[0] ?? '', 'agents')
    this.path = join(this.#parent, `${process.pid}-${randomBytes(6).toString('hex')}`)
  }

  /** Writes files that only their owner may read. @throws KeymuxError storage errors */
  write(files: ReadonlyMap<string, string>): void {
    if (files.size === 0) return
    try {
      makeFolders(this.path)
      if (process.platform !== 'win32') chmodSync(this.#parent, 0o700)
      for (const [name, text] of files)
        writeFileSync(join(this.path, name), text, { mode: 0o600, flag: 'wx' })
    } catch (error) {
      this.remove()
      throw fileError(this.path, error)
    }
    this.#removeForgotten()
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }

  /** Folders of processes that were killed before they could remove theirs. */
  #removeForgotten(): void {
    for (const name of readdirSync(this.#parent)) {
      const pid = Number(/^(\d+)-[0-9a-f]+$/.exec(name)?.[1])
      if (pid > 0 && !isAlive(pid)) rmSync(join(this.#parent, name), { recursive: true, force: true })
    }
  }
}

/**
 * Folders of the system that belong to a user alone, for those whose home lies where all may write (containers put it
 * below `/tmp`): that of his sessions, and root's.
 */
export function systemFolders(platform: NodeJS.Platform, uid: number | undefined): string[] {
  if (platform !== 'linux' || uid === undefined) return []
  const places = [`/run/user/${uid}`, ...(uid === 0 ? ['/run'] : [])]
  return places.filter((path) => isOwnAndWritable(path, uid)).map((path) => join(path, 'keymux'))
}

function isOwnAndWritable(path: string, uid: number): boolean {
  try {
    accessSync(path, constants.W_OK)
    return statSync(path).uid === uid
  } catch {
    return false
  }
}

/** Whether no folder on the way to a path can be written to by others. */
function isOutOfReach(path: string): boolean {
  const above = dirname(path)
  if (process.platform === 'win32') return true
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0
  return (mode & 0o022) === 0 && (above === path || isOutOfReach(above))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
