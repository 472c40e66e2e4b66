import { isObject, JsonText, skipSpace, startOf, stringAt } from './json-walk.js'

/** Where a JSON body names its model: the text, and the bytes of its value, quotes included. */
interface ModelPlace {
  /** Absent when the value is none. */
  readonly model: string | undefined
  readonly start: number
  readonly end: number
}

const CLOSE_BRACE = 0x7d

/** Gemini names the model in the path: `/v1beta/models/NAME:generateContent`. */
const IN_PATH = /\/(?:models|tunedModels)\/([^/:?#]{1,256}):[A-Za-z]+(?:[?#]|$)/
/** Azure's older API names a deployment there, and need not name it in the body: `/openai/deployments/NAME/…`. */
const DEPLOYMENT = /\/openai\/deployments\/([^/?#]{1,256})\//

/** The model a request is for: as its JSON body names it, or as its path does. */
export function requestedModel(path: string, body: JsonText | undefined): string | undefined {
  const named = body === undefined ? undefined : findModel(body)?.model
  if (named !== undefined) return named === '' ? undefined : named
  const inPath = (IN_PATH.exec(path) ?? DEPLOYMENT.exec(path))?.[1]
  return inPath === undefined ? undefined : decoded(inPath)
}

/**
 * The body with another model; the other bytes stay as they are. One that names none gets it, one that is no
 * JSON object stays the same.
 */
export function withModel(body: Buffer, model: string): Buffer {
  const value = Buffer.from(JSON.stringify(model))
  const place = findModel(new JsonText(body))
  if (place !== undefined) {
    return Buffer.concat([body.subarray(0, place.start), value, body.subarray(place.end)])
  }
  const start = startOf(body)
  if (!isObject(body, start)) return body
  const empty = body[skipSpace(body, start + 1)] === CLOSE_BRACE
  const member = Buffer.concat([Buffer.from('"model":'), value, Buffer.from(empty ? '' : ',')])
  return Buffer.concat([body.subarray(0, start + 1), member, body.subarray(start + 1)])
}

/**
 * Finds the top-level `model` of a JSON object without parsing the rest. The last one counts, as it does for parsers; a
 * body that is cut off or broken is read as far as it goes.
 */
export function findModel(body: JsonText): ModelPlace | undefined {
  const found = body.find('model')
  return found && { model: stringAt(body.bytes, found.start, found.end), start: found.start, end: found.end }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
