import type { ProfileView } from '../../../domain/profiles.js'
import type { Style } from '../style.js'
import { type Cell, type Column, renderTable } from '../table.js'
import { expiryWords, markCell, statePaint, stateWords, untilWords } from './state.js'

/** What rendering depends on. */
export interface RenderOptions {
  readonly style: Style
  readonly now: Date
  /** Cells available; without it nothing is cut. */
  readonly width?: number | undefined
}

const COLUMNS: readonly Column[] = [
  { header: '', keep: true },
  { header: 'PROFILE', keep: true },
  { header: 'MODE', keep: true, droppable: true },
  { header: 'PRIORITY', align: 'right', keep: true, droppable: true },
  { header: 'STATE', keep: true },
  { header: 'EXPIRES', keep: true, droppable: true },
  { header: 'E-MAIL', droppable: true },
  { header: 'LAST ERROR', droppable: true },
]

/** `keymux list` for people: profiles by provider. */
export function renderList(views: readonly ProfileView[], options: RenderOptions): string {
  if (views.length === 0) return 'There are no profiles. Add one with keymux add PROVIDER.'
  const ranked = views.some(({ priority }) => priority !== 0)
  const rows = views.map((view) => listRow(view, ranked, options))
  return renderTable(COLUMNS, rows, { width: options.width, header: options.style.bold })
}

function listRow(view: ProfileView, ranked: boolean, { style, now }: RenderOptions): Cell[] {
  const until = untilWords(view, now)
  return [
    markCell(view, style),
    view.id,
    view.mode,
    ranked ? String(view.priority) : '',
    {
      text: until === '' ? stateWords(view) : `${stateWords(view)}, back ${until}`,
      paint: statePaint(view, style),
    },
    expiryWords(view, now),
    view.email ?? '',
    { text: view.lastError ?? '', paint: style.dim },
  ]
}
