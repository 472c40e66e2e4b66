import { withoutUndefined } from '../../../domain/defined.js'
import type { ExplainedCandidate, Explanation, PlaceRule } from '../../../domain/explanation.js'
import { printable } from '../../../domain/printable.js'
import { formatTime } from '../../../domain/rfc3339.js'
import { type Cell, type Column, renderTable } from '../table.js'
import type { RenderOptions } from './list.js'
import { formatAgo, formatUntil } from './time.js'

const COLUMNS: readonly Column[] = [
  { header: '', align: 'right', keep: true },
  { header: 'PROFILE', keep: true },
  { header: 'WHY', keep: true },
]

const RULES: Readonly<Record<Exclude<PlaceRule, 'preference'>, string>> = {
  named: 'named',
  owner: 'made what the request carries',
  conversation: 'has the conversation',
  reserve: 'kept in reserve',
  behind: 'its last answer broke off',
  presumed: 'set aside on a presumption: where nobody else can',
}

const LEFT_OUT: Readonly<Record<string, string>> = {
  not_allowed: 'not allowed for the model',
  other_mode: 'of another mode',
  other_pool: 'of another pool',
  not_wanted: 'not asked for',
  excluded: 'tried already',
  off: 'switched off',
  expired: 'expired',
  invalid: 'has no credential, or needs a login',
}

/** `keymux resolve --explain` for people. */
export function renderExplanation(explanation: Explanation, options: RenderOptions): string {
  const { candidates } = explanation
  const title = options.style.bold(printable(titleOf(explanation)))
  if (candidates.length === 0) return `${title}\nThere are no profiles.`
  const rows = candidates.map((one) => rowOf(one, explanation, options))
  return `${title}\n${renderTable(COLUMNS, rows, { width: options.width, header: options.style.bold })}`
}

function titleOf({ provider, preference, mode, model, pool }: Explanation): string {
  const parts = [
    `order ${preference}`,
    model === undefined ? '' : `model ${model}`,
    mode === undefined ? '' : `mode ${mode}`,
    pool === undefined ? '' : pool === null ? 'without a pool' : `pool ${pool}`,
  ]
  return `${provider}: ${parts.filter((part) => part !== '').join(', ')}`
}

function rowOf(one: ExplainedCandidate, of: Explanation, { style, now }: RenderOptions): Cell[] {
  const { place, profileId } = one
  const isPlaced = place !== undefined
  return [
    isPlaced ? String(place) : { text: '–', paint: style.dim },
    profileId,
    isPlaced ? placeWords(one, of, now) : { text: asideWords(one, now), paint: style.caution },
  ]
}

function placeWords(one: ExplainedCandidate, of: Explanation, now: Date): string {
  const { rule = 'preference' } = one
  const by = preferenceWords(one, of, now)
  if (rule === 'preference') return by
  return rule === 'reserve' ? `${RULES.reserve}, ${by}` : RULES[rule]
}

/** What the order of preference goes by. */
function preferenceWords(one: ExplainedCandidate, { preference }: Explanation, now: Date): string {
  const { profileId, priority, lastGood, lastUsedAt, left, resetsAt, weight = 1 } = one
  const ranked = priority === 0 ? [] : [`priority ${priority}`]
  const good = lastGood ? ['last good'] : []
  const used = lastUsedAt === undefined ? 'never used' : `used ${formatAgo(lastUsedAt, now)}`
  switch (preference) {
    case 'default':
      return [...(profileId.endsWith(':default') ? ['named default'] : []), ...ranked, 'by name'].join(', ')
    case 'valid':
      return [...ranked, ...good, used].join(', ')
    case 'recent':
      return [used, ...ranked].join(', ')
    case 'type':
      return [used, ...ranked].join(', ')
    case 'quota':
      return [...ranked, leftWords(left), ...good].join(', ')
    case 'reset':
      return [
        ...ranked,
        resetsAt === undefined ? 'no reset known' : `resets ${formatUntil(resetsAt, now)}`,
      ].join(', ')
    case 'weighted':
      return [...ranked, `weight ${weight}`, used].join(', ')
  }
}

function leftWords(left: number | undefined): string {
  return left === undefined ? 'nothing known of its limits' : `at most ${Math.round(left * 100)}% left`
}

function asideWords({ state, reason, until }: ExplainedCandidate, now: Date): string {
  const left = LEFT_OUT[state]
  if (left !== undefined) return left
  const why = reason === 'quota' ? 'nothing left' : `${state}${reason === undefined ? '' : `: ${reason}`}`
  return until === undefined ? why : `${why}, back ${formatUntil(until, now)}`
}

/** One provider of `resolve --explain --json`. */
export function explanationJson({ provider, candidates, ...of }: Explanation): Record<string, unknown> {
  return {
    provider,
    ...of,
    candidates: candidates.map((one) =>
      withoutUndefined({
        place: one.place,
        profile_id: one.profileId,
        rule: one.rule,
        state: one.state,
        reason: one.reason,
        until: one.until && formatTime(one.until),
        priority: one.priority,
        pool: one.pool,
        weight: one.weight,
        last_good: one.lastGood,
        last_used_at: one.lastUsedAt && formatTime(one.lastUsedAt),
        left_percent: one.left === undefined ? undefined : Math.round(one.left * 100),
        resets_at: one.resetsAt && formatTime(one.resetsAt),
      }),
    ),
  }
}
