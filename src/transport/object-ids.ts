import { elements, isString, type JsonText, type Member, member, startOf, stringAt } from './json-walk.js'

/** Ids are told from words by their length and a digit in them. */
const ID = /^(?=[^\s]*\d)[\w.:@-]{6,256}$/
const MOST_IDS = 64
const MOST_NAMED = 200
const DEEPEST = 4
/** So many places of a body are looked at, and so much of each. */
const MOST_LOOKED = 256
const MOST_BYTES = 8_192
/** Members below the first level that name objects of the account, by what bodies of a dialect may have. */
const NESTED_GEMINI = ['"fileUri"', '"file_uri"'].map((key) => Buffer.from(key))
const NESTED = ['"file_id"', '"file_ids"', '"vector_store_ids"', '"container"'].map((key) => Buffer.from(key))

/** Collections of objects that one account alone knows: OpenAI's, Anthropic's, Gemini's. */
const COLLECTION =
  /\/(?:files|uploads|batches|fine_tuning|vector_stores|assistants|threads|containers|videos|conversations|evals|skills|cachedContents|tunedModels|fileSearchStores|operations)(?:[/?:]|$)/
/** What is begun there and fetched later. */
const BEGUN = /:(?:batchGenerateContent|asyncBatchEmbedContent|predictLongRunning)(?:\?|$)/
/** Calls over WebRTC, which are named by the address that the answer gives (OpenAI's Realtime API). */
const CALLS = /\/realtime\/calls(?:\?|$)/
const CONTENT = /\/(?:content|results|download)(?:\?|$)|[?&]alt=media\b/
const RESPONSES = /\/responses(?:\?|$)/
const CHAT = /\/chat\/completions(?:\?|$)/
const MESSAGES = /\/messages(?:\?|$)/
const NAMES_OBJECT = /(?:^|_)ids?$|Id$|^name$|^uri$/
/** What is named there is no object: who asked, and what he calls things. */
const NAMES_SOMEBODY =
  /^(?:metadata|labels|tags|user|(?:user|end_user|customer|org|organization|project|account|client|request|trace|session)_?id)$/i
/** Members of a request's body that name objects of the account. */
const OBJECTS_IN_BODY =
  /^(?:previous_response_id|conversation|container|cached_?content|training_file|validation_file|(?:input_|output_)?file_ids?|(?:vector_store|assistant|thread|batch|run|upload|container|response|conversation|skill|video|call)_ids?)$/i

/** What of an answer may name objects. */
export interface NamingAnswer {
  /** Its `location` header. */
  readonly location: () => string | undefined
  /** The beginning of its body, decoded. */
  readonly beginning: () => Buffer | undefined
}

/** The ids by which a request may name objects of an account: in its path, and in its body. */
export function requestIds(path: string, body: JsonText | undefined): string[] {
  const ids: string[] = []
  const take = (text: string | undefined): void => {
    const id = text === undefined ? undefined : idOf(text)
    if (id !== undefined && ids.length < MOST_IDS) ids.push(id)
  }
  const query = path.indexOf('?')
  for (const segment of (query < 0 ? path : path.slice(0, query)).split('/')) take(decoded(segment))
  if (query >= 0) {
    for (const [name, value] of new URLSearchParams(path.slice(query)))
      if (OBJECTS_IN_BODY.test(name)) take(value)
  }
  if (body !== undefined) idsInBody(body, path, take)
  return ids
}

/** Whether a request refers to parts of stored answers, which only the account knows that has given them. */
export function refersToItems(path: string, body: JsonText | undefined): boolean {
  return RESPONSES.test(path) && body?.bytes.includes('"item_reference"') === true
}

/**
 * The ids of objects that an answer names, as far as its beginning is here; none for answers that leave nothing behind.
 *
 * @param stored whether the request has its answer stored: what it says of `store`
 */
export function answerIds(
  path: string,
  stored: () => boolean | undefined,
  { location, beginning }: NamingAnswer,
): string[] {
  if (CALLS.test(path)) return idsIn(location())
  // What somebody has put into a file says nothing of objects.
  if (CONTENT.test(path)) return []
  if (COLLECTION.test(path) || BEGUN.test(path)) return allIds(beginning())
  // Responses are stored unless a request forbids it, chat completions where it asks for it.
  const keeps = RESPONSES.test(path) ? stored() !== false : CHAT.test(path) && stored() === true
  if (keeps) return firstId(beginning())
  return MESSAGES.test(path) ? containerId(beginning()) : []
}

/** Whether a request makes an object that is named nowhere else. */
export function isCreating(method: string, path: string): boolean {
  return method === 'POST' && (COLLECTION.test(path) || BEGUN.test(path) || CALLS.test(path))
}

function idsIn(location: string | undefined): string[] {
  const id = location === undefined ? undefined : idOf(location)
  return id === undefined ? [] : [id]
}

/** What a request's body says of `store`. */
export function asksToStore(body: JsonText | undefined): boolean | undefined {
  const found = body?.find('store')
  if (body === undefined || found === undefined) return undefined
  const text = body.bytes.toString('latin1', found.start, Math.min(found.end, found.start + 8))
  return text === 'true' ? true : text === 'false' ? false : undefined
}

function idsInBody(
  { bytes, members }: JsonText,
  path: string,
  take: (text: string | undefined) => void,
): void {
  for (const one of members) {
    const { keyStart, keyEnd } = one
    if (!OBJECTS_IN_BODY.test(stringAt(bytes, keyStart, keyEnd) ?? '')) continue
    takeValue(bytes, one, take)
    const inner = member(bytes, one.start, 'id')
    if (inner !== undefined) take(stringAt(bytes, inner.start, inner.end))
  }
  let looked = 0
  for (const key of path.includes('/models/') ? NESTED_GEMINI : NESTED) {
    for (let at = bytes.indexOf(key); at >= 0; at = bytes.indexOf(key, at + key.length)) {
      const value = /^\s*:\s*/.exec(bytes.toString('latin1', at + key.length, at + key.length + 16))?.[0]
      if (value === undefined) continue
      const start = at + key.length + value.length
      for (const text of shortTexts(bytes, start)) take(text)
      looked += 1
      if (looked >= MOST_LOOKED) return
    }
  }
}

/** A string, or a list of them. */
function takeValue(body: Buffer, { start, end }: Member, take: (text: string | undefined) => void): void {
  if (isString(body, start)) take(stringAt(body, start, end))
  else if (end - start <= 65_536) {
    for (const one of elements(body, start)) {
      if (!isString(body, one.start)) return
      take(stringAt(body, one.start, one.end))
    }
  }
}

/** A short string, or a list of them up to what is none: no more is looked at, whatever follows. */
function* shortTexts(body: Buffer, start: number): Generator<string> {
  const end = Math.min(body.length, start + MOST_BYTES)
  const text = body.toString('utf8', start, end)
  const list = /^\[\s*/.exec(text)?.[0] ?? ''
  let at = list.length
  for (let count = 0; count < MOST_IDS; count += 1) {
    const found = /^"((?:[^"\\]|\\.){0,256})"\s*,?\s*/.exec(text.slice(at, at + 300))
    if (found === null) return
    yield found[1] ?? ''
    if (list === '') return
    at += found[0].length
  }
}

/** Gemini names objects by paths and whole URLs: what counts is their last part. */
function idOf(text: string): string | undefined {
  const id = text.slice(text.lastIndexOf('/') + 1)
  return ID.test(id) ? id : undefined
}

function allIds(bytes: Buffer | undefined): string[] {
  const ids = new Set<string>()
  const walk = (value: unknown, name: string, depth: number): void => {
    if (depth > DEEPEST || ids.size >= MOST_NAMED) return
    if (typeof value === 'string') {
      const id = NAMES_OBJECT.test(name) ? idOf(value) : undefined
      if (id !== undefined) ids.add(id)
    } else if (Array.isArray(value)) for (const one of value) walk(one, name, depth + 1)
    else if (typeof value === 'object' && value !== null) {
      for (const [key, one] of Object.entries(value)) {
        if (!NAMES_SOMEBODY.test(key)) walk(one, key, depth + 1)
      }
    }
  }
  walk(parsed(bytes), '', 0)
  return [...ids]
}

/** The id of an answer: at the top of a JSON object, or in the first event of a stream that has one. */
function firstId(bytes: Buffer | undefined): string[] {
  if (bytes === undefined) return []
  const start = bytes.indexOf('{')
  if (start < 0) return []
  const response = member(bytes, start, 'response')
  const found = member(bytes, response?.start ?? start, 'id')
  const id = found && idOf(stringAt(bytes, found.start, found.end) ?? '')
  return id === undefined ? [] : [id]
}

function containerId(bytes: Buffer | undefined): string[] {
  if (bytes === undefined || !bytes.includes('"container"')) return []
  const container = member(bytes, startOf(bytes), 'container')
  const found = container && member(bytes, container.start, 'id')
  const id = found && idOf(stringAt(bytes, found.start, found.end) ?? '')
  return id === undefined ? [] : [id]
}

function parsed(bytes: Buffer | undefined): unknown {
  try {
    return bytes === undefined ? undefined : JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
