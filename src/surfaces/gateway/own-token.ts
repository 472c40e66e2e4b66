import { unwatchFile, watchFile } from 'node:fs'
import type { Logger } from '../../domain/ports.js'
import type { GatewayFiles } from './files.js'
import { checkToken, newToken, type TokenCheck } from './token.js'

const WATCH_MS = 1_000

/**
 * The vault's own gateway token: the given one, a new one, the one on file, or the first one.
 *
 * @throws KeymuxError `invalid_secret`, `unsafe_permissions`, storage errors
 */
export async function ownToken(
  files: GatewayFiles,
  { token, rotate }: { readonly token: string | undefined; readonly rotate: boolean },
): Promise<string> {
  const chosen = token === undefined ? undefined : checkToken(token, 'the given token')
  const kept = await files.readToken().catch((error: unknown) => {
    if (chosen !== undefined || rotate) return undefined
    throw error
  })
  if (chosen === undefined && !rotate) {
    // Gateways that start at once on a new vault agree on one.
    return checkToken(kept ?? (await files.claimToken(newToken())), files.tokenPath)
  }
  const wanted = chosen ?? newToken()
  if (wanted !== kept) await files.writeToken(wanted)
  return wanted
}

/** Makes a token rotated elsewhere count here as well, a second later at most. Gives what ends the watch. */
export function followToken(files: GatewayFiles, check: TokenCheck, logger: Logger | undefined): () => void {
  const path = files.tokenPath
  const reread = (): void => {
    files.readToken().then(
      (token) => {
        if (token === undefined || check.is(token)) return
        check.set(checkToken(token, path))
        logger?.info('the gateway token was replaced')
      },
      (error: unknown) => logger?.warn('the gateway token cannot be read again', { error }),
    )
  }
  watchFile(path, { interval: WATCH_MS, persistent: false }, reread)
  // It may have been replaced since it was read.
  reread()
  return () => unwatchFile(path, reread)
}
