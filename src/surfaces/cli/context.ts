import type { Clock } from '../../domain/ports.js'
import type { KeymuxHandle } from '../../operations/handle.js'
import type { Interrupts } from './interrupts.js'
import { Output } from './output.js'
import type { Prompter } from './prompt.js'
import type { CliServices, OpenOptions } from './services.js'
import { resolveSettings, type SettingFacts, type Settings } from './settings.js'
import type { ByteSource, TextSink } from './streams.js'
import { createStyle, type Style, wantsColor } from './style.js'

/** Everything outside that a command may touch. The real one is made in `process.ts`, tests make their own. */
export interface CliHost extends SettingFacts {
  readonly stdin: ByteSource
  readonly stdout: TextSink
  readonly stderr: TextSink
  readonly prompter: Prompter
  readonly clock: Clock
  readonly interrupts: Interrupts
  readonly services: CliServices
}

/** What a command works with. */
export interface CliContext {
  readonly host: CliHost
  readonly settings: Settings
  readonly output: Output
  readonly style: Style
  /** Aborted when the person or the system ends the command; pass it to every call that waits. */
  readonly signal: AbortSignal
  /**
   * The vault, unlocked in the order of the contract and opened once; closed when the command ends.
   *
   * @throws KeymuxError `vault_not_found`, `vault_locked`, `wrong_passphrase`, …
   */
  open(options?: OpenOptions): Promise<KeymuxHandle>
  /** Closes the vault if it is open, before the command ends: the next `open()` opens it again. */
  close(): Promise<void>
}

/** Makes a context of a host and the global flags. @throws KeymuxError `usage`, `invalid_value` */
export function createContext(host: CliHost, flags: Readonly<Record<string, unknown>>): CliContext {
  const settings = resolveSettings(flags, host)
  const colors = wantsColor({
    isTTY: host.stdout.isTTY,
    env: host.env,
    refused: settings.noColor || settings.json,
  })
  let handle: Promise<KeymuxHandle> | undefined
  const context: CliContext = {
    host,
    settings,
    output: new Output(host.stdout, host.stderr, settings),
    style: createStyle(colors),
    signal: host.interrupts.signal,
    open(options) {
      handle ??= openVault(context, options).then((opened) => {
        // A refresh token that has been spent must not be lost with what it was spent for.
        host.interrupts.holdWhile(() => opened.oauth.underWay)
        return opened
      })
      return handle
    },
    async close() {
      const opened = handle
      handle = undefined
      // A vault that could not be opened has told so already, through open().
      await (await opened?.catch(() => undefined))?.close()
    },
  }
  return context
}

async function openVault(context: CliContext, options: OpenOptions | undefined): Promise<KeymuxHandle> {
  const { openWithUnlock } = await import('./passphrase.js')
  return openWithUnlock(context, options)
}
