import { modelAsked, type QuotaContext, type QuotaReading, readCount } from './quota-reading.js'

/** One member of a structured field: its name or bare item, and its parameters. */
interface Member {
  readonly name: string
  readonly parameters: ReadonlyMap<string, string>
}

const MOST_MEMBERS = 32
const MOST_PARAMETERS = 16
const NAME = /^[a-z0-9][a-z0-9._-]{0,39}$/
const LONGEST_RESET_SECONDS = 400 * 86_400

/**
 * `RateLimit: "default";r=50;t=30` with `RateLimit-Policy: "default";q=100;w=60` (draft-ietf-httpapi-ratelimit-headers),
 * and the older `RateLimit: limit=100, remaining=50, reset=30`. Taken for limits of the model that was asked.
 */
export function structuredReadings(
  headers: ReadonlyMap<string, string>,
  context: QuotaContext,
): QuotaReading[] {
  const field = headers.get('ratelimit')
  const model = modelAsked(context)
  if (field === undefined || model === undefined) return []
  const members = parseMembers(field)
  const older = olderReading(members, model, context)
  if (older !== undefined) return [older]
  const policies = new Map(parseMembers(headers.get('ratelimit-policy') ?? '').map((one) => [one.name, one]))
  return members.map(({ name, parameters }): QuotaReading => {
    const dimension = name.toLowerCase()
    return {
      dimension: NAME.test(dimension) ? dimension : 'requests',
      model,
      limit: readCount(policies.get(name)?.parameters.get('q')),
      remaining: readCount(parameters.get('r')),
      resetsAt: inSeconds(readCount(parameters.get('t')), context),
    }
  })
}

function olderReading(
  members: readonly Member[],
  model: string,
  context: QuotaContext,
): QuotaReading | undefined {
  const pairs = new Map(
    members.flatMap(({ name }): [string, string][] => {
      const equals = name.indexOf('=')
      return equals < 0 ? [] : [[name.slice(0, equals).trim(), name.slice(equals + 1).trim()]]
    }),
  )
  const remaining = readCount(pairs.get('remaining'))
  if (remaining === undefined) return undefined
  const resetsAt = inSeconds(readCount(pairs.get('reset')), context)
  return { dimension: 'requests', model, limit: readCount(pairs.get('limit')), remaining, resetsAt }
}

function inSeconds(seconds: number | undefined, { now }: QuotaContext): Date | undefined {
  if (seconds === undefined || seconds > LONGEST_RESET_SECONDS) return undefined
  return new Date(now.getTime() + Math.ceil(seconds * 1_000))
}

/** The members of a list (RFC 9651 section 3.1): what is between quotation marks is left whole. */
function parseMembers(text: string): Member[] {
  return split(text, ',', MOST_MEMBERS).flatMap((member): Member[] => {
    const [name = '', ...rest] = split(member, ';', MOST_PARAMETERS)
    if (name === '') return []
    const parameters = rest.flatMap((one): [string, string][] => {
      const equals = one.indexOf('=')
      return equals < 0 ? [] : [[one.slice(0, equals), one.slice(equals + 1)]]
    })
    return [{ name: unquoted(name), parameters: new Map(parameters) }]
  })
}

function split(text: string, separator: string, most: number): string[] {
  const parts: string[] = []
  let begin = 0
  let quoted = false
  for (let at = 0; at < text.length && parts.length < most; at += 1) {
    const character = text[at]
    if (character === '\\' && quoted) at += 1
    else if (character === '"') quoted = !quoted
    else if (character === separator && !quoted) {
      parts.push(text.slice(begin, at).trim())
      begin = at + 1
    }
  }
  if (parts.length < most) parts.push(text.slice(begin).trim())
  return parts
}

function unquoted(text: string): string {
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text
}
