import type { ProviderFamily } from '../domain/provider.js'
import { readContent } from './classify-body.js'
import { readProblem } from './classify-problem.js'

/** A refusal, as it is compared with others. */
export interface Refusal {
  readonly family: ProviderFamily | undefined
  readonly status: number
  readonly contentType?: string | undefined
  /** As text. */
  readonly body: string
}

const LONGEST_MESSAGE = 2_000
const LONGEST_WORD = 24
/** Names of things that belong to one account or one request, whatever follows. */
const NAMED =
  /^(?:req|request|org|organi[sz]ation|proj|project|user|acct|account|team|workspace|trace|key|sk)[-_:].|@/
const QUOTED =
  /`[^`\n]{1,120}`|"[^"\n]{1,120}"|“[^”\n]{1,120}”|「[^」\n]{1,120}」|(?<![\p{L}\p{N}])'[^'\n]{1,120}'(?![\p{L}\p{N}])/gu

/**
 * What two refusals have in common when they say the same: family, status, code, type, and the message without what
 * differs from one request or account to the next (numbers, ids, addresses, what stands in quotation marks).
 */
export function refusalFingerprint({ family, status, contentType, body }: Refusal): string {
  const { codes, message } = readProblem(readContent(body, contentType, false))
  const parts = [
    family ?? 'openai',
    String(status),
    ...codes.map(withoutVariables),
    withoutVariables(message),
  ]
  return parts.join('\u0000')
}

function withoutVariables(text: string): string {
  return text
    .slice(0, LONGEST_MESSAGE)
    .toLowerCase()
    .replace(/https?:\/\/\S+/g, ' # ')
    .replace(QUOTED, ' # ')
    .replace(/[\w.:@/+=-]+/g, (word) => (isVariable(word) ? '#' : word))
    .replace(/\s+/g, ' ')
    .trim()
}

function isVariable(word: string): boolean {
  return /\d/.test(word) || NAMED.test(word) || word.length > LONGEST_WORD
}
