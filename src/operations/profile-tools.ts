import { withoutUndefined } from '../domain/defined.js'
import type { ErrorCode } from '../domain/errors.js'
import { KeymuxError } from '../domain/errors.js'
import { newProfileId, quote } from '../domain/ids.js'
import type { CallOptions, Clock } from '../domain/ports.js'
import type { AuthProfile } from '../domain/profile.js'
import { isProfileValid, shownReference } from '../domain/profile.js'
import type { ProfileListItem } from '../domain/profile-list.js'
import type { NewProfile } from '../domain/profiles.js'
import type { ProviderMetadata } from '../domain/provider.js'
import type { ProviderLookup } from '../domain/providers.js'
import type { CredentialResolver } from '../domain/resolver.js'
import type {
  ProfileAddArgs,
  ProfileAddResult,
  ProfileEnableArgs,
  ProfileExportResult,
  ProfileIdArgs,
  ProfileImportArgs,
  ProfileListArgs,
  ProfileListToolResult,
  ProfileSetPriorityArgs,
  ProfileTestResult,
  ProvidersListResult,
  ToolManager,
  ToolOutcome,
  Tools,
} from '../domain/tools.js'
import { toListJson } from '../profiles/json-views.js'
import { isForeignBaseUrl, leavesVault, pointersIn } from '../profiles/outside.js'
import { defaultRegistry } from '../providers/registry.js'
import { readArguments } from './arguments.js'
import { readCredentialData, writeCredentialData } from './credential-data.js'
import { readAdd, readFilter, readId, readImport, secretsOf } from './tool-arguments.js'
import { TOOL_DEFINITIONS } from './tool-definitions.js'
import type { ToolFailure } from './tool-failure.js'
import { oneLine, toolFailure } from './tool-failure.js'
import { testProfile } from './validity.js'

/** Providers as the tools list them. */
export interface ToolProviders extends ProviderLookup {
  list(): readonly ProviderMetadata[]
}

/** What tools may do that is otherwise left to a person. */
export interface ToolPermissions {
  /**
   * Whether `export` may give secrets away, and `import` may take references, through which named secrets could be
   * read. Default true: whoever holds the manager can read them anyway. The tools of a handle, and surfaces for
   * agents, have false.
   */
  readonly allowReveal?: boolean
  /**
   * Whether `add` and `import` may say where a credential is sent (a base URL other than the provider's), and name
   * what lies outside the vault: files, variables, commands. Default false.
   */
  readonly allowEndpoints?: boolean
}

/** How the tools are set up. */
export interface ProfileToolsOptions extends ToolPermissions {
  /** Default: the built-in providers and those registered in this process. */
  readonly providers?: ToolProviders
  /** Default: the system's. */
  readonly clock?: Clock
}

/**
 * The operations on profiles that agents may call: snake_case in and out, as in the original. They never
 * throw, whatever they are given: a result says `success: false`, one sentence in `error` and a stable
 * `code`. Only `export` ever gives a secret.
 */
export class ProfileTools implements Tools {
  readonly #manager: ToolManager
  readonly #resolver: Pick<CredentialResolver, 'resolve'>
  readonly #providers: ToolProviders
  readonly #clock: Clock
  readonly #allowReveal: boolean
  readonly #allowEndpoints: boolean

  constructor(
    manager: ToolManager,
    resolver: Pick<CredentialResolver, 'resolve'>,
    {
      allowReveal = true,
      allowEndpoints = false,
      providers = defaultRegistry,
      clock = { now: () => new Date() },
    }: ProfileToolsOptions = {},
  ) {
    this.#manager = manager
    this.#resolver = resolver
    this.#providers = providers
    this.#clock = clock
    this.#allowReveal = allowReveal
    this.#allowEndpoints = allowEndpoints
  }

  /** Adds a profile. An OAuth profile may come without credentials: `hint` then names the login it needs. */
  add(args: ProfileAddArgs, options?: CallOptions): Promise<ProfileAddResult> {
    return guarded(options, secretsOf(args), async (call) => {
      const { profile, replace } = readArguments(args, readAdd)
      this.#refusePointers(profile)
      return this.#added(await this.#manager.add(profile, { ...call, replace }))
    })
  }

  /** Deletes a profile. */
  delete(args: ProfileIdArgs, options?: CallOptions): Promise<ToolOutcome> {
    return guarded(options, [], async (call) => {
      await this.#manager.delete(readArguments(args, readId), call)
      return { success: true }
    })
  }

  /** Switches a profile on or off. */
  enable(args: ProfileEnableArgs, options?: CallOptions): Promise<ToolOutcome> {
    return guarded(options, [], async (call) => {
      const { id, enabled } = readArguments(args, (fields) => ({
        id: readId(fields),
        enabled: fields.flag('enable'),
      }))
      await this.#manager.update(id, { enabled }, call)
      return { success: true }
    })
  }

  /** Sets the priority of a profile: higher goes first. */
  setPriority(args: ProfileSetPriorityArgs, options?: CallOptions): Promise<ToolOutcome> {
    return guarded(options, [], async (call) => {
      const { id, priority } = readArguments(args, (fields) => ({
        id: readId(fields),
        priority: fields.integer('priority', Number.MIN_SAFE_INTEGER),
      }))
      await this.#manager.update(id, { priority }, call)
      return { success: true }
    })
  }

  /** What {@link Tools.enable} and {@link Tools.setPriority} do, in one step. No tool of its own. */
  update(args: ProfileEnableArgs & ProfileSetPriorityArgs, options?: CallOptions): Promise<ToolOutcome> {
    return guarded(options, [], async (call) => {
      const { id, ...patch } = readArguments(args, (fields) => ({
        id: readId(fields),
        enabled: fields.flag('enable'),
        priority: fields.integer('priority', Number.MIN_SAFE_INTEGER),
      }))
      await this.#manager.update(id, patch, call)
      return { success: true }
    })
  }

  /** Lists profiles, without their secrets. */
  async list(args: ProfileListArgs = {}, options?: CallOptions): Promise<ProfileListToolResult> {
    const result = await guarded<ProfileListToolResult>(options, [], async (call) => {
      const filter = readArguments(args ?? {}, readFilter)
      const { profiles, total } = toListJson(await this.#manager.views(filter, call))
      return { profiles: profiles.map(forCallers), total }
    })
    return 'profiles' in result ? result : { ...result, profiles: [], total: 0 }
  }

  /** Lists the known providers, by name. */
  async providers(options?: CallOptions): Promise<ProvidersListResult> {
    const result = await guarded<ProvidersListResult>(options, [], async () => ({
      providers: this.#providers
        .list()
        .map(({ name, label, description, modes, envKey, website }) =>
          withoutUndefined({ name, label, description, modes, env_key: envKey, website }),
        ),
    }))
    return 'providers' in result ? result : { ...result, providers: [] }
  }

  /** Tells whether a profile's credential is there, readable and not expired for good. Asks no provider. */
  async test(args: ProfileIdArgs, options?: CallOptions): Promise<ProfileTestResult> {
    const result = await guarded<ProfileTestResult>(options, [], (call) => {
      const parts = { manager: this.#manager, resolver: this.#resolver, now: this.#clock.now() }
      return testProfile(readArguments(args, readId), parts, call)
    })
    return 'valid' in result ? result : { ...result, valid: false }
  }

  /** Gives a profile's credential, secrets included, unless revealing is not allowed here. */
  export(args: ProfileIdArgs, options?: CallOptions): Promise<ProfileExportResult> {
    return guarded<ProfileExportResult>(options, [], async (call) => {
      const id = readArguments(args, readId)
      if (!this.#allowReveal) {
        throw new KeymuxError('reveal_refused', 'a credential is revealed to a person alone, not to a tool', {
          hint: `a person can run keymux show ${id} --reveal`,
        })
      }
      const profile = await this.#manager.get(id, call)
      if (profile === undefined)
        throw new KeymuxError('profile_not_found', `there is no profile ${quote(id)}`)
      const data = writeCredentialData(profile)
      if (data === undefined) {
        throw new KeymuxError('reference_unresolved', `${id} has no credential`, {
          hint: `run keymux login ${id}`,
        })
      }
      await this.#manager.noteRevealed(id, 'exported', call)
      return { success: true, data, mode: profile.mode }
    })
  }

  /** Adds a profile from the credential data that `export` gives. */
  import(args: ProfileImportArgs, options?: CallOptions): Promise<ProfileAddResult> {
    return guarded(options, secretsOf(args), async (call) => {
      const { wanted, data, replace } = readArguments(args, (fields) => readImport(fields, args))
      const profile = { ...wanted, ...readCredentialData(wanted.mode, data) }
      this.#refusePointers(profile)
      return this.#added(await this.#manager.add(profile, { ...call, replace }))
    })
  }

  /** Calls a tool by its name in {@link TOOL_DEFINITIONS}. An unknown name is a failure like any other. */
  async call(name: string, args?: unknown, options?: CallOptions): Promise<object> {
    const tool = TOOL_DEFINITIONS.find((definition) => definition.name === name)
    if (tool === undefined) {
      return toolFailure(new KeymuxError('invalid_value', 'there is no such tool'), [], false)
    }
    if (tool.method === 'providers') return this.providers(options)
    // Every method checks what it is given.
    return this[tool.method](args as never, options)
  }

  /** Refuses what a person alone may say: what is read, and where a credential is sent. */
  #refusePointers({ provider, name, baseUrl, reference, oauth }: NewProfile): void {
    const byHand = (option: string): string =>
      `a person can run keymux add ${newProfileId(provider, name)} ${option}`
    if (reference !== undefined && !this.#allowReveal) {
      throw forPeople('reveal_refused', 'a reference', byHand('--ref REF'))
    }
    if (this.#allowEndpoints) return
    if (reference !== undefined && leavesVault(reference)) {
      throw forPeople('endpoint_refused', 'a reference to what lies outside the vault', byHand('--ref REF'))
    }
    if (baseUrl !== undefined && isForeignBaseUrl(baseUrl, this.#providers.get(provider))) {
      throw forPeople('endpoint_refused', 'a base URL that is not the provider’s', byHand('--base-url URL'))
    }
    const [pointer] = pointersIn(oauth?.metadata)
    if (pointer !== undefined) {
      const field = `data.metadata[${JSON.stringify(pointer)}]`
      throw forPeople('endpoint_refused', `${field}: a reference or address`, 'leave it out')
    }
  }

  #added(profile: AuthProfile): ProfileAddResult {
    const added = { success: true, profile_id: profile.id }
    if (profile.mode !== 'oauth' || isProfileValid({ ...profile, enabled: true }, this.#clock.now()))
      return added
    return {
      ...added,
      message: `${profile.id} is there and needs a login before it can be used`,
      hint: `run keymux login ${profile.id}`,
    }
  }
}

/** Runs a tool; whatever goes wrong becomes its result. */
async function guarded<T>(
  options: CallOptions | undefined,
  secrets: readonly string[],
  body: (options: CallOptions) => Promise<T>,
): Promise<T | ToolFailure> {
  const signal = options?.signal
  try {
    signal?.throwIfAborted()
    return await body(signal === undefined ? {} : { signal })
  } catch (error) {
    return toolFailure(error, secrets, signal?.aborted === true)
  }
}

function forPeople(code: ErrorCode, what: string, hint: string): KeymuxError {
  return new KeymuxError(code, `${what} is taken from a person alone, not from a tool`, { hint })
}

/** A listed profile as callers see it: no message on several lines, and no command line. */
function forCallers(profile: ProfileListItem): ProfileListItem {
  const { last_error, reference } = profile
  return {
    ...profile,
    ...(last_error === undefined ? {} : { last_error: oneLine(last_error) }),
    ...(reference === undefined ? {} : { reference: shownReference(reference) }),
  }
}
