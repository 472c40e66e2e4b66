import { type Stats, unwatchFile, watchFile } from 'node:fs'
import { loadConfig } from '../../config/load.js'
import { isKeymuxError } from '../../domain/errors.js'
import type { Keymux } from '../../domain/keymux.js'
import type { Logger } from '../../domain/ports.js'
import type { CliContext } from './context.js'

// Watching by events misses editors that replace the file; once a second costs nothing.
const INTERVAL_MS = 1_000

/**
 * Takes over the config file whenever it changes, and on SIGHUP. One that cannot be read or used is told in
 * the log, and the old one stays. Gives what ends the watch.
 */
export function followConfig(
  context: CliContext,
  handle: Pick<Keymux, 'reconfigure'>,
  logger: Logger | undefined,
): () => void {
  const { config: path, configSource } = context.settings
  let reading = Promise.resolve()
  const reload = (): void => {
    reading = reading.then(async () => {
      try {
        handle.reconfigure(await loadConfig(path, { required: configSource !== 'default' }))
        logger?.info('the config was read again', { path })
      } catch (error) {
        const known = isKeymuxError(error) ? { code: error.code, problem: error.message } : { error }
        logger?.error('the config cannot be used: the old one stays', { path, ...known })
      }
    })
  }
  const look = (now: Stats, before: Stats): void => {
    if (hasChanged(now, before)) reload()
  }
  watchFile(path, { interval: INTERVAL_MS, persistent: false }, look)
  const release = context.host.interrupts.take(['SIGHUP'], reload)
  return () => {
    unwatchFile(path, look)
    release()
  }
}

/** Node tells once of a file that is not there, when it begins to watch: nothing has changed then. */
export function hasChanged(now: Identity, before: Identity): boolean {
  return now.mtimeMs !== before.mtimeMs || now.size !== before.size || now.ino !== before.ino
}

type Identity = Pick<Stats, 'mtimeMs' | 'size' | 'ino'>
