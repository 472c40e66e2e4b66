import type { ErrorCode } from './errors.js'
import type { CallOptions } from './ports.js'
import type { AuthMode } from './profile.js'
import type { ProfileListResult } from './profile-list.js'
import type { Profiles } from './profiles.js'

/** What every result may carry besides its own fields. */
export interface ToolOutcome {
  readonly success: boolean
  /** One sentence, where something is wrong. It never holds a secret. */
  readonly error?: string
  /** The stable code of `error`. */
  readonly code?: ErrorCode
  /** What can be done about it, or next. */
  readonly hint?: string
}

/** What `add` takes. */
export interface ProfileAddArgs {
  readonly provider: string
  /** `default` when absent. */
  readonly name?: string
  /** Follows from `api_key` or `token` when absent. */
  readonly mode?: AuthMode
  /** For mode `api_key`. */
  readonly api_key?: string
  /** For mode `token`. */
  readonly token?: string
  /** Higher goes first. Default 0. */
  readonly priority?: number
  /** Refused unless it is the provider's own, or the tools may set others (`allowEndpoints`). */
  readonly base_url?: string
  /** The organisation, project or subscription behind the credential. */
  readonly account?: string
  /** Globs of the models it may serve; all by default. */
  readonly models?: readonly string[]
  /** Overwrite a profile of the same id. Default false. */
  readonly replace?: boolean
}

/** What `add` and `import` give. */
export interface ProfileAddResult extends ToolOutcome {
  readonly profile_id?: string
  /** Said when the profile is there and cannot be used yet. */
  readonly message?: string
}

/** What `delete`, `export` and `test` take. */
export interface ProfileIdArgs {
  readonly profile_id: string
}

/** What `enable` takes. */
export interface ProfileEnableArgs extends ProfileIdArgs {
  /** False switches the profile off. */
  readonly enable: boolean
}

/** What `setPriority` takes. */
export interface ProfileSetPriorityArgs extends ProfileIdArgs {
  /** Higher goes first. */
  readonly priority: number
}

/** What `list` takes: filters. */
export interface ProfileListArgs {
  readonly provider?: string
  readonly mode?: AuthMode
  readonly enabled?: boolean
}

/** What `list` gives; `success` is there only where it is false. */
export interface ProfileListToolResult extends ProfileListResult, Partial<ToolOutcome> {}

/** What `import` takes. */
export interface ProfileImportArgs {
  readonly provider: string
  /** `default` when absent. */
  readonly name?: string
  readonly mode: AuthMode
  /** The credential as `export` gives it, parsed or as JSON text. */
  readonly data: ApiKeyData | TokenData | OAuthData | string
  /** Overwrite a profile of the same id. Default false. */
  readonly replace?: boolean
}

/** Credential data of mode `api_key`: one of both. */
export interface ApiKeyData {
  readonly key?: string
  readonly key_ref?: string
}

/** Credential data of mode `token`: a token or a reference. */
export interface TokenData {
  readonly token?: string
  readonly token_ref?: string
  /** RFC 3339 */
  readonly expires_at?: string
}

/** Credential data of mode `oauth`. */
export interface OAuthData {
  readonly access_token?: string
  readonly refresh_token?: string
  /** RFC 3339; may be left out where there is a refresh token. */
  readonly expires_at?: string
  readonly email?: string
  readonly client_id?: string
  readonly scopes?: readonly string[]
  readonly metadata?: Readonly<Record<string, string>>
}

/** What `export` gives. `data` holds the secrets. */
export interface ProfileExportResult extends ToolOutcome {
  readonly data?: object
  readonly mode?: AuthMode
}

/** What `test` gives. `success` says that the test could be made, `valid` what it found. */
export interface ProfileTestResult extends ToolOutcome {
  readonly valid: boolean
  /** Only where it is true. An OAuth login that can be renewed is valid all the same. */
  readonly expired?: boolean
  readonly email?: string
  /** Milliseconds until the credential expires. */
  readonly expires_in?: number
  readonly state?: string
  /** RFC 3339 */
  readonly unusable_until?: string
  readonly unusable_reason?: string
}

/** A provider in the names of JSON. */
export interface ProviderInfoJson {
  readonly name: string
  readonly label: string
  readonly description: string
  readonly modes: readonly AuthMode[]
  readonly env_key?: string
  readonly website?: string
}

/** What `providers` gives; `success` is there only where it is false. */
export interface ProvidersListResult extends Partial<ToolOutcome> {
  readonly providers: readonly ProviderInfoJson[]
}

/** What the tools need of a manager. */
export type ToolManager = Pick<
  Profiles,
  'add' | 'update' | 'delete' | 'get' | 'view' | 'views' | 'noteRevealed'
>

/**
 * The operations on profiles that agents may call: snake_case in and out, as in the original. They never
 * throw, whatever they are given: a result says `success: false`, one sentence in `error` and a stable
 * `code`. Only `export` ever gives a secret.
 */
export interface Tools {
  /** Adds a profile. An OAuth profile may come without credentials: `hint` then names the login it needs. */
  add(args: ProfileAddArgs, options?: CallOptions): Promise<ProfileAddResult>
  /** Deletes a profile. */
  delete(args: ProfileIdArgs, options?: CallOptions): Promise<ToolOutcome>
  /** Switches a profile on or off. */
  enable(args: ProfileEnableArgs, options?: CallOptions): Promise<ToolOutcome>
  /** Sets the priority of a profile: higher goes first. */
  setPriority(args: ProfileSetPriorityArgs, options?: CallOptions): Promise<ToolOutcome>
  /** What {@link Tools.enable} and {@link Tools.setPriority} do, in one step. No tool of its own. */
  update(args: ProfileEnableArgs & ProfileSetPriorityArgs, options?: CallOptions): Promise<ToolOutcome>
  /** Tells whether a profile could be used now, without asking its provider. */
  test(args: ProfileIdArgs, options?: CallOptions): Promise<ProfileTestResult>
  /** Lists profiles, without their secrets. */
  list(args?: ProfileListArgs, options?: CallOptions): Promise<ProfileListToolResult>
  /** Lists the known providers, by name. */
  providers(options?: CallOptions): Promise<ProvidersListResult>
  /** Gives a profile's credential, secrets included, unless revealing is not allowed here. */
  export(args: ProfileIdArgs, options?: CallOptions): Promise<ProfileExportResult>
  /** Adds a profile from the credential data that `export` gives. */
  import(args: ProfileImportArgs, options?: CallOptions): Promise<ProfileAddResult>
  /** Calls a tool by its name in `TOOL_DEFINITIONS`. An unknown name is a failure like any other. */
  call(name: string, args?: unknown, options?: CallOptions): Promise<object>
}
