import type { ResolutionOptions } from '../domain/ports.js'
import { modelAllowed } from '../policy/model-globs.js'
import type { Entry } from './entry.js'
import type { ProviderGroup } from './provider-group.js'

/** Which profiles of a provider may serve a request, usable now or not. */
export interface Scope {
  /** The profile that the request names. */
  readonly named?: Entry | undefined
  /** The request names a profile that is not there. */
  readonly missing?: string | undefined
  /** The name of the pool that it stays in; `null` is that of profiles without one. Absent: there are no pools. */
  readonly pool?: string | null | undefined
  /** Absent: all. */
  readonly allows?: ((entry: Entry) => boolean) | undefined
}

const EVERYBODY: Scope = {}

/**
 * A request stays in the pool of the profile that it names, or else of the one that comes first whether or not it is
 * usable now: that it cannot serve must not bring in accounts of somebody else.
 */
export function scopeOf(group: ProviderGroup | undefined, request: ResolutionOptions): Scope {
  const { preferredProfile, only } = request
  const name = preferredProfile === undefined ? undefined : afterColon(preferredProfile)
  if (name === undefined && only === undefined && group?.hasPools !== true) return EVERYBODY
  const named = name === undefined ? undefined : group?.entries.get(name)
  if (name !== undefined && named === undefined) return { missing: name }
  if (only === undefined && group?.hasPools !== true) return { named }
  const wanted = (entry: Entry): boolean => only === undefined || only.has(entry.id)
  const pool = group?.hasPools === true ? poolOf(group, request, named, wanted) : undefined
  return {
    named,
    pool,
    allows: (entry) => wanted(entry) && (pool === undefined || inPool(entry, pool)),
  }
}

function poolOf(
  group: ProviderGroup,
  request: ResolutionOptions,
  named: Entry | undefined,
  wanted: (entry: Entry) => boolean,
): string | null | undefined {
  const { model, mode, preference = 'valid' } = request
  if (request.pool !== undefined) return request.pool
  const first = (entry: Entry): boolean =>
    wanted(entry) && (model === undefined || modelAllowed(entry.record.meta.models, model))
  const entry = named ?? group.first({ preference, mode, model: undefined }, first)
  return entry && (entry.record.meta.pool ?? null)
}

function inPool(entry: Entry, pool: string | null): boolean {
  return (entry.record.meta.pool ?? null) === pool
}

export function afterColon(text: string): string {
  return text.slice(text.lastIndexOf(':') + 1)
}
