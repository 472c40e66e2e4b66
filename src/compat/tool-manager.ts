import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import type { CallOptions, Clock, ProfileManager } from '../domain/ports.js'
import type { AuthProfile } from '../domain/profile.js'
import { isProfileExpired, isProfileValid } from '../domain/profile.js'
import type {
  AddOptions,
  NewProfile,
  ProfilePatch,
  ProfileState,
  ProfileView,
  ViewFilter,
} from '../domain/profiles.js'
import type { ProviderLookup } from '../domain/providers.js'
import type { ToolManager } from '../domain/tools.js'
import { buildProfile } from '../profiles/validate.js'

/** The manager itself where it can do all that, else a stand-in that makes do with the seed's methods. */
export function toolManager(manager: ProfileManager, providers: ProviderLookup, clock: Clock): ToolManager {
  return isToolManager(manager) ? manager : new PlainManager(manager, providers, clock)
}

function isToolManager(manager: ProfileManager): manager is ProfileManager & ToolManager {
  const needed: readonly (keyof ToolManager)[] = ['add', 'update', 'view', 'views', 'noteRevealed']
  return needed.every((method) => typeof Reflect.get(manager, method) === 'function')
}

/** Somebody else's manager: it reads and saves whole profiles, the rest is done here. */
class PlainManager implements ToolManager {
  readonly #manager: ProfileManager
  readonly #providers: ProviderLookup
  readonly #clock: Clock

  constructor(manager: ProfileManager, providers: ProviderLookup, clock: Clock) {
    this.#manager = manager
    this.#providers = providers
    this.#clock = clock
  }

  async add(input: NewProfile, { replace, ...options }: AddOptions = {}): Promise<AuthProfile> {
    const profile = buildProfile(input, this.#providers, this.#clock.now())
    const known = await this.#manager.get(profile.id, options)
    if (known !== undefined && replace !== true) {
      throw new KeymuxError('profile_exists', `${profile.id} exists already`)
    }
    const saved = { ...profile, createdAt: known?.createdAt ?? profile.createdAt }
    await this.#manager.save(saved, options)
    return saved
  }

  async update(id: string, patch: ProfilePatch, options: CallOptions = {}): Promise<AuthProfile> {
    const profile = await this.#find(id, options)
    const { enabled = profile.enabled, priority = profile.priority } = patch
    const saved = { ...profile, enabled, priority, updatedAt: this.#clock.now() }
    await this.#manager.save(saved, options)
    return saved
  }

  async delete(id: string, options: CallOptions = {}): Promise<void> {
    await this.#manager.delete((await this.#find(id, options)).id, options)
  }

  get(id: string, options: CallOptions = {}): Promise<AuthProfile | undefined> {
    return this.#manager.get(id, options)
  }

  async view(id: string, options: CallOptions = {}): Promise<ProfileView> {
    return this.#viewOf(await this.#find(id, options), options)
  }

  async views(filter: ViewFilter = {}, options: CallOptions = {}): Promise<ProfileView[]> {
    const provider = filter.provider?.toLowerCase()
    const wanted = (await this.#manager.list(options)).filter(
      (profile) =>
        (provider === undefined || provider === profile.provider) &&
        (filter.mode === undefined || filter.mode === profile.mode) &&
        (filter.enabled === undefined || filter.enabled === profile.enabled),
    )
    return Promise.all(wanted.map((profile) => this.#viewOf(profile, options)))
  }

  /** There is no audit to write to. */
  async noteRevealed(): Promise<void> {}

  async #find(id: string, options: CallOptions): Promise<AuthProfile> {
    const profile = await this.#manager.get(id, options)
    if (profile !== undefined) return profile
    throw new KeymuxError('profile_not_found', `there is no profile ${quote(id)}`, {
      hint: 'see keymux list',
    })
  }

  async #viewOf(profile: AuthProfile, options: CallOptions): Promise<ProfileView> {
    const now = this.#clock.now()
    const { oauth, token } = profile
    const renewable = profile.mode === 'oauth' ? (oauth?.refreshToken ?? '') !== '' : undefined
    return withoutUndefined({
      id: profile.id,
      provider: profile.provider,
      name: profile.name,
      mode: profile.mode,
      enabled: profile.enabled,
      valid: isProfileValid(profile, now),
      expired: isProfileExpired(profile, now),
      email: oauth?.email,
      priority: profile.priority,
      account: profile.account,
      models: profile.models,
      baseUrl: profile.baseUrl,
      reference: profile.mode === 'api_key' ? profile.apiKey?.keyRef : token?.tokenRef,
      createdAt: profile.createdAt,
      updatedAt: profile.updatedAt,
      lastUsedAt: profile.lastUsedAt,
      lastError: profile.lastError,
      lastErrorAt: profile.lastErrorAt,
      expiresAt: profile.mode === 'oauth' ? oauth?.expiresAt : token?.expiresAt,
      renewable,
      loginNeeded:
        profile.mode === 'oauth' && (oauth === undefined || oauth.loginNeeded === true) ? true : undefined,
      scopes: oauth?.scopes,
      state: stateOf(profile, now, await this.#manager.isInCooldown(profile.id, options)),
      modelCooldowns: [],
      errorCount: 0,
      failureCounts: {},
      lastGood: false,
    })
  }
}

function stateOf(profile: AuthProfile, now: Date, cooling: boolean): ProfileState {
  if (!profile.enabled) return 'off'
  if (isProfileValid(profile, now)) return cooling ? 'cooling' : 'available'
  const ended = profile.mode === 'oauth' && profile.oauth?.loginNeeded === true
  return isProfileExpired(profile, now) && !ended ? 'expired' : 'invalid'
}
