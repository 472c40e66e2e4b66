import type { JsonObject, JsonValue } from '../../../domain/json-reader.js'
import { nestsDeeply } from '../../../domain/nesting.js'

/** Lays one JSON value over another: objects are joined, anything else of ours takes the place of theirs. */
export function overlay(theirs: JsonValue | undefined, ours: JsonValue): JsonValue {
  if (!isObject(theirs) || !isObject(ours)) return ours
  const joined = Object.entries(ours).map(([name, value]): [string, JsonValue] => [
    name,
    overlay(member(theirs, name), value),
  ])
  return { ...theirs, ...Object.fromEntries(joined) }
}

/** A member of an object; `undefined` where there is none, or no object. */
export function member(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** A JSON object with comments and trailing commas, as agents allow it; `undefined` for anything else. */
export function parseSettings(text: string): JsonObject | undefined {
  if (nestsDeeply(text)) return undefined
  try {
    const value: JsonValue = JSON.parse(withoutComments(text))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Strings stay as they are; comments and commas before a closing bracket go. */
function withoutComments(text: string): string {
  const plain = text.replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, '$1')
  return plain.replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, '$1')
}
