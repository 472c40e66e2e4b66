import { lstatSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { KeymuxError } from '../../domain/errors.js'
import { printable } from '../../domain/printable.js'
import { type Connection, fileUrl } from './connection.js'
import type { Driver } from './driver.js'
import { storageError, systemCode } from './errors.js'
import { publishNewFile } from './publish.js'

/**
 * Copies an open vault into a new file, as of one instant, while everybody goes on reading and writing.
 * The new file is complete or not there.
 *
 * @throws KeymuxError `file_exists`, `file_not_found` when its folder is missing, storage errors
 */
export async function copyVaultFile(
  driver: Driver,
  connection: Connection,
  path: string,
  target: string,
): Promise<void> {
  const file = resolve(target)
  const taken = (): KeymuxError =>
    new KeymuxError('file_exists', `${printable(file)} exists already`, { hint: 'choose another name' })
  try {
    if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) throw taken()
    const source = fileUrl(path, connection.access)
    if (!(await publishNewFile(file, (temporary) => driver.copy(source, temporary)))) throw taken()
  } catch (error) {
    if (systemCode(error) === 'ENOENT') {
      const folder = printable(dirname(file))
      throw new KeymuxError('file_not_found', `the folder ${folder} does not exist`, { cause: error })
    }
    throw storageError(error, file)
  }
}
