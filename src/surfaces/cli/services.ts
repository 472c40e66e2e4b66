import type { Keymux } from '../../domain/keymux.js'
import type { Clock, Logger } from '../../domain/ports.js'
import type { Providers } from '../../domain/providers.js'
import type { Unlock } from '../../domain/vault.js'
import type { Store } from '../../storage/contract.js'

/** What a command may say about the opening. */
export interface OpenOptions {
  /** Open although the vault looks rolled back or tampered with. */
  readonly lenient?: boolean
  /** Where it is told what happens meanwhile; nowhere by default. */
  readonly logger?: Logger
  /** Told once, for people, what hinders nobody now and should be put right. */
  readonly notice?: (text: string) => void
  /** For who goes on serving. Default: a command that ends in a moment. */
  readonly longLived?: boolean
}

/** Which vault to open, and how. */
export interface OpenRequest extends OpenOptions {
  /** An absolute path, or a `postgres://` URL. */
  readonly location: string
  readonly config: string
  /** The config file must exist, because somebody named it. */
  readonly configRequired: boolean
  /** Make a new vault and refuse where there is one (`vault_exists`). Default: open an existing one. */
  readonly create?: boolean
  /**
   * Asked once the vault is known to exist, with the types of its key slots; none when it is being created.
   * What it throws is thrown by the opening.
   */
  readonly unlock: (slotTypes: readonly string[]) => Promise<Unlock>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** How `serve` and `exec --gateway` start a gateway. */
export interface GatewayRequest {
  readonly host?: string
  readonly port?: number
  readonly socket?: string
  readonly allowRemote?: boolean
  readonly allowHosts?: readonly string[]
  readonly token?: string
  readonly rotateToken?: boolean
  /** Keep the token on file and let other command lines find the gateway. Default true. */
  readonly announce?: boolean
  /** The token is for the accounts of these providers alone. */
  readonly providers?: readonly string[]
  readonly stateFolder: string
  readonly logger?: Logger
}

/** A gateway that this process runs. */
export interface CliGateway {
  readonly url: string | undefined
  readonly port: number | undefined
  readonly socket: string | undefined
  readonly token: string
  readonly tokenFile: string | undefined
  /** Gives the number of answers that were cut. */
  close(options?: { readonly drainMs?: number }): Promise<number>
}

/** What the command line needs from the rest of keymux. Loaded when called, so that help stays quick. */
export interface CliServices {
  /** @throws KeymuxError `vault_not_found`, `wrong_passphrase`, `invalid_config`, storage errors, … */
  openVault(request: OpenRequest): Promise<Keymux>
  /**
   * The storage of the vault at an absolute path or a URL, without opening the vault itself. Makes nothing.
   *
   * @throws KeymuxError `vault_not_found`, storage errors
   */
  openStore(location: string, signal: AbortSignal): Promise<Store>
  /**
   * The built-in providers and those of the config: all that is known without opening a vault.
   *
   * @throws KeymuxError `invalid_config`, `file_not_found`
   */
  providers(config: string, configRequired: boolean): Promise<Providers>
  /** Names of the providers that are known without opening a vault, for completion. */
  providerNames(config: string): Promise<readonly string[]>
  /** Starts a gateway on an open vault. @throws KeymuxError `usage`, `conflict`, `unsafe_permissions`, … */
  startGateway(handle: Keymux, request: GatewayRequest): Promise<CliGateway>
  /** The gateway of a vault (its id in hexadecimal) that runs now, in whatever process. */
  findGateway(
    stateFolder: string,
    vaultId: string,
  ): Promise<{ readonly url: string; readonly token: string } | undefined>
  /**
   * A token of its own for one program, for the accounts of these providers. It lasts until `release` is called or this
   * process ends.
   *
   * @throws KeymuxError `gateway_not_found` where the gateway is gone, or another program in its place
   */
  childToken(
    gateway: { readonly url: string; readonly token: string },
    providers: readonly string[],
  ): Promise<{ readonly token: string; release(): void }>
  /** A logger of JSON lines. */
  createLogger(level: LogLevel, clock: Clock, write: (line: string) => void): Promise<Logger>
  version(): string
}

/** How much is logged: everything from this level on. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
