import {
  elements,
  endOfString,
  isKey,
  isObject,
  isString,
  type JsonText,
  member,
  type Span,
  stringAt,
} from './json-walk.js'

/** A part of a body to be left out, or replaced. */
interface Edit extends Span {
  readonly by: string
}

/** An item that carries something only its own account may be able to read. */
interface Item {
  /** What it carries, quotes included. */
  readonly proof: Span
  /** The list that it is an element of, its place there, and the message that this list is the content of. */
  readonly list?: readonly Span[]
  readonly place?: number
  readonly message?: number
}

/**
 * What Gemini takes in place of a signature that it cannot know (ai.google.dev/gemini-api/docs/thought-signatures, "FAQ"):
 * a call of a function must have one.
 */
const NO_SIGNATURE = '"skip_thought_signature_validator"'
const SIGNATURE_KEYS = ['"thoughtSignature"', '"thought_signature"'].map((key) => Buffer.from(key))

type Dialect = 'responses' | 'messages' | 'gemini'

/** What stands in every body that has such items. */
const MARKS: Readonly<Record<Dialect, readonly Buffer[]>> = {
  responses: [Buffer.from('"encrypted_content"')],
  messages: [Buffer.from('"signature"'), Buffer.from('redacted_thinking')],
  gemini: SIGNATURE_KEYS,
}

/** How providers refuse what another account has signed or encrypted. */
const REFUSAL =
  /invalid_encrypted_content|encrypted content\b.{0,300}\bcould not be (?:verified|decrypted)|invalid [`'"]?signature[`'"]? in [`'"]?thinking|thought.?signature (?:is|was) (?:not valid|invalid)|(?:corrupted|invalid) thought.?signature/is

/** Whether a body may have such items: true of every body that does. */
export function mayBeSigned(path: string, body: Buffer): boolean {
  return MARKS[dialectOf(path)].some((mark) => body.includes(mark))
}

/**
 * Whether what is signed there is known to be of use to the account alone that made it: OpenAI's encrypted reasoning
 * (openai/codex, `invalid_encrypted_content`). Signatures of Anthropic's and Gemini's are not said to be, and leaving them
 * out has a price: a model that thinks wants its thinking back in the middle of using tools. They go as they are until an
 * account refuses them.
 */
export function isBoundToAccount(path: string): boolean {
  return dialectOf(path) === 'responses'
}

/** Whether the text of an error refuses what a request carries of another account. */
export function refusesSigned(text: string): boolean {
  return REFUSAL.test(text)
}

/**
 * The items of a conversation that carry encrypted reasoning or a signature: reasoning of OpenAI's Responses API,
 * thinking of Anthropic's Messages API, and signatures of thoughts of Gemini's API. In the order of the body.
 */
export class SignedItems {
  readonly #text: JsonText
  readonly #body: Buffer
  readonly #dialect: Dialect
  readonly #items: readonly Item[]
  readonly #messages: readonly Span[]

  constructor(path: string, body: JsonText) {
    this.#text = body
    this.#body = body.bytes
    this.#dialect = dialectOf(path)
    this.#messages = this.#dialect === 'messages' ? listOf(body, 'messages') : []
    this.#items = this.#find(body)
  }

  get count(): number {
    return this.#items.length
  }

  /** What item number `index` carries, as it is written. */
  proof(index: number): string {
    const proof = this.#items[index]?.proof
    return proof === undefined ? '' : this.#body.toString('latin1', proof.start, proof.end)
  }

  /** The body without the first `count` of them. Every other byte stays as it is. */
  without(count: number): Buffer {
    const gone = this.#items.slice(0, count)
    const edits =
      this.#dialect === 'gemini'
        ? gone.map(({ proof }) => ({ ...proof, by: NO_SIGNATURE }))
        : this.#removed(gone)
    return edited(this.#body, edits)
  }

  #find(body: JsonText): Item[] {
    switch (this.#dialect) {
      case 'responses':
        return itemsIn(this.#body, listOf(body, 'input'), encrypted)
      case 'messages':
        return this.#messages.flatMap(({ start, end }, message) =>
          // Most have none: only those that may are walked through.
          !MARKS.messages.some((mark) => this.#body.subarray(start, end).includes(mark))
            ? []
            : itemsIn(this.#body, listAt(this.#body, start, 'content'), thinking).map((item) => ({
                ...item,
                message,
              })),
        )
      case 'gemini':
        return signatures(this.#body)
    }
  }

  #removed(gone: readonly Item[]): Edit[] {
    const lists = new Map<
      readonly Span[],
      { readonly places: Set<number>; readonly message: number | undefined }
    >()
    for (const { list, place, message } of gone) {
      if (list === undefined || place === undefined) continue
      const known = lists.get(list)
      if (known === undefined) lists.set(list, { places: new Set([place]), message })
      else known.places.add(place)
    }
    // A message without content is refused: it goes as a whole.
    const empty = new Set<number>()
    const edits: Edit[] = []
    for (const [list, { places, message }] of lists) {
      if (message !== undefined && places.size === list.length) empty.add(message)
      else edits.push(...removals(list, places))
    }
    return [...edits, ...removals(this.#messages, empty), ...this.#withoutThinking(gone)]
  }

  /**
   * A model that is to think must find its thinking at the beginning of the turn that it is in the middle of
   * (docs.claude.com/en/docs/build-with-claude/extended-thinking): where that is left out, it goes on without.
   */
  #withoutThinking(gone: readonly Item[]): Edit[] {
    const members = this.#text.members
    const place = members.findIndex((one) => isKey(this.#body, one, 'thinking'))
    const thinking = members[place]
    const last = this.#messages.findLastIndex(({ start }) => roleAt(this.#body, start) === 'assistant')
    if (thinking === undefined || !gone.some(({ message }) => message === last)) return []
    const [before, after] = [members[place - 1], members[place + 1]]
    if (before !== undefined) return [{ start: before.end, end: thinking.end, by: '' }]
    return [{ start: thinking.keyStart, end: after?.keyStart ?? thinking.end, by: '' }]
  }
}

function roleAt(body: Buffer, start: number): string | undefined {
  const role = member(body, start, 'role')
  return role && stringAt(body, role.start, role.end)
}

function dialectOf(path: string): Dialect {
  if (/\/responses(?:\/|\?|$)/.test(path)) return 'responses'
  return /\/messages(?:\/|\?|$)/.test(path) ? 'messages' : 'gemini'
}

function listOf(body: JsonText, name: string): Span[] {
  const found = body.find(name)
  return found === undefined ? [] : [...elements(body.bytes, found.start)]
}

function listAt(body: Buffer, object: number, name: string): Span[] {
  const found = isObject(body, object) ? member(body, object, name) : undefined
  return found === undefined ? [] : [...elements(body, found.start)]
}

function itemsIn(
  body: Buffer,
  list: readonly Span[],
  proofOf: (body: Buffer, start: number) => Span | undefined,
): Item[] {
  return list.flatMap(({ start }, place) => {
    const proof = proofOf(body, start)
    return proof === undefined ? [] : [{ proof, list, place }]
  })
}

function encrypted(body: Buffer, start: number): Span | undefined {
  return text(body, start, 'encrypted_content')
}

function thinking(body: Buffer, start: number): Span | undefined {
  const type = member(body, start, 'type')
  const name = type && stringAt(body, type.start, type.end)
  if (name === 'thinking') return text(body, start, 'signature')
  return name === 'redacted_thinking' ? text(body, start, 'data') : undefined
}

function text(body: Buffer, object: number, name: string): Span | undefined {
  const found = member(body, object, name)
  return found !== undefined && isString(body, found.start) ? found : undefined
}

function signatures(body: Buffer): Item[] {
  const found: Item[] = []
  for (const key of SIGNATURE_KEYS) {
    for (let at = body.indexOf(key); at >= 0; at = body.indexOf(key, at + key.length)) {
      const between = /^\s*:\s*(?=")/.exec(
        body.toString('latin1', at + key.length, at + key.length + 32),
      )?.[0]
      // Within a text its quotes are escaped.
      if (between === undefined || body[at - 1] === 0x5c) continue
      const start = at + key.length + between.length
      found.push({ proof: { start, end: endOfString(body, start) } })
    }
  }
  return found.sort((a, b) => a.proof.start - b.proof.start)
}

/** Takes elements out of a list, each with a comma beside it. */
function removals(list: readonly Span[], gone: ReadonlySet<number>): Edit[] {
  let kept = false
  return list.flatMap((element, place) => {
    if (!gone.has(place)) {
      kept = true
      return []
    }
    const start = kept ? (list[place - 1]?.end ?? element.start) : element.start
    const end = kept ? element.end : (list[place + 1]?.start ?? element.end)
    return [{ start, end, by: '' }]
  })
}

function edited(body: Buffer, edits: readonly Edit[]): Buffer {
  const pieces: Buffer[] = []
  let at = 0
  for (const { start, end, by } of [...edits].sort((a, b) => a.start - b.start)) {
    pieces.push(body.subarray(at, start), Buffer.from(by))
    at = end
  }
  return Buffer.concat([...pieces, body.subarray(at)])
}
