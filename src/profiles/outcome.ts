import { isKeymuxError } from '../domain/errors.js'
import type { ProfileId } from '../domain/ids.js'
import type { Random } from '../domain/ports.js'
import type { NotedFailure } from '../domain/profiles.js'
import {
  type FailureReason,
  newUsageStats,
  type OutcomeOrigin,
  type ProfileCooldownConfig,
  type ProfileUsageStats,
} from '../domain/usage.js'
import { applyFailure, applySuccess } from '../policy/failure.js'
import { isOvertaken } from '../policy/verdicts.js'
import { modelKey } from '../policy/windows.js'
import type { ProfileState } from './backend.js'
import type { Entry } from './entry.js'
import { accountKey } from './entry.js'
import type { Change } from './layered.js'
import { cleanMessage } from './stored-message.js'

/** What became of one request, as changes of what is remembered of its profile and of the profile's account. */
export interface Outcome {
  readonly id: ProfileId
  readonly uid: string
  readonly provider: string
  readonly state: Change<ProfileState>
  readonly account?: { readonly key: string; readonly change: Change<ProfileUsageStats | undefined> }
  readonly event: 'failure' | 'success'
  readonly detail?: string
}

/** The circumstances of an outcome. Time and chance are settled once: it may be worked out several times. */
export interface OutcomeContext {
  readonly now: Date
  readonly random: Random
  readonly config: ProfileCooldownConfig
}

/** A failure of `entry`. @param error what the failure said, if anything */
export function failureOutcome(
  entry: Entry,
  reason: FailureReason,
  options: Omit<NotedFailure, 'message'>,
  { now, random, config }: OutcomeContext,
  error: Pick<ProfileState, 'lastError' | 'lastErrorAt'> = {},
): Outcome {
  const chance = random()
  const { model, retryAfterMs, origin = entry.origin, brokeOff, servedElsewhere, certainty, told } = options
  const effect = {
    now,
    provider: entry.provider,
    config,
    random: () => chance,
    model,
    retryAfterMs,
    certainty,
    told,
    isStatic: entry.mode !== 'oauth',
    servedElsewhere,
  }
  const failed = (
    stats: ProfileUsageStats,
    epoch: number,
    placed?: NotedFailure['brokeOff'],
  ): ProfileUsageStats =>
    applyFailure(stats, reason, {
      ...effect,
      brokeOff: placed,
      sent: { epoch, generation: origin.generation },
    }).stats
  const { account } = entry.record.meta
  // Limits and unpaid bills belong to the account: its other keys wait as well.
  const shared =
    account !== undefined && brokeOff !== 'unstated' && (reason === 'rate_limit' || reason === 'billing')
  return {
    id: entry.id,
    uid: entry.uid,
    provider: entry.provider,
    state: (before) => {
      const stats = failed(before.stats, origin.epoch, brokeOff)
      return stats === before.stats ? before : { ...before, stats, ...error }
    },
    ...(shared
      ? {
          account: {
            key: accountKey(entry.provider, account),
            change: (stats) => failed(stats ?? newUsageStats(), origin.accountEpoch),
          },
        }
      : {}),
    event: 'failure',
    detail: reason,
  }
}

/** A success of `entry`. @param origin what it was sent with; absent: the present credential */
export function successOutcome(
  entry: Entry,
  model: string | undefined,
  now: Date,
  origin: OutcomeOrigin = entry.origin,
): Outcome {
  const { account } = entry.record.meta
  const { generation, epoch, accountEpoch, trial } = origin
  const sent = { epoch, generation, trial }
  return {
    id: entry.id,
    uid: entry.uid,
    provider: entry.provider,
    state: (before) => {
      const stats = applySuccess(before.stats, { now, model, sent })
      if (stats === before.stats) return before
      // What went wrong with a later credential is not mended.
      if (isOvertaken(before.stats, sent)) return { ...before, stats }
      const { lastError: _message, lastErrorAt: _at, ...kept } = before
      return { ...kept, stats }
    },
    ...(account === undefined || entry.accountStats === undefined
      ? {}
      : {
          account: {
            key: accountKey(entry.provider, account),
            change: (stats) =>
              stats && applySuccess(stats, { now, model, sent: { epoch: accountEpoch, generation, trial } }),
          },
        }),
    event: 'success',
  }
}

/** Whether a success of `entry` would change more than the time of its use. */
export function isNews(entry: Entry, model: string | undefined, origin?: OutcomeOrigin): boolean {
  const { stats, lastError } = entry.state
  return (
    origin?.trial === true ||
    !entry.lastGood ||
    lastError !== undefined ||
    disproves(stats, model) ||
    stats.behind?.[modelKey(model)] !== undefined ||
    stats.refused?.[modelKey(model)] !== undefined ||
    disproves(entry.accountStats, model)
  )
}

/** A message as it is remembered: without anything that looks like a secret. */
export function shownError(message: string, now: Date): Pick<ProfileState, 'lastError' | 'lastErrorAt'> {
  return { lastError: cleanMessage(message, []), lastErrorAt: now }
}

/** The same, without the secrets of its profile whatever they look like. */
export function lastError(
  entry: Entry,
  message: string,
  now: Date,
): Pick<ProfileState, 'lastError' | 'lastErrorAt'> {
  return { lastError: cleanMessage(message, secretTexts(entry)), lastErrorAt: now }
}

function disproves(stats: ProfileUsageStats | undefined, model: string | undefined): boolean {
  if (stats === undefined) return false
  return (
    stats.disabledUntil !== undefined ||
    Object.keys(stats.runs ?? {}).length > 0 ||
    (model !== undefined && stats.modelCooldowns?.[model] !== undefined)
  )
}

/** The secrets of a profile, to be kept out of messages; none where they cannot be opened any more. */
function secretTexts(entry: Entry): (string | undefined)[] {
  try {
    return Object.values(entry.record.openSecrets())
  } catch (error) {
    if (isKeymuxError(error, 'vault_corrupt') || isKeymuxError(error, 'vault_locked')) return []
    throw error
  }
}
