import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it, private to their owner, where they are not there. Node's own way of doing so
 * never comes to an end where a parent takes nothing new and says that it is not there, as those in `/proc` do.
 *
 * @returns whether it was made
 * @throws the file system's error
 */
export function makeFolders(folder: string): boolean {
  try {
    return make(folder)
  } catch (error) {
    const parent = dirname(folder)
    if (!isAbsent(error) || parent === folder) throw error
    makeFolders(parent)
    return make(folder)
  }
}

function make(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 })
    return true
  } catch (error) {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return false
    throw error
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
