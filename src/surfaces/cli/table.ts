import { printable } from '../../domain/printable.js'
import { displayWidth, pad, truncate } from './width.js'

/** One column. */
export interface Column {
  readonly header: string
  readonly align?: 'left' | 'right'
  /** Never cut: ids and times. Other columns give way. */
  readonly keep?: boolean
  /** Left out as a whole when there is no room, the last such column first. */
  readonly droppable?: boolean
}

/** A cell's text as stored, and how to paint it. The table makes it printable. */
export type Cell = string | { readonly text: string; readonly paint: (text: string) => string }

/** How to lay out a table. */
export interface TableOptions {
  /** Cells available; without it nothing is cut. */
  readonly width?: number | undefined
  /** Paints the header; without it there is none. */
  readonly header?: (text: string) => string
  /** Spaces before each line. */
  readonly indent?: number
}

const GAP = 2
const NARROWEST = 6

interface Laid {
  readonly column: Column
  readonly index: number
  width: number
}

/** Lines of text in columns, without a final line feed. Columns without any text are left out. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  options: TableOptions = {},
): string {
  const cells = rows.map((row) => columns.map((_, index) => printable(textOf(row[index] ?? ''))))
  const room = options.width === undefined ? undefined : options.width - (options.indent ?? 0)
  const laid = fit(measure(columns, cells, options.header !== undefined), room)
  const indent = ' '.repeat(options.indent ?? 0)
  const lines = rows.map((row, at) =>
    line(laid, indent, ({ index, width, column }, last) => {
      const text = fill(cells[at]?.[index] ?? '', width, column, last)
      const cell = row[index] ?? ''
      return typeof cell === 'string' ? text : paintText(text, cell.paint)
    }),
  )
  if (options.header === undefined) return lines.join('\n')
  const header = options.header
  return [
    line(laid, indent, ({ column, width }, last) =>
      paintText(fill(column.header, width, column, last), header),
    ),
    ...lines,
  ].join('\n')
}

function measure(columns: readonly Column[], cells: readonly (readonly string[])[], header: boolean): Laid[] {
  return columns.flatMap((column, index) => {
    const width = cells.reduce((widest, row) => Math.max(widest, displayWidth(row[index] ?? '')), 0)
    if (width === 0) return []
    return [{ column, index, width: header ? Math.max(width, displayWidth(column.header)) : width }]
  })
}

/** Leaves out and narrows columns until the line fits, if it can. */
function fit(laid: Laid[], room: number | undefined): Laid[] {
  if (room === undefined) return laid
  let shown = laid
  while (narrowest(shown) > room) {
    const drop = shown.findLast(({ column }) => column.droppable === true)
    if (drop === undefined) break
    shown = shown.filter((other) => other !== drop)
  }
  let excess = total(shown) - room
  while (excess > 0) {
    const widest = shown
      .filter(({ column, width }) => column.keep !== true && width > NARROWEST)
      .reduce<Laid | undefined>(
        (best, one) => (best === undefined || one.width > best.width ? one : best),
        undefined,
      )
    if (widest === undefined) break
    widest.width -= 1
    excess -= 1
  }
  return shown
}

function total(laid: readonly Laid[]): number {
  return laid.reduce((sum, { width }) => sum + width + GAP, -GAP)
}

function narrowest(laid: readonly Laid[]): number {
  return total(
    laid.map((one) => (one.column.keep === true ? one : { ...one, width: Math.min(one.width, NARROWEST) })),
  )
}

function line(laid: readonly Laid[], indent: string, cell: (one: Laid, last: boolean) => string): string {
  return (indent + laid.map((one, at) => cell(one, at === laid.length - 1)).join(' '.repeat(GAP))).trimEnd()
}

function fill(text: string, width: number, column: Column, last: boolean): string {
  const fitting = column.keep === true ? text : truncate(text, width)
  return last && column.align !== 'right' ? fitting : pad(fitting, width, column.align)
}

/** Paints the text but not the spaces around it. */
function paintText(text: string, paint: (text: string) => string): string {
  const [, before = '', inner = '', after = ''] = /^(\s*)(.*?)(\s*)$/s.exec(text) ?? []
  return before + paint(inner) + after
}

function textOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text
}
