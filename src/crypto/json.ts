/** A JSON object whose fields have yet to be looked at. */
export type Fields = Readonly<Record<string, unknown>>

/** Whether this is a JSON object: no array, no null. */
export function isFields(json: unknown): json is Fields {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** The text, or `undefined`. */
export function textOf(json: unknown): string | undefined {
  return typeof json === 'string' ? json : undefined
}

/** The whole number if it lies between the limits, or `undefined`. */
export function wholeNumberOf(json: unknown, min: number, max: number): number | undefined {
  return typeof json === 'number' && Number.isInteger(json) && json >= min && json <= max ? json : undefined
}

/** The instant, written exactly as `Date.toISOString` writes it, or `undefined`. */
export function instantOf(json: unknown): Date | undefined {
  if (typeof json !== 'string' || json.length > 32) return undefined
  const instant = new Date(json)
  return !Number.isNaN(instant.getTime()) && instant.toISOString() === json ? instant : undefined
}
