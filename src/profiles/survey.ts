import { withoutUndefined } from '../domain/defined.js'
import type { ExplainedCandidate, Explanation, PlaceRule } from '../domain/explanation.js'
import type { ResolutionOptions } from '../domain/ports.js'
import type { ProviderLookup } from '../domain/providers.js'
import { modelAllowed } from '../policy/model-globs.js'
import type { Entry } from './entry.js'
import type { ProviderGroup } from './provider-group.js'
import { reasonOf } from './refusal.js'
import type { Scope } from './scope.js'

/** What a survey is about. */
export interface SurveyFacts {
  readonly request: ResolutionOptions
  readonly scope: Scope
  /** Those that were tried. */
  readonly passed?: ReadonlySet<Entry> | undefined
  readonly providers: ProviderLookup
  readonly nowMs: number
}

const LEVELS = 20
const MINUTE_MS = 60_000

/** Every profile of a provider with its place in the order of choice, and why it has that or none. */
export function survey(group: ProviderGroup | undefined, facts: SurveyFacts): Explanation {
  const { request, scope } = facts
  const { provider, preference = 'valid', mode, model } = request
  const entries = group?.ordered(preference, model) ?? []
  const placed = placesOf(entries, facts)
  const others = entries.filter((entry) => !placed.has(entry))
  return withoutUndefined({
    provider,
    preference,
    mode,
    model,
    pool: scope.pool,
    candidates: [
      ...[...placed].map(([entry, rule], index) => describe(entry, facts, { place: index + 1, rule })),
      ...others.map((entry) => describe(entry, facts)),
    ],
  })
}

/** Those that would be handed out, one after the other, as `ProviderGroup.pick` gives them. */
function placesOf(entries: readonly Entry[], facts: SurveyFacts): ReadonlyMap<Entry, PlaceRule> {
  const { request, scope, nowMs } = facts
  const { named } = scope
  const { familiar, model } = request
  const serving = entries.filter((entry) => isServing(entry, facts))
  const usable = serving.filter(({ standing }) => standing.state === 'available')
  const isBehind = (entry: Entry): boolean => entry.isBehind(model, nowMs)
  const inFront = usable.filter((entry) => !isBehind(entry))
  const familiars = familiar === undefined ? [] : inFront.filter(({ id }) => id === familiar.profileId)
  const places = new Map<Entry, PlaceRule>()
  const place = (rule: PlaceRule, some: readonly Entry[]): void => {
    for (const entry of some) if (!places.has(entry)) places.set(entry, rule)
  }
  place('named', named === undefined ? [] : inFront.filter((entry) => entry === named))
  const [best] = inFront.filter((entry) => !places.has(entry))
  const isHome = (entry: Entry): boolean =>
    familiar?.above === true || entry.priority >= (best?.priority ?? entry.priority)
  place(familiar?.above === true ? 'owner' : 'conversation', familiars.filter(isHome))
  place(
    'preference',
    inFront.filter((entry) => !isReserved(entry, model)),
  )
  place('reserve', inFront)
  place(
    'behind',
    usable.filter((entry) => entry === named),
  )
  place('behind', usable)
  place(
    'presumed',
    serving.filter(({ standing }) => standing.presumed === true),
  )
  return places
}

/** Whether an entry may serve the request, set aside for a while or not. */
function isServing(entry: Entry, facts: SurveyFacts): boolean {
  const { request, nowMs } = facts
  return (
    leftOut(entry, facts) === undefined &&
    (request.model === undefined || entry.serves(request.model, new Date(nowMs)))
  )
}

/** Why an entry is no candidate of this request at all. */
function leftOut(entry: Entry, { request, scope, passed }: SurveyFacts): string | undefined {
  const { mode, model, only, strict } = request
  const { meta } = entry.record
  if (only !== undefined && !only.has(entry.id)) return 'not_wanted'
  if (strict === true && entry !== scope.named) return 'not_wanted'
  if (scope.pool !== undefined && (meta.pool ?? null) !== scope.pool) return 'other_pool'
  if (mode !== undefined && mode !== entry.mode) return 'other_mode'
  if (model !== undefined && !modelAllowed(meta.models, model)) return 'not_allowed'
  return passed?.has(entry) === true ? 'excluded' : undefined
}

function describe(
  entry: Entry,
  facts: SurveyFacts,
  place: Pick<ExplainedCandidate, 'place' | 'rule'> = {},
): ExplainedCandidate {
  const { request, providers, nowMs } = facts
  const { meta } = entry.record
  const { level, resetMinute } = entry.quota?.rank(request.model) ?? {}
  const { state, reason, until } = reasonOf(entry, { request, failed: [], providers, now: new Date(nowMs) })
  return withoutUndefined({
    profileId: entry.id,
    ...place,
    state: place.place === undefined ? (leftOut(entry, facts) ?? state) : entry.standing.state,
    reason,
    until,
    priority: entry.priority,
    pool: meta.pool,
    weight: meta.weight,
    lastGood: entry.lastGood,
    lastUsedAt: entry.lastUsedMs === 0 ? undefined : new Date(entry.lastUsedMs),
    left: level === undefined ? undefined : level / LEVELS,
    resetsAt: resetMinute === undefined ? undefined : new Date(resetMinute * MINUTE_MS),
  })
}

function isReserved(entry: Entry, model: string | undefined): boolean {
  return entry.quota?.rank(model).isReserved === true
}
