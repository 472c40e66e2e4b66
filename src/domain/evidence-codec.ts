import { withoutUndefined } from './defined.js'
import type { JsonObject, JsonReader } from './json-reader.js'
import { formatTime } from './rfc3339.js'
import { CHECK_SAID, type DisableEvidence, type LastCheck, type ToldBy } from './usage.js'

const TOLD_BY: readonly ToldBy[] = ['words', 'status', 'code']

/** The evidence of a disable in the stored format. */
export function evidenceToJson({ told, model, checkedBy, checkedAt }: DisableEvidence): JsonObject {
  return withoutUndefined({
    told_by: told?.by,
    told_status: told?.status,
    model,
    checked_by: checkedBy,
    checked_at: checkedAt && formatTime(checkedAt),
  })
}

/** Reads it. @throws KeymuxError `invalid_import` */
export function readEvidence(fields: JsonReader | undefined): DisableEvidence | undefined {
  if (fields === undefined) return undefined
  const by = fields.optionalOneOf('told_by', TOLD_BY)
  return withoutUndefined({
    told: by && withoutUndefined({ by, status: fields.optionalInteger('told_status', 0) }),
    model: fields.optionalText('model'),
    checkedBy: fields.optionalText('checked_by'),
    checkedAt: fields.optionalTime('checked_at'),
  })
}

/** The last check in the stored format. */
export function checkToJson({ at, said }: LastCheck): JsonObject {
  return withoutUndefined({ at: formatTime(at), said })
}

/** Reads it. @throws KeymuxError `invalid_import` */
export function readCheck(fields: JsonReader | undefined): LastCheck | undefined {
  return fields && withoutUndefined({ at: fields.time('at'), said: fields.optionalOneOf('said', CHECK_SAID) })
}
