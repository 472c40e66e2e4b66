import { isKeymuxError, KeymuxError } from '../domain/errors.js'
import { JsonReader } from '../domain/json-reader.js'

// No id comes near this; it keeps checks and messages cheap whatever is sent.
const LONGEST_ID = 512

/**
 * Reads untrusted arguments. What is wrong is told with the name of the argument.
 *
 * @throws KeymuxError `invalid_value`, and what `read` throws
 */
export function readArguments<T>(args: unknown, read: (fields: JsonReader) => T): T {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) {
    throw new KeymuxError('invalid_value', 'the arguments must be an object')
  }
  try {
    return read(new JsonReader(args, ''))
  } catch (error) {
    if (isKeymuxError(error, 'invalid_import')) throw new KeymuxError('invalid_value', error.message)
    if (error instanceof KeymuxError) throw error
    // A getter or proxy of the caller's own threw: what it says is nobody else's business.
    throw new KeymuxError('invalid_value', 'the arguments cannot be read')
  }
}

/** A provider name or profile id that must be there. Its form is checked by whoever uses it. */
export function idText(fields: JsonReader, name: string): string {
  const text = fields.text(name)
  if (text === '' || text.length > LONGEST_ID) throw fields.wrong(name, `1 to ${LONGEST_ID} characters`)
  return text
}

/** {@link idText}, or `undefined` where the argument is absent or empty. */
export function optionalIdText(fields: JsonReader, name: string): string | undefined {
  return fields.optionalText(name) === undefined ? undefined : idText(fields, name)
}

/** The argument as it is, whatever its type; inherited members do not count. */
export function rawArgument(args: unknown, name: string): unknown {
  if (typeof args !== 'object' || args === null || !Object.hasOwn(args, name)) return undefined
  return Reflect.get(args, name)
}
