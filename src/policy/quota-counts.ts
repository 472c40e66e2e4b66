import { modelAsked, type QuotaContext, type QuotaReading, readCount, readReset } from './quota-reading.js'

const COUNTED =
  /^(?:x-)?(ratelimit(?:bysize)?|tokenlimit)-(limit|remaining|reset)(?:-([a-z0-9][a-z0-9._-]{0,39}))?$/

/** What is said of one dimension. */
interface Said {
  limit?: string
  remaining?: string
  reset?: string
}

/**
 * `x-ratelimit-{limit,remaining,reset}-DIMENSION` (OpenAI, Groq, Mistral, Cerebras and others: limits of the model that
 * was asked), and the same without a dimension (OpenRouter, Together), which counts requests.
 * platform.openai.com/docs/guides/rate-limits, console.groq.com/docs/rate-limits, openrouter.ai/docs/api-reference/limits
 */
export function countedReadings(headers: ReadonlyMap<string, string>, context: QuotaContext): QuotaReading[] {
  const model = modelAsked(context)
  if (model === undefined) return []
  return [...dimensionsOf(headers)].flatMap(([dimension, said]): QuotaReading[] => {
    const [limit, remaining] = [readCount(said.limit), readCount(said.remaining)]
    if (remaining === undefined) return []
    const resetsAt = readReset(said.reset, context.now)
    return [{ dimension, model, limit, remaining, resetsAt }]
  })
}

function dimensionsOf(headers: ReadonlyMap<string, string>): ReadonlyMap<string, Said> {
  const found = new Map<string, Said>()
  for (const [name, value] of headers) {
    const [, kind = '', field, rest] = COUNTED.exec(name) ?? []
    if (field === undefined) continue
    const dimension = dimensionOf(kind, rest)
    const said = found.get(dimension) ?? {}
    said[field as keyof Said] = value
    found.set(dimension, said)
  }
  return found
}

function dimensionOf(kind: string, rest: string | undefined): string {
  if (kind === 'tokenlimit') return rest ?? 'tokens'
  if (kind === 'ratelimitbysize') return rest === undefined ? 'size' : `size-${rest}`
  return rest ?? 'requests'
}
