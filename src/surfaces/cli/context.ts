import type { Keymux } from '../../domain/keymux.js'
import type { Clock } from '../../domain/ports.js'
import type { Interrupts } from './interrupts.js'
import type { Output } from './output.js'
import type { Prompter } from './prompt.js'
import type { CliServices, OpenOptions } from './services.js'
import type { SettingFacts, Settings } from './settings.js'
import type { ByteSource, TextSink } from './streams.js'
import type { Style } from './style.js'

/** Everything outside that a command may touch. The real one is made in `process.ts`, tests make their own. */
export interface CliHost extends SettingFacts {
  readonly stdin: ByteSource
  readonly stdout: TextSink
  readonly stderr: TextSink
  readonly prompter: Prompter
  readonly clock: Clock
  readonly interrupts: Interrupts
  /** The program that runs keymux, by process id and beginning. */
  readonly caller: () => string
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
  /** What opening the vault has shown to be put right, although nothing fails. */
  readonly notices: string[]
  /**
   * The vault, unlocked in the order of the contract and opened once; closed when the command ends.
   *
   * @throws KeymuxError `vault_not_found`, `vault_locked`, `wrong_passphrase`, …
   */
  open(options?: OpenOptions): Promise<Keymux>
  /** Closes the vault if it is open, before the command ends: the next `open()` opens it again. */
  close(): Promise<void>
}
