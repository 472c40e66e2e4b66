import { printable } from '../../../domain/printable.js'
import type { EvidenceView, WindowCertainty } from '../../../domain/profiles.js'
import type { Told } from '../../../domain/usage.js'
import { formatUntil, localTime } from './time.js'

/**
 * What it is known by that a profile is set aside: `stated`; `presumed (wording of a 403), checked again in 40s`;
 * `confirmed by GET /models at 14:05`. Empty where no window sets it aside.
 */
export function certaintyWords(view: EvidenceView, now: Date): string {
  const { certainty, told, checkedBy, checkedAt, nextCheckAt } = view
  if (certainty === undefined || certainty === 'stated') return certainty ?? ''
  if (certainty === 'confirmed') {
    const at = checkedAt === undefined ? '' : ` at ${localTime(checkedAt, now)}`
    return `confirmed by ${printable(checkedBy ?? 'a check')}${at}`
  }
  const again = nextCheckAt === undefined ? '' : `, checked again ${formatUntil(nextCheckAt, now)}`
  return `presumed${told === undefined ? '' : ` (${toldWords(told)})`}${again}`
}

/** Why a model is set aside. What is stated is the rule, and needs no word. */
export function modelReason(reason: string, certainty: WindowCertainty): string {
  return certainty === 'stated' ? reason : `${reason}, ${certainty}`
}

function toldWords({ by, status }: Told): string {
  switch (by) {
    case 'words':
      return status === undefined ? 'wording' : `wording of a ${status}`
    case 'status':
      return status === undefined ? 'a status' : `a ${status} alone`
    case 'code':
      return status === undefined ? 'a first refusal' : `a first ${status}`
  }
}
