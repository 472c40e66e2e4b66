import type { Keymux } from '../../domain/keymux.js'
import type { Logger } from '../../domain/ports.js'

/** What a gateway needs of an open vault. It does not close it, and reads its config anew for every request. */
export type Served = Pick<
  Keymux,
  'profiles' | 'resolver' | 'providers' | 'vault' | 'forwarder' | 'config'
> & {
  /** Renews logins ahead of time as long as the gateway runs. */
  readonly oauth: Pick<Keymux['oauth'], 'keepFresh'>
  /** Asks about profiles that are set aside as long as the gateway runs. Absent: nobody does. */
  readonly health?: Keymux['health'] | undefined
}

/** How a gateway is started. */
export interface GatewayOptions {
  /** The address to listen on. Default: the config's, which is 127.0.0.1. */
  readonly host?: string
  /** 0 picks a free port. Default: the config's, which is 7878. */
  readonly port?: number
  /** The path of a unix socket (0600, in a folder of 0700) to listen on instead. */
  readonly socket?: string
  /** Listen beyond loopback: other machines then reach the gateway, its token travels unencrypted. */
  readonly allowRemote?: boolean
  /** Further host names by which callers may reach the gateway. */
  readonly allowHosts?: readonly string[]
  /** The token callers must show: 16 to 512 printable characters. Default: the vault's own, made when absent. */
  readonly token?: string
  /** Make a new token of the vault. */
  readonly rotateToken?: boolean
  /**
   * Keep the token in a file as the vault's own, and leave a record by which `exec --gateway` and
   * `env --gateway` find this gateway. Default true; otherwise nothing is written, and without `token` a new
   * one counts as long as this gateway runs; `/api` then changes nothing.
   */
  readonly announce?: boolean
  /** The token is for the accounts of these providers alone, and for nothing else. Default: for everything. */
  readonly providers?: readonly string[]
  /** Where token and record are kept. Default: keymux's state folder. */
  readonly stateFolder?: string
  readonly logger?: Logger
}

/** A gateway that runs. */
export interface Gateway extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`; `undefined` behind a unix socket. */
  readonly url: string | undefined
  readonly port: number | undefined
  readonly socket: string | undefined
  readonly token: string
  /** The file that holds the token, where there is one. */
  readonly tokenFile: string | undefined
  /**
   * Stops accepting, lets answers under way finish for `drainMs` milliseconds (default 30,000), and gives
   * the number of those that were cut. The vault stays open.
   */
  close(options?: { readonly drainMs?: number }): Promise<number>
}
