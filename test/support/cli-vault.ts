import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { composeKeymux } from '../../src/compose.js'
import type { KeymuxConfigInput } from '../../src/domain/config.js'
import { KeymuxError } from '../../src/domain/errors.js'
import type { Keymux } from '../../src/domain/keymux.js'
import { defaultRegistry, ProviderRegistry } from '../../src/providers/registry.js'
import { createMemoryStore } from '../../src/storage/memory/index.js'
import type { CliServices, OpenRequest } from '../../src/surfaces/cli/services.js'
import { createFakeClock, type FakeClock } from '../../src/testing/fake-clock.js'
import { type FakeWorld, type Outcome, runCli } from '../transcripts/fake-host.js'

/** A vault in memory that command lines of one test share, each opening it anew as a process would. */
export interface CliVault {
  readonly clock: FakeClock
  /** Runs a command line on it. */
  run(argv: readonly string[], world?: FakeWorld): Promise<Outcome>
  /** A handle on it beside the command lines. */
  open(): Promise<Keymux>
  dispose(): void
}

export function makeCliVault(config: KeymuxConfigInput = {}): CliVault {
  const memory = createMemoryStore()
  const folder = mkdtempSync(join(tmpdir(), 'keymux-cli-'))
  const clock = createFakeClock('2026-01-31T12:00:00Z')
  const keyFile = join(folder, 'key')
  const open = (unlock: OpenRequest['unlock'], env: OpenRequest['env'], create: boolean): Promise<Keymux> =>
    composeKeymux({
      vault: memory.connect(),
      unlock,
      create,
      surface: 'cli',
      shortLived: true,
      clock,
      config,
      env,
    })
  const own = (): Promise<Keymux> => open(async () => ({ keyFile }), {}, true)
  const services: Partial<CliServices> = {
    async openVault({ unlock, env, create }) {
      if (create !== true) return open(unlock, env, false)
      throw new KeymuxError('vault_exists', 'there is a vault already')
    },
    openStore: async () => memory.connect(),
    providers: async () => new ProviderRegistry([], defaultRegistry),
  }
  let made: Promise<void> | undefined
  return {
    clock,
    open: own,
    async run(argv, world = {}) {
      made ??= own().then((handle) => handle.close())
      await made
      const env = { KEYMUX_KEY_FILE: keyFile, ...world.env }
      return runCli(argv, { now: clock.now(), ...world, env, services })
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  }
}
