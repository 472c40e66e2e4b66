import { elements, isKey, isObject, type Member, members, type Span, startOf, stringAt } from './json-walk.js'

/** Where a body names a person: the bytes of the value, quotes included, and what it says. */
export interface UserIdPlace {
  readonly start: number
  readonly end: number
  readonly value: string
}

/** What lies under a key that leads to a place; `place` for the key of one. */
type Branch = 'place' | Tree
interface Tree {
  readonly [key: string]: Branch
}

const ANTHROPIC: Tree = { metadata: { user_id: 'place' } }

/**
 * The places, from the top of a body; `*` is every element of a list. Anthropic: Messages, and its batches. OpenAI and
 * those who speak as it does: `user`, and `safety_identifier`, which has taken its place.
 */
const PLACES: Tree = {
  ...ANTHROPIC,
  requests: { '*': { params: ANTHROPIC } },
  user: 'place',
  safety_identifier: 'place',
}

/**
 * Finds where a JSON object names a person, in the order of its bytes, without parsing the rest. Every one of a repeated
 * key counts: nobody knows which one the upstream takes. A body that is cut off or broken is read as far as it goes.
 */
export function findUserIds(body: Buffer): readonly UserIdPlace[] {
  const found: UserIdPlace[] = []
  walkMembers(body, startOf(body), PLACES, found)
  return found
}

/** The body with other values in these places; every other byte stays as it is. */
export function withUserIds(
  body: Buffer,
  places: readonly UserIdPlace[],
  replace: (value: string) => string,
): Buffer {
  const pieces: Buffer[] = []
  let at = 0
  for (const { start, end, value } of places) {
    pieces.push(body.subarray(at, start), Buffer.from(JSON.stringify(replace(value))))
    at = end
  }
  pieces.push(body.subarray(at))
  return Buffer.concat(pieces)
}

function walkMembers(body: Buffer, start: number, tree: Tree, found: UserIdPlace[]): void {
  for (const one of members(body, start)) {
    const branch = branchOf(body, one, tree)
    if (branch !== undefined) walkValue(body, one, branch, found)
  }
}

function walkValue(body: Buffer, { start, end }: Span, branch: Branch, found: UserIdPlace[]): void {
  if (branch === 'place') {
    const value = saidIn(body, start, end)
    if (value !== undefined) found.push({ start, end, value })
  } else if (isObject(body, start)) walkMembers(body, start, branch, found)
  else if (branch['*'] !== undefined) {
    for (const one of elements(body, start)) walkValue(body, one, branch['*'], found)
  }
}

/** What a value says, however it is written; `undefined` for one that says nothing. */
function saidIn(body: Buffer, start: number, end: number): string | undefined {
  const text = stringAt(body, start, end, Number.POSITIVE_INFINITY)
  if (text !== undefined) return text === '' ? undefined : text
  const other = body.toString('utf8', start, end)
  return other === '' || other === 'null' ? undefined : other
}

function branchOf(body: Buffer, one: Member, tree: Tree): Branch | undefined {
  for (const [key, branch] of Object.entries(tree)) if (key !== '*' && isKey(body, one, key)) return branch
  return undefined
}
