import { type JsonObject, JsonReader, type JsonValue, parseJson, unexpected } from './json-reader.js'
import type { AuthProfile } from './profile.js'
import {
  profileFromJson,
  profileToJson,
  readProfileId,
  sortedObject,
  usageFromJson,
  usageToJson,
} from './profile-codec.js'
import { compareText } from './text-order.js'
import { newUsageStats, type ProfileUsageStats } from './usage.js'

const FORMAT_VERSION = 1

/**
 * The stored format in memory: profiles, what is remembered of their use, and the last good profile of
 * each provider. The maps have no prototype, so that no id or provider name can hit an inherited member.
 */
export class ProfileStore {
  readonly version: number = FORMAT_VERSION
  /** By id, `provider:name`. */
  readonly profiles: Record<string, AuthProfile> = Object.create(null)
  /** By profile id. */
  readonly usageStats: Record<string, ProfileUsageStats> = Object.create(null)
  /** Provider to the id of the profile that served it last. */
  readonly lastGood: Record<string, string> = Object.create(null)

  /**
   * Reads the stored format, as JSON text or parsed. Unknown fields are ignored; times are kept to the
   * millisecond.
   *
   * @throws KeymuxError `invalid_import`, which names the field that is wrong
   */
  static fromJSON(textOrObject: unknown): ProfileStore {
    const fields = new JsonReader(
      typeof textOrObject === 'string' ? parseJson(textOrObject) : textOrObject,
      '',
    )
    if ((fields.optionalInteger('version', 0) ?? FORMAT_VERSION) !== FORMAT_VERSION) {
      throw fields.wrong('version', String(FORMAT_VERSION))
    }
    const store = new ProfileStore()
    for (const { key, value, path } of fields.entries('profiles')) {
      const { id } = readProfileId(key, path)
      const profile = profileFromJson(value, path)
      if (profile.id !== id) throw unexpected(`${path}.id`, 'the id under which the profile is stored')
      if (store.get(id) !== undefined) throw unexpected(path, 'each id once')
      store.set(profile)
    }
    for (const { key, value, path } of fields.entries('usage_stats')) {
      store.usageStats[readProfileId(key, path).id] = usageFromJson(value, path)
    }
    for (const { key, value, path } of fields.entries('last_good')) {
      if (typeof value !== 'string') throw unexpected(path, 'a profile id, provider:name')
      store.markAuthProfileGood(key, readProfileId(value, path).id)
    }
    return store
  }

  /** The stored format, keys sorted. It holds the secrets in the clear. */
  toJSON(): JsonObject {
    const usage = mapped(this.usageStats, usageToJson)
    const lastGood = mapped(this.lastGood, (id) => id)
    return {
      version: this.version,
      profiles: sortedObject(mapped(this.profiles, profileToJson)),
      ...(usage.length === 0 ? {} : { usage_stats: sortedObject(usage) }),
      ...(lastGood.length === 0 ? {} : { last_good: sortedObject(lastGood) }),
    }
  }

  get(id: string): AuthProfile | undefined {
    return this.profiles[id]
  }

  /** Adds or replaces the profile of this id. */
  set(profile: AuthProfile): void {
    this.profiles[profile.id] = profile
  }

  /** Removes a profile with its usage statistics and its last-good mark; whether there was one. */
  delete(id: string): boolean {
    const existed = id in this.profiles
    delete this.profiles[id]
    delete this.usageStats[id]
    for (const [provider, good] of Object.entries(this.lastGood)) {
      if (good === id) delete this.lastGood[provider]
    }
    return existed
  }

  /** All profiles, ordered by id. */
  list(): AuthProfile[] {
    return Object.values(this.profiles).sort((a, b) => compareText(a.id, b.id))
  }

  /** The profiles of one provider, ordered by id. */
  listByProvider(provider: string): AuthProfile[] {
    const wanted = provider.toLowerCase()
    return this.list().filter((profile) => profile.provider === wanted)
  }

  /** The live statistics of a profile, created when absent: changes to the record are changes to the store. */
  getUsageStats(id: string): ProfileUsageStats {
    this.usageStats[id] ??= newUsageStats()
    return this.usageStats[id]
  }

  /** Records `id` as the profile that served `provider` last. */
  markAuthProfileGood(provider: string, id: string): void {
    this.lastGood[provider.toLowerCase()] = id
  }
}

function mapped<T>(map: Record<string, T>, toJson: (value: T) => JsonValue): [string, JsonValue][] {
  return Object.entries(map).map(([key, value]) => [key, toJson(value)])
}
