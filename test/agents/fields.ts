/** Fields of a JSON object of which nothing is known. */
export type Fields = Record<string, unknown>

/** The fields of what may be an object; none of anything else. */
export function asObject(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

/** The members of what may be a list; none of anything else. */
export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
