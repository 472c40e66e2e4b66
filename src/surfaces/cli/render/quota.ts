import type { QuotaWindow } from '../../../domain/quota.js'
import { headroomOf } from '../../../policy/quota-windows.js'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** What a window is called: `5h`, `7d_opus`, `gpt-4o requests`. */
export function quotaName({ dimension, model = '' }: QuotaWindow): string {
  return model === '' || model.includes('*') ? dimension : `${model} ${dimension}`
}

/** How much of it is used: `83% used`; what is left where the whole is not known. */
export function usedWords(window: QuotaWindow): string {
  const left = headroomOf(window)
  if (window.status === 'overage') return 'used up, paid for beyond'
  if (left !== undefined) return `${Math.round((1 - left) * 100)}% used`
  return window.remaining === undefined ? '' : `${window.remaining} left`
}

/** `5h 83% used, resets in 42m`. */
export function quotaWords(window: QuotaWindow, now: Date): string {
  const reset = resetWords(window, now)
  return `${quotaName(window)} ${usedWords(window)}${reset === '' ? '' : `, resets ${reset}`}`
}

/** When it is full again: `in 42m`, `in 3h`, `in 6d`; empty where that is not known. */
export function resetWords({ resetsAt }: QuotaWindow, now: Date): string {
  if (resetsAt === undefined) return ''
  const left = resetsAt.getTime() - now.getTime()
  if (left < MINUTE) return `in ${Math.max(1, Math.ceil(left / SECOND))}s`
  if (left < HOUR) return `in ${Math.round(left / MINUTE)}m`
  return left < 2 * DAY ? `in ${Math.round(left / HOUR)}h` : `in ${Math.round(left / DAY)}d`
}

/** Whether it is so little that it should be seen: less than a fifth. */
export function isTight(window: QuotaWindow): boolean {
  return (headroomOf(window) ?? 1) < 0.2
}
