import type { Answer, RecordedRequest, Reply } from '../../src/entries/testing.js'
import {
  anthropicTurn,
  chatTurn,
  geminiTurn,
  jsonAnswer,
  refusedProof,
  responsesTurn,
  type Saying,
} from './dialects.js'
import { asList, asObject, type Fields } from './fields.js'

interface Tool {
  readonly name: string
  /** A JSON schema of its arguments. */
  readonly schema: Fields
}

/** Tools by which agents run a command, whoever they come from. */
const SHELLS = [
  'Bash',
  'bash',
  'shell',
  'exec_command',
  'shell_command',
  'run_shell_command',
  'run_commands',
  'execute_command',
  'exec',
]
/** What a run ends with. */
export const LAST_WORDS = 'The scripted provider says PONG.'

/**
 * A provider that has an agent run `count` commands, one after the other, and then says the last words: in
 * the dialect that the request's path calls for, streamed where it asks for that. Like a provider it knows
 * its own paths alone.
 *
 * @param signs each account signs its reasoning, and refuses what another one has signed
 */
export function turns(count: number, signs = false): Reply {
  return { answer: (request) => answer(request, count, signs) }
}

/** What an account signs with: base64, as of real ones, that names it. */
function proofOf({ credential = '' }: RecordedRequest): string {
  return Buffer.from(`${SIGNED_BY}${credential.padEnd(60, '.')}`).toString('base64')
}

const SIGNED_BY = 'reasoning of '

/** Whether a request carries something that another account has signed. */
function carriesForeign(request: RecordedRequest): boolean {
  const mark = Buffer.from(SIGNED_BY.slice(0, 12)).toString('base64')
  const proofs = request.text.split('"').filter((each) => each.startsWith(mark))
  return proofs.some((each) => each !== proofOf(request))
}

/** Whether a request asks a model for an answer. */
export function asksModel({ path }: RecordedRequest): boolean {
  return MODEL_PATH.test(path)
}

const MODEL_PATH =
  /^\/anthropic\/v1\/messages$|^\/(?:openai|qwen)\/v1\/(?:responses|chat\/completions)$|^\/gemini\/v1(?:beta|alpha)?\/models\/[^/]+:(?:streamG|g)enerateContent$/

function answer(request: RecordedRequest, count: number, signs: boolean): Answer {
  const { path } = request
  const body = asObject(request.json)
  if (path.endsWith('/v1/messages/count_tokens')) return jsonAnswer({ input_tokens: 1_000 })
  if (path.endsWith(':countTokens')) return jsonAnswer({ totalTokens: 1_000 })
  if (/\/v1(?:beta)?\/models$/.test(path)) return jsonAnswer({ object: 'list', data: [], models: [] })
  if (!asksModel(request)) return { ...jsonAnswer({ error: { message: 'no such path' } }), status: 404 }
  if (signs && carriesForeign(request)) return refusedProof(path)
  const saying = { ...nextTurn(body, count), ...(signs ? { proof: proofOf(request) } : {}) }
  if (path.endsWith('/messages')) return anthropicTurn(body, saying)
  if (path.endsWith('/responses')) return responsesTurn(body, saying)
  if (path.endsWith('/chat/completions')) return chatTurn(body, saying)
  return geminiTurn(path, saying)
}

function nextTurn(body: Fields, count: number): Saying {
  const config = asObject(body.generationConfig)
  const wanted = config.responseJsonSchema ?? config.responseSchema
  // Agents ask models on the side who speaks next, or which model to use, and want JSON.
  if (wanted !== undefined) return { text: JSON.stringify(filled(wanted)) }
  const tools = toolsOf(body)
  const tool = SHELLS.map((name) => tools.find((each) => each.name === name)).find(Boolean)
  const done = resultsIn(body)
  if (tool === undefined || done >= count) return { text: LAST_WORDS }
  return { text: '', tool: { name: tool.name, args: argumentsFor(tool, `echo turn-${done + 1}`) } }
}

function toolsOf(body: Fields): Tool[] {
  return asList(body.tools).flatMap((each) => {
    const entry = asObject(each)
    const declared = asList(entry.functionDeclarations)
    return (declared.length > 0 ? declared : [entry.function ?? entry]).map((tool) => {
      const { name, input_schema, parametersJsonSchema, parameters } = asObject(tool)
      return {
        name: String(name),
        schema: asObject(input_schema ?? parametersJsonSchema ?? parameters),
      }
    })
  })
}

/** How many results of tools a conversation holds. */
function resultsIn(body: Fields): number {
  const parts = [
    ...asList(body.messages).flatMap((each) => {
      const message = asObject(each)
      return message.role === 'tool' ? [{ type: 'tool_result' }] : asList(message.content)
    }),
    ...asList(body.input),
    ...asList(body.contents).flatMap((each) => asList(asObject(each).parts)),
  ]
  const isResult = (each: unknown): boolean => {
    const part = asObject(each)
    return /^tool_result$|_call_output$/.test(String(part.type)) || part.functionResponse !== undefined
  }
  return parts.filter(isResult).length
}

/** Arguments for a tool that runs a command, whatever it calls them. */
function argumentsFor({ schema }: Tool, command: string): Fields {
  const properties = asObject(schema.properties)
  const name = ['command', 'cmd', 'commands', 'input'].find((each) => each in properties) ?? 'command'
  const isList = asObject(properties[name]).type === 'array'
  const list = name === 'commands' ? [command] : ['bash', '-c', command]
  const given: Fields = { [name]: isList ? list : command }
  for (const each of asList(schema.required).map(String)) given[each] ??= something(properties[each])
  return given
}

function filled(schema: unknown): Fields {
  const properties = Object.entries(asObject(asObject(schema).properties))
  return Object.fromEntries(properties.map(([name, each]) => [name, something(each)]))
}

/** Any value that a schema allows. */
function something(schema: unknown): unknown {
  const { type, enum: choices } = asObject(schema)
  const kind = String(type).toLowerCase()
  return asList(choices).at(-1) ?? (kind === 'boolean' ? false : /int|number/.test(kind) ? 5_000 : 'text')
}
