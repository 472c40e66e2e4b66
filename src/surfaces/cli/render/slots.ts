import { formatTime } from '../../../domain/rfc3339.js'
import type { SlotView } from '../../../domain/vault.js'
import type { Style } from '../style.js'
import { type Column, renderTable } from '../table.js'
import { formatLocal } from './time.js'

const COLUMNS: readonly Column[] = [
  { header: 'SLOT', keep: true },
  { header: 'OPENS WITH', keep: true },
  { header: 'LABEL' },
  { header: 'MADE', keep: true, droppable: true },
  { header: '', keep: true, droppable: true },
]

/** A slot as JSON has it. */
export function slotToJson({ id, type, label, createdAt, current }: SlotView): Record<string, unknown> {
  return {
    id,
    type,
    ...(label === undefined ? {} : { label }),
    created_at: formatTime(createdAt),
    ...(current ? { current: true } : {}),
  }
}

/** What opens a vault, for people. */
export function renderSlots(
  slots: readonly SlotView[],
  { style, width, indent = 0 }: { style: Style; width: number | undefined; indent?: number },
): string {
  const rows = slots.map(({ id, type, label, createdAt, current }) => [
    id,
    slotWords(type),
    label ?? '',
    formatLocal(createdAt),
    current ? { text: 'used now', paint: style.good } : '',
  ])
  return renderTable(COLUMNS, rows, { width, header: style.bold, indent })
}

/** The type of a slot in words: `passphrase`, `key file`. */
export function slotWords(type: string): string {
  return type.replaceAll('_', ' ')
}
