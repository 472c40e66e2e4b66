import { homedir } from 'node:os'
import { keymuxFolder } from '../config/paths.js'
import type { Keymux } from '../domain/keymux.js'
import { serveGateway } from '../surfaces/gateway/gateway.js'
import type { Gateway, GatewayOptions } from '../surfaces/gateway/types.js'
import { readPrivateFile } from '../system/safe-file.js'

export type { JsonLoggerOptions, LogLevel } from '../surfaces/gateway/log.js'
export { createJsonLogger } from '../surfaces/gateway/log.js'
export type { Gateway, GatewayOptions } from '../surfaces/gateway/types.js'

/**
 * Starts a gateway on an open vault. It forwards `/PROVIDER[:NAME]/…` and `/@CHAIN/…` with a credential of
 * the vault to callers that show its token, and goes on to the next profile when one fails. Close it before
 * the vault.
 *
 * @throws KeymuxError `usage` for an address beyond loopback without `allowRemote`, `conflict` for one that is
 *   in use, `invalid_value`, `invalid_secret`, `unsafe_permissions`, storage errors
 */
export async function startGateway(keymux: Keymux, options: GatewayOptions = {}): Promise<Gateway> {
  const facts = { platform: process.platform, env: process.env, home: homedir() }
  return serveGateway(keymux, {
    stateFolder: keymuxFolder('state', facts),
    ...options,
    readFile: readPrivateFile,
  })
}
