import { readSecretFile } from '../../system/safe-file.js'
import type { CliContext } from './context.js'

/** More than classification looks at is not read from a pipe. */
const MAX_PIPED = 65_536

/** The body of an answer from a file, or with `-` from standard input. @throws KeymuxError `file_not_found` and its like */
export async function readBody({ host }: CliContext, path: string): Promise<Uint8Array> {
  return path === '-' ? host.stdin.read(MAX_PIPED) : readSecretFile(path)
}
