import type { ProfileView } from '../../../domain/profiles.js'
import type { QuotaWindow } from '../../../domain/quota.js'
import type { Style } from '../style.js'
import { type Cell, type Column, renderTable } from '../table.js'
import { modelReason } from './evidence.js'
import type { RenderOptions } from './list.js'
import { isTight, quotaName, quotaWords, resetWords, usedWords } from './quota.js'
import { markCell, renewalFailed, statePaint, stateWords, untilWords, whyWords } from './state.js'
import { formatAgo, formatUntil } from './time.js'

const COLUMNS: readonly Column[] = [
  { header: '', keep: true },
  { header: 'PROFILE', keep: true },
  { header: 'STATE', keep: true },
  { header: 'BACK', keep: true },
  { header: 'WHY' },
  { header: 'LEAST LEFT', keep: true, droppable: true },
  { header: 'ERRORS', align: 'right', keep: true, droppable: true },
  { header: 'LAST USED', keep: true, droppable: true },
  { header: '', keep: true, droppable: true },
]

/** From so many cells on, what is left has a column of its own. */
const WIDE = 100

/** `keymux status` for people: who is usable, who is set aside, until when and why. */
export function renderStatus(views: readonly ProfileView[], options: RenderOptions): string {
  if (views.length === 0) return 'There are no profiles. Add one with keymux add PROVIDER.'
  const { style, width } = options
  const isWide = width === undefined || width >= WIDE
  const rows = views.flatMap((view) => [
    statusRow(view, options, isWide),
    ...(isWide ? [] : quotaRows(view, options)),
    ...modelRows(view, options),
  ])
  return `${renderTable(COLUMNS, rows, { width, header: style.bold })}\n\n${summary(views)}`
}

function statusRow(view: ProfileView, { style, now }: RenderOptions, isWide: boolean): Cell[] {
  const [tightest] = view.quota ?? []
  return [
    markCell(view, style),
    view.id,
    { text: stateWords(view), paint: statePaint(view, style) },
    untilWords(view, now),
    whyWords(view, now),
    isWide && tightest !== undefined
      ? { text: quotaWords(tightest, now), paint: quotaPaint(tightest, style) }
      : '',
    view.errorCount === 0 ? '' : String(view.errorCount),
    view.lastUsedAt === undefined ? '' : formatAgo(view.lastUsedAt, now),
    { text: view.lastGood ? 'last good' : '', paint: style.good },
  ]
}

/** Where there is no room beside it, the window that has least left is shown below a profile. */
function quotaRows({ quota = [] }: ProfileView, { style, now }: RenderOptions): Cell[][] {
  const [tightest] = quota
  // What is left alone is said by the profile's or the model's own line.
  if (tightest === undefined || (tightest.asideUntil !== undefined && tightest.asideUntil > now)) return []
  const reset = resetWords(tightest, now)
  return [
    [
      '',
      `  ${quotaName(tightest)}`,
      { text: usedWords(tightest), paint: quotaPaint(tightest, style) },
      reset,
      reset === '' ? '' : 'reset',
    ],
  ]
}

function quotaPaint(window: QuotaWindow, style: Style): Style['caution'] {
  return isTight(window) ? style.caution : style.dim
}

function modelRows(view: ProfileView, { style, now }: RenderOptions): Cell[][] {
  const cooling = view.modelCooldowns.map(({ model, until, reason, certainty }): Cell[] => [
    '',
    `  ${model === '' ? 'no model' : model}`,
    { text: 'cooling', paint: style.caution },
    formatUntil(until, now),
    modelReason(reason, certainty),
  ])
  const behind = (view.behind ?? []).map(({ model, until }): Cell[] => [
    '',
    `  ${model === '' ? 'no model' : model}`,
    { text: 'after others', paint: style.caution },
    formatUntil(until, now),
    'an answer broke off',
  ])
  return [...cooling, ...behind]
}

function summary(views: readonly ProfileView[]): string {
  const available = views.filter(({ state }) => state === 'available')
  const doubtful = available.filter(renewalFailed).length
  const usable = `${available.length - doubtful} of ${views.length} ${views.length === 1 ? 'profile' : 'profiles'} usable now`
  return doubtful === 0
    ? usable
    : `${usable}, ${doubtful} more if ${doubtful === 1 ? 'it' : 'they'} can be renewed`
}
