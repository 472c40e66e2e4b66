import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ROOT } from './entries.mjs'

const HEARTBEAT_MS = 1_000
const SILENT_MS = 15_000
const POLL_MS = 150

/**
 * Runs `work` while no other process of this clone runs any: installing and building happen one at a time.
 *
 * The lock is a folder (made atomically on every file system). Its owner touches it every second; one that
 * has been silent for 15 seconds is taken over, unless its process is seen to be alive.
 */
export async function withLock(work, folder = path.join(ROOT, '.bootstrap.lock')) {
  let announced = false
  while (!take(folder)) {
    const owner = abandonedBy(folder)
    if (owner !== undefined) {
      breakLock(folder, owner)
      continue
    }
    if (!announced) process.stderr.write('keymux: another process is preparing this clone, waiting for it\n')
    announced = true
    await sleep(POLL_MS)
  }
  const heartbeat = setInterval(() => touch(folder), HEARTBEAT_MS)
  const release = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', release)
  const unlisten = exitOnSignals()
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    process.off('exit', release)
    unlisten()
    release()
  }
}

function take(folder) {
  try {
    mkdirSync(folder)
  } catch (error) {
    // Windows reports a folder that is just being removed as EPERM or EBUSY.
    if (
      error.code === 'EEXIST' ||
      (process.platform === 'win32' && /^E(PERM|BUSY|ACCES)$/.test(error.code))
    ) {
      return false
    }
    throw error
  }
  writeFileSync(
    path.join(folder, 'owner.json'),
    JSON.stringify({ pid: process.pid, host: os.hostname(), token: randomUUID() }),
  )
  return true
}

/** The owner's record when nothing has been heard of it for too long, else undefined. */
function abandonedBy(folder) {
  try {
    if (Date.now() - statSync(folder).mtimeMs <= SILENT_MS) return undefined
  } catch {
    return undefined
  }
  const owner = readOwner(folder)
  return isAlive(owner) ? undefined : owner
}

function readOwner(folder) {
  try {
    return readFileSync(path.join(folder, 'owner.json'), 'utf8')
  } catch {
    return ''
  }
}

function isAlive(owner) {
  try {
    const { pid, host } = JSON.parse(owner)
    if (host !== os.hostname()) return false
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/**
 * Removes an abandoned lock. The guard lets one process do so, and the second look keeps it from removing
 * the lock of somebody who was faster.
 */
function breakLock(folder, owner) {
  const guard = path.join(folder, 'breaking')
  try {
    mkdirSync(guard)
  } catch {
    // its maker died as well, or the whole folder is gone
    rmSync(guard, { recursive: true, force: true })
    return
  }
  rmSync(readOwner(folder) === owner ? folder : guard, { recursive: true, force: true })
}

function touch(folder) {
  try {
    const now = new Date()
    utimesSync(folder, now, now)
  } catch {
    // somebody removed it by hand; the work goes on
  }
}

/** Ends by exiting, so that the lock is released, when somebody presses Ctrl-C or stops the process. */
function exitOnSignals() {
  const handlers = [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ].map(([signal, code]) => [signal, () => process.exit(code)])
  for (const [signal, handler] of handlers) process.once(signal, handler)
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler)
  }
}
