import type { KdfCost } from './crypto/kdf.js'
import type { KeymuxConfigInput } from './domain/config.js'
import type { Clock, Logger, OAuthTokenRefresher } from './domain/ports.js'
import type { Unlock } from './domain/vault.js'
import type { ToolPermissions } from './operations/profile-tools.js'
import type { Store } from './storage/contract.js'

/** Where settings and files come from that nobody names. */
export type Environment = Readonly<Record<string, string | undefined>>

/** How to open a vault. */
export interface OpenKeymuxOptions {
  /** A path, or a store that is open already (it is closed with the handle). */
  readonly vault: string | Store
  /** What opens it; a function is asked once the vault is known to exist, with the types of its slots. */
  readonly unlock: Unlock | ((slotTypes: readonly string[]) => Promise<Unlock>)
  /** Make the vault when it is absent. Default false. */
  readonly create?: boolean
  /** Settings in camelCase, or the path of a YAML file that must exist. */
  readonly config?: KeymuxConfigInput | string
  /** Governs cooldowns and expiry. The system's by default. */
  readonly clock?: Clock
  readonly logger?: Logger
  /** Renews OAuth logins instead of keymux's own refresher. */
  readonly refresher?: OAuthTokenRefresher
  /** What `tools` may do besides: by default they reveal nothing, and take no address and no reference. */
  readonly tools?: ToolPermissions
}

/** Options for the surfaces of this package. */
export interface ComposeOptions extends Omit<OpenKeymuxOptions, 'config'> {
  readonly config?: KeymuxConfigInput | string | KeymuxConfigSource
  readonly surface?: string
  /** The process ends in a moment. What it learns of profiles leaves a line of audit each. */
  readonly shortLived?: boolean
  /** Refuse with `vault_exists` where there is a vault, and make one. */
  readonly mustNotExist?: boolean
  /** Open although the vault looks rolled back or tampered with. */
  readonly lenient?: boolean
  readonly env?: Environment
  /** Told once, for people, what hinders nobody now and should be put right. */
  readonly notice?: (text: string) => void
  readonly kdf?: KdfCost
  readonly signal?: AbortSignal
}

/** A config file that may be absent. */
export interface KeymuxConfigSource {
  readonly path: string
  readonly required: boolean
}
