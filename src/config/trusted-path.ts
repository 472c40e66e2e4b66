import { type BigIntStats, constants } from 'node:fs'
import { access, lstat, readlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import { shellQuote } from '../domain/shell.js'
import { accountFiles, isOwnGroup } from './own-group.js'

/** How it comes that others decide about what a path leads to. */
export interface Mistrust {
  /** `anybody may write "/srv/config.yaml"` */
  readonly problem: string
  readonly hint: string
}

/** As many symbolic links as Linux follows. */
const MAX_LINKS = 40
/** What the process was handed open: no name leads there that others could give to something else. */
const DESCRIPTOR = /^\/(?:dev\/(?:stdin|fd\/\d+)|proc\/self\/fd\/\d+)$/

/**
 * Looks for somebody but root and us who decides about what is at `path`: the owner of the file, of a folder
 * or of a symbolic link on the way (on the way of a link's target too), or whoever their modes let write.
 *
 * - In a folder with the sticky bit, others can neither remove nor rename what is ours.
 * - What lies on a read-only mount cannot be written.
 * - A group of our own that nobody else is in, which `umask 002` goes with, is nobody else.
 *
 * The way is walked from the root, each step in a folder that has been found to be in no other hands. So
 * nobody can change a step that was taken, and the file at the end must be the one that was opened.
 *
 * @param path absolute
 * @param opened of the descriptor that is read, or of the folder itself
 * @returns undefined where there is nobody, and on Windows, which has no modes
 */
export async function mistrustOf(path: string, opened: BigIntStats): Promise<Mistrust | undefined> {
  const user = process.geteuid?.()
  if (user === undefined || process.platform === 'win32') return undefined
  if (DESCRIPTOR.test(path)) return judge(BigInt(user), path, opened)
  try {
    return await walk(BigInt(user), path, opened)
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return exchanged(path)
    throw error
  }
}

/**
 * Refuses what {@link mistrustOf} finds.
 *
 * @param why what is at stake: `the config sets providers`
 * @throws KeymuxError `unsafe_permissions`
 */
export async function refuseMistrusted(path: string, opened: BigIntStats, why: string): Promise<void> {
  const mistrust = await mistrustOf(path, opened)
  if (mistrust === undefined) return
  const { problem, hint } = mistrust
  throw new KeymuxError('unsafe_permissions', `${problem}, and ${why}`, { hint })
}

async function walk(user: bigint, path: string, opened: BigIntStats): Promise<Mistrust | undefined> {
  const steps = ['.', ...path.split('/').filter((step) => step !== '')]
  let at = '/'
  let everybodys = false
  let links = 0
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    const next = step === '..' ? dirname(at) : join(at, step)
    const stats = await lstat(next, { bigint: true })
    // The file that is read is judged, not the one that has its name by now.
    const end = steps.length === 0 && !stats.isSymbolicLink()
    if (end && (stats.dev !== opened.dev || stats.ino !== opened.ino)) return exchanged(path)
    const mistrust = await judge(user, next, end ? opened : stats, everybodys)
    if (mistrust !== undefined) return mistrust
    if (!stats.isSymbolicLink()) {
      at = next
      everybodys = (stats.mode & BigInt(constants.S_IWOTH)) !== 0n
      continue
    }
    links += 1
    if (links > MAX_LINKS) return exchanged(path)
    const target = await readlink(next)
    steps.unshift(...target.split('/').filter((part) => part !== ''))
    if (!target.startsWith('/')) continue
    at = '/'
    everybodys = false
  }
  return undefined
}

/** @param everybodys whether it lies in a folder in which everybody makes files */
async function judge(
  user: bigint,
  path: string,
  stats: BigIntStats,
  everybodys = false,
): Promise<Mistrust | undefined> {
  const link = stats.isSymbolicLink()
  if (stats.uid !== 0n && stats.uid !== user) {
    const command = `chown ${link ? '-h ' : ''}${user} ${shellQuote(path)}`
    return { problem: `${quote(path)} belongs to another user`, hint: run(command, user === 0n) }
  }
  // Somebody could have given a file of ours a second name there.
  if (everybodys && !stats.isDirectory() && stats.nlink > 1n) {
    return {
      problem: `${quote(path)} is a hard link in a folder of everybody's`,
      hint: 'put a copy into a folder of your own',
    }
  }
  return link ? undefined : writable(user, path, stats)
}

async function writable(user: bigint, path: string, stats: BigIntStats): Promise<Mistrust | undefined> {
  const may = (bit: number): boolean => (stats.mode & BigInt(bit)) !== 0n
  // Not a constant of Node's.
  const sticky = may(0o1000)
  if (stats.isDirectory() && sticky) return undefined
  const anybody = may(constants.S_IWOTH)
  const group = may(constants.S_IWGRP) && !(await isOurs(stats.gid, user))
  if ((!anybody && !group) || (await isReadOnly(path))) return undefined
  const command = `chmod ${group ? 'g' : ''}${anybody ? 'o' : ''}-w ${shellQuote(path)}`
  return {
    problem: `${anybody ? 'anybody' : 'a group'} may write ${quote(path)}`,
    hint: run(command, stats.uid === user),
  }
}

async function isOurs(gid: bigint, user: bigint): Promise<boolean> {
  const files = await accountFiles()
  return files !== undefined && isOwnGroup(files, gid, user)
}

async function isReadOnly(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EROFS'
  }
}

/** Only while it is read can a name lead elsewhere than a moment ago. */
function exchanged(path: string): Mistrust {
  return { problem: `${quote(path)} was exchanged while it was read`, hint: 'try again' }
}

function run(command: string, allowed: boolean): string {
  return `run: ${allowed ? '' : 'sudo '}${command}`
}
