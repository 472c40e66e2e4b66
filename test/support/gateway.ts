import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { composeKeymux } from '../../src/compose.js'
import type { KeymuxConfigInput } from '../../src/domain/config.js'
import type { Keymux } from '../../src/domain/keymux.js'
import type { NewProfile } from '../../src/domain/profiles.js'
import { type Gateway, startGateway } from '../../src/entries/gateway.js'
import { createMemoryStore } from '../../src/storage/memory/index.js'
import { createJsonLogger } from '../../src/surfaces/gateway/log.js'

/** A gateway over a vault in memory, as programs start it. */
export interface TestGateway {
  readonly keymux: Keymux
  readonly gateway: Gateway
  readonly url: string
  readonly token: string
  /** Every line it logged. */
  readonly log: readonly string[]
  close(): Promise<void>
}

/** Starts one with these accounts. */
export async function startTestGateway(
  profiles: readonly NewProfile[],
  config: KeymuxConfigInput = {},
): Promise<TestGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'keymux-gateway-'))
  const log: string[] = []
  const logger = createJsonLogger({
    level: 'debug',
    clock: { now: () => new Date() },
    write: (line) => log.push(line),
  })
  const keymux = await composeKeymux({
    vault: createMemoryStore().connect(),
    unlock: { keyFile: join(folder, 'key') },
    create: true,
    config: { ...config, gateway: { port: 0, ...config.gateway } },
    env: {},
    logger,
  })
  for (const profile of profiles) await keymux.profiles.add(profile)
  const gateway = await startGateway(keymux, { stateFolder: folder, logger })
  return {
    keymux,
    gateway,
    url: gateway.url ?? '',
    token: gateway.token,
    log,
    async close() {
      await gateway.close({ drainMs: 0 })
      await keymux.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
