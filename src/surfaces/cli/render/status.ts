import type { ProfileView } from '../../../domain/profiles.js'
import { type Cell, type Column, renderTable } from '../table.js'
import { modelReason } from './evidence.js'
import type { RenderOptions } from './list.js'
import { markCell, renewalFailed, statePaint, stateWords, untilWords, whyWords } from './state.js'
import { formatAgo, formatUntil } from './time.js'

const COLUMNS: readonly Column[] = [
  { header: '', keep: true },
  { header: 'PROFILE', keep: true },
  { header: 'STATE', keep: true },
  { header: 'BACK', keep: true },
  { header: 'WHY' },
  { header: 'ERRORS', align: 'right', keep: true, droppable: true },
  { header: 'LAST USED', keep: true, droppable: true },
  { header: '', keep: true, droppable: true },
]

/** `keymux status` for people: who is usable, who is set aside, until when and why. */
export function renderStatus(views: readonly ProfileView[], options: RenderOptions): string {
  if (views.length === 0) return 'There are no profiles. Add one with keymux add PROVIDER.'
  const { style, width } = options
  const rows = views.flatMap((view) => [statusRow(view, options), ...modelRows(view, options)])
  return `${renderTable(COLUMNS, rows, { width, header: style.bold })}\n\n${summary(views)}`
}

function statusRow(view: ProfileView, { style, now }: RenderOptions): Cell[] {
  return [
    markCell(view, style),
    view.id,
    { text: stateWords(view), paint: statePaint(view, style) },
    untilWords(view, now),
    whyWords(view, now),
    view.errorCount === 0 ? '' : String(view.errorCount),
    view.lastUsedAt === undefined ? '' : formatAgo(view.lastUsedAt, now),
    { text: view.lastGood ? 'last good' : '', paint: style.good },
  ]
}

function modelRows(view: ProfileView, { style, now }: RenderOptions): Cell[][] {
  const cooling = view.modelCooldowns.map(({ model, until, reason, certainty }): Cell[] => [
    '',
    `  ${model}`,
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
