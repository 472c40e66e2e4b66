import { withoutUndefined } from '../domain/defined.js'
import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import { newProfileId, parseProfileName } from '../domain/ids.js'
import type { CallOptions } from '../domain/ports.js'
import type { AuthProfile } from '../domain/profile.js'
import type {
  AddOptions,
  ChangeOptions,
  ImportedUsage,
  NewProfile,
  ProfilePatch,
} from '../domain/profiles.js'
import type { ProfileUsageStats } from '../domain/usage.js'
import { newUsageStats } from '../domain/usage.js'
import { applyReset } from '../policy/failure.js'
import type { SpentToken } from '../vault/unsaved-tokens.js'
import type { ProfileState, ProfileTransaction, StateChange } from './backend.js'
import type { Entry } from './entry.js'
import type { ProfileIndex } from './profile-index.js'
import type { ProfileIdentity, ProfileMeta, ProfileRecord, ProfileSecrets } from './record.js'
import { credentialChanged, newUid, splitProfile } from './record.js'
import { patched, withKeptSettings } from './settings.js'
import { cleanMessage } from './stored-message.js'
import { buildProfile, checkProfile } from './validate.js'

/** What owners do to profiles. Each is one transaction with its line of audit. */
export class ProfileEdits {
  readonly #index: ProfileIndex

  constructor(index: ProfileIndex) {
    this.#index = index
  }

  async save(profile: AuthProfile, options: CallOptions = {}): Promise<void> {
    checkProfile(profile, this.#index.config.providers)
    await this.#endLogins(options, async (tx, ended) => {
      const known = this.#known(profile.id)
      refuseOutdated(profile, known)
      await this.#store(tx, { ...profile, updatedAt: this.#index.now() }, known, ended)
      await tx.audit(known === undefined ? 'created' : 'changed', profile.id)
    })
  }

  async change(
    id: string,
    decide: (known: AuthProfile | undefined) => AuthProfile,
    options: ChangeOptions = {},
  ): Promise<AuthProfile> {
    await this.#endLogins(options, async (tx, ended) => {
      const known = this.#known(id)
      const profile = decide(known?.freshProfile())
      checkProfile(profile, this.#index.config.providers)
      await this.#store(tx, { ...profile, updatedAt: this.#index.now() }, known, ended)
      await tx.audit(options.event ?? (known === undefined ? 'created' : 'changed'), profile.id)
    })
    return this.#index.mustFind(id).freshProfile()
  }

  async add(input: NewProfile, options: AddOptions = {}): Promise<AuthProfile> {
    const profile = buildProfile(input, this.#index.config.providers, this.#index.now())
    await this.#endLogins(options, async (tx, ended) => {
      const known = this.#known(profile.id, options)
      if (known !== undefined && options.replace !== true) {
        throw new KeymuxError('profile_exists', `${profile.id} exists already`, {
          hint: 'use --replace to overwrite it, or another name',
        })
      }
      const stored = known === undefined ? profile : withKeptSettings(profile, known.freshProfile(), input)
      await this.#store(tx, stored, known, ended)
      await tx.audit(known === undefined ? 'created' : 'changed', profile.id)
    })
    return this.#index.mustFind(profile.id).freshProfile()
  }

  async importProfile(profile: AuthProfile, usage?: ImportedUsage, options: AddOptions = {}): Promise<void> {
    checkProfile(profile, this.#index.config.providers)
    const secrets = Object.values(splitProfile(profile, { uid: '' }).secrets)
    const { lastError } = profile
    const clean =
      lastError === undefined ? profile : { ...profile, lastError: cleanMessage(lastError, secrets) }
    await this.#endLogins(options, async (tx, ended) => {
      const known = this.#known(profile.id, options)
      if (known !== undefined && options.replace !== true) {
        throw new KeymuxError('profile_exists', `${profile.id} exists already`, {
          hint: 'use --replace to overwrite it',
        })
      }
      const { uid } = await this.#store(tx, clean, known, ended)
      if (usage !== undefined) {
        // Generations and epochs are counted per record: those of another one mean nothing here.
        const { generation: _of, epoch: _counted, turn: _turn, ...stats } = usage.stats
        const before = known?.use.base.stats.epoch
        const epoch = before === undefined && known === undefined ? {} : { epoch: (before ?? 0) + 1 }
        await tx.putState(useOf(uid, importedState(clean, { ...stats, ...epoch })))
      }
      if (usage?.lastGood === true) await tx.putState(lastGoodOf(profile.provider, uid))
      await tx.audit('imported', profile.id)
    })
  }

  async requireLogins(options: CallOptions = {}): Promise<string[]> {
    return this.#index.transact(options, async (tx) => {
      const ids: string[] = []
      for (const { id, record } of this.#index.sorted()) {
        const { meta } = record
        if (meta.mode !== 'oauth' || meta.loginNeeded === true || !(meta.hasSecret || meta.hasRefresh))
          continue
        const secrets = secretsUnlessDamaged(record)
        if (secrets === undefined) continue
        await tx.putProfile({ ...meta, loginNeeded: true, updatedAt: this.#index.now().getTime() }, secrets)
        await tx.audit('changed', id, 'login_needed')
        ids.push(id)
      }
      return ids
    })
  }

  async update(id: string, patch: ProfilePatch, options: CallOptions = {}): Promise<AuthProfile> {
    await this.#endLogins(options, async (tx, ended) => {
      const profile = patched(this.#index.mustFind(id).freshProfile(), patch)
      checkProfile(profile, this.#index.config.providers)
      await this.#store(tx, { ...profile, updatedAt: this.#index.now() }, this.#index.find(id), ended)
      await tx.audit('changed', profile.id, Object.keys(patch).join(','))
    })
    return this.#index.mustFind(id).freshProfile()
  }

  async rename(id: string, name: string, options: CallOptions = {}): Promise<AuthProfile> {
    let renamedId = ''
    await this.#index.transact(options, async (tx) => {
      const entry = this.#index.mustFind(id)
      const fresh = newProfileId(entry.provider, parseProfileName(name))
      renamedId = fresh
      if (fresh === entry.id) return
      if (this.#known(fresh) !== undefined) {
        throw new KeymuxError('profile_exists', `${fresh} exists already`, { hint: 'choose another name' })
      }
      const { lastUsedAt: _used, lastError: _error, lastErrorAt: _at, ...profile } = entry.freshProfile()
      const oauth = profile.oauth === undefined ? {} : { oauth: { ...profile.oauth, profileName: name } }
      const { meta, secrets } = splitProfile(
        { ...profile, ...oauth, id: fresh, name, updatedAt: this.#index.now() },
        entry.record.meta,
      )
      const { uid } = (await tx.putProfile(meta, secrets)).meta
      if (uid !== entry.uid) await this.#moveState(tx, entry, uid)
      await tx.deleteProfile(entry.id)
      await tx.audit('renamed', entry.id, fresh)
    })
    return this.#index.mustFind(renamedId).freshProfile()
  }

  async delete(id: string, options: CallOptions = {}): Promise<void> {
    await this.#endLogins(options, async (tx, ended) => {
      const entry = this.#index.mustFind(id)
      ended.push(...spentTokens(entry))
      await tx.deleteProfile(entry.id)
      for (const kind of ['use', 'refresh', 'quota'] as const) await tx.forget({ kind, key: entry.uid })
      if (entry.lastGood) await tx.putState(lastGoodOf(entry.provider, undefined))
      await tx.audit('removed', entry.id)
    })
  }

  async noteRevealed(
    id: string | readonly string[],
    event: 'revealed' | 'exported',
    options: CallOptions = {},
  ): Promise<void> {
    await this.#index.transact(options, async (tx) => {
      for (const each of [id].flat()) await tx.audit(event, this.#index.mustFind(each).id)
    })
  }

  /**
   * The profile that has this id, if any has.
   *
   * @throws KeymuxError `vault_corrupt` for one that cannot be read, and would be lost unless that is meant
   */
  #known(id: string, { replace }: AddOptions = {}): Entry | undefined {
    const known = this.#index.find(id)
    if (known === undefined && replace !== true) this.#index.refuseDamaged(id)
    return known
  }

  /** Files what is remembered of a profile under another uid, where a profile's name is its uid. */
  async #moveState(tx: ProfileTransaction, entry: Entry, uid: string): Promise<void> {
    await tx.putState(useOf(uid, entry.stateWithUse()))
    await tx.putState({ kind: 'refresh', key: uid, value: this.#index.catalogue.refreshes.get(entry.uid) })
    if (entry.lastGood) await tx.putState(lastGoodOf(entry.provider, uid))
    await tx.putState({ kind: 'refresh', key: entry.uid, value: undefined })
    if (entry.quotaKey === entry.uid) {
      await tx.putState({ kind: 'quota', key: uid, value: entry.quotaState })
      await tx.putState({ kind: 'quota', key: entry.uid, value: undefined })
    }
    await tx.putState(useOf(entry.uid, undefined))
  }

  /**
   * Runs a change that may end logins, which `body` collects. What was spilled for them is nobody's any more, once
   * the change is durable.
   */
  async #endLogins(
    options: CallOptions,
    body: (tx: ProfileTransaction, ended: SpentToken[]) => Promise<void>,
  ): Promise<void> {
    const ended: SpentToken[] = []
    await this.#index.transact(options, (tx) => body(tx, ended))
    for (const login of ended) await this.#index.config.spill?.remove(login).catch(() => undefined)
  }

  /** Stores a profile; a changed credential lifts what was held against the old one. */
  async #store(
    tx: ProfileTransaction,
    profile: AuthProfile,
    known: Entry | undefined,
    ended: SpentToken[],
  ): Promise<ProfileMeta> {
    const before = known?.record.meta
    const { meta, secrets } = splitProfile(profile, { uid: before?.uid ?? newUid() })
    const changed =
      known !== undefined && credentialChanged(known.record, { meta, openSecrets: () => secrets })
    const record = await tx.putProfile({ ...meta, ...generations(meta, before, changed) }, secrets)
    const { uid } = record.meta
    const usedAt = profile.lastUsedAt
    if (known === undefined) {
      if (usedAt !== undefined || profile.lastError !== undefined)
        await tx.putState(useOf(uid, importedState(profile)))
    } else if (changed) {
      // Whoever leaves the refresh token as it is may still need what was got with it.
      ended.push(...spentTokens(known).filter((token) => token.refreshToken !== profile.oauth?.refreshToken))
      await tx.putState({ kind: 'refresh', key: uid, value: undefined })
      const { lastError: _message, lastErrorAt: _at, ...state } = known.stateWithUse()
      await tx.putState(useOf(uid, { ...state, stats: applyReset(state.stats) }))
    }
    return record.meta
  }
}

/** Counts the credentials of a profile: another key, other tokens are another generation. */
function generations(
  meta: ProfileMeta,
  before: ProfileMeta | undefined,
  changed: boolean,
): Pick<ProfileIdentity, 'generation' | 'replacedAt'> {
  const { generation = 0, replacedAt } = before ?? {}
  const first = generation === 0 && (meta.hasSecret || meta.hasRefresh || meta.reference !== undefined)
  if (changed || first) return { generation: generation + 1, replacedAt: generation + 1 }
  return withoutUndefined({ generation: before?.generation, replacedAt })
}

/**
 * Refuses to put tokens back that have been renewed since the profile was read: they are used up.
 *
 * @throws KeymuxError `conflict`
 */
function refuseOutdated(profile: AuthProfile, known: Entry | undefined): void {
  const [given, stored] = [profile.oauth?.generation, known?.record.meta.generation]
  if (given === undefined || stored === undefined || given >= stored) return
  throw new KeymuxError('conflict', `the login of ${profile.id} was renewed after it had been read`, {
    hint: 'read the profile again, then change it',
  })
}

/** The refresh token under which renewed tokens of the login may have been spilled. */
function spentTokens({ provider, record }: Entry): SpentToken[] {
  if (!record.meta.hasRefresh) return []
  const { refreshToken } = secretsUnlessDamaged(record) ?? {}
  return refreshToken === undefined ? [] : [{ provider, refreshToken }]
}

function secretsUnlessDamaged(record: ProfileRecord): ProfileSecrets | undefined {
  try {
    return record.openSecrets()
  } catch (error) {
    if (isKeymuxError(error, 'vault_corrupt')) return undefined
    throw error
  }
}

function useOf(uid: string, value: ProfileState | undefined): StateChange {
  return { kind: 'use', key: uid, value }
}

function lastGoodOf(provider: string, uid: string | undefined): StateChange {
  return { kind: 'last_good', key: provider, value: uid }
}

function importedState(profile: AuthProfile, stats: ProfileUsageStats = newUsageStats()): ProfileState {
  return {
    stats: {
      ...stats,
      ...(stats.lastUsed !== undefined || profile.lastUsedAt === undefined
        ? {}
        : { lastUsed: profile.lastUsedAt }),
    },
    ...(profile.lastError === undefined ? {} : { lastError: profile.lastError }),
    ...(profile.lastErrorAt === undefined ? {} : { lastErrorAt: profile.lastErrorAt }),
  }
}
