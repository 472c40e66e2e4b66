import { anthropicMessage, anthropicModels, anthropicStream } from './dialects/anthropic.js'
import { cohereChat, cohereModels, cohereStream } from './dialects/cohere.js'
import { geminiChunks, geminiContent, geminiModels, geminiStream } from './dialects/gemini.js'
import { chatCompletion, chatStream, modelList } from './dialects/openai-chat.js'
import { openaiResponse, openaiResponseStream } from './dialects/openai-responses.js'
import type { Speech, SpeechStream } from './dialects/speech.js'
import { modelNotFound } from './failures.js'
import { jsonAnswer, streamAnswer } from './reply.js'
import { bodyField, requestedModel } from './request.js'
import type { Answer, RecordedRequest, Reply, UpstreamProvider } from './types.js'

/** What a successful answer says. */
export interface OkOptions {
  /** The text: a string is streamed word by word, a list part by part. Default `Hello from keymux.` */
  readonly text?: string | readonly string[]
  /** The model that answers; the one the request names by default. */
  readonly model?: string
  /** What model lists hold. */
  readonly models?: readonly string[]
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>
}

/** What a path asks for. */
type Operation =
  | 'chat'
  | 'responses'
  | 'messages'
  | 'content'
  | 'content_stream'
  | 'cohere_chat'
  | 'models'
  | 'check'

const OPERATIONS: readonly (readonly [RegExp, Operation])[] = [
  [/\/(chat\/completions|text\/chatcompletion_v2)$/, 'chat'],
  [/\/responses$/, 'responses'],
  [/\/messages$/, 'messages'],
  [/:generateContent$/, 'content'],
  [/:streamGenerateContent$/, 'content_stream'],
  [/\/v2\/chat$/, 'cohere_chat'],
  [/\/models$/, 'models'],
  [/\/(key|check-api-key)$/, 'check'],
]

const MODELS: Readonly<Record<UpstreamProvider, readonly string[]>> = {
  openai: ['gpt-4o', 'gpt-4o-mini'],
  anthropic: ['claude-sonnet-4-5', 'claude-haiku-4-5'],
  gemini: ['gemini-2.5-pro', 'gemini-2.5-flash'],
  groq: ['llama-3.3-70b-versatile', 'llama-3.1-8b-instant'],
  mistral: ['mistral-large-latest', 'mistral-small-latest'],
  cohere: ['command-a-03-2025', 'command-r7b-12-2024'],
  xai: ['grok-4', 'grok-3-mini'],
  deepseek: ['deepseek-chat', 'deepseek-reasoner'],
  qwen: ['qwen-max', 'qwen-turbo'],
  minimax: ['MiniMax-M1', 'MiniMax-Text-01'],
  openrouter: ['openai/gpt-4o', 'anthropic/claude-sonnet-4.5'],
}

/**
 * The success that a request asks for, in the shape its path and provider call for: chat completions,
 * responses, messages, `generateContent` (each plain or streamed), model lists and key checks. Any other
 * path is answered as an unknown model would be.
 */
export function ok(options: OkOptions = {}): Reply {
  return { answer: (request) => successAnswer(request, options) }
}

/** The events with which a request's streamed success would be answered. */
export function successStream(request: RecordedRequest, options: OkOptions = {}): SpeechStream {
  const speech = speechFor(request, options)
  switch (operationOf(request)) {
    case 'responses':
      return openaiResponseStream(speech)
    case 'messages':
      return anthropicStream(speech)
    case 'content':
    case 'content_stream':
      return geminiStream(speech)
    case 'cohere_chat':
      return cohereStream(speech)
    default:
      return chatStream(speech, wantsUsage(request))
  }
}

/** Whether a request goes to OpenAI's Responses API, whose streams carry errors in a shape of their own. */
export function isResponsesRequest(request: RecordedRequest): boolean {
  return operationOf(request) === 'responses'
}

function successAnswer(request: RecordedRequest, options: OkOptions): Answer {
  const { headers } = options
  const operation = operationOf(request)
  if (operation === undefined) return modelNotFound().answer(request)
  if (operation === 'models') return jsonAnswer(200, models(request, options), headers)
  if (operation === 'check') return jsonAnswer(200, keyCheck(request), headers)
  if (operation === 'content_stream' && request.query.get('alt') !== 'sse') {
    return jsonAnswer(200, geminiChunks(speechFor(request, options)), headers)
  }
  if (operation === 'content_stream' || bodyField(request, 'stream') === true) {
    const { opening, deltas, closing } = successStream(request, options)
    return streamAnswer([...opening, ...deltas, ...closing], headers)
  }
  return jsonAnswer(200, plainBody(operation, request, speechFor(request, options)), headers)
}

function plainBody(operation: Operation, request: RecordedRequest, speech: Speech): object {
  switch (operation) {
    case 'responses':
      return openaiResponse(speech)
    case 'messages':
      return anthropicMessage(speech)
    case 'content':
      return geminiContent(speech)
    case 'cohere_chat':
      return cohereChat(speech)
    default:
      return {
        ...chatCompletion(speech),
        ...(request.provider === 'minimax' ? { base_resp: { status_code: 0, status_msg: 'success' } } : {}),
      }
  }
}

function models(request: RecordedRequest, options: OkOptions): object {
  const { provider } = request
  const names = options.models ?? MODELS[provider]
  if (provider === 'anthropic') return anthropicModels(names, request.receivedAt)
  if (provider === 'gemini') return geminiModels(names)
  if (provider === 'cohere') return cohereModels(names)
  return modelList(names, provider, request.receivedAt)
}

function keyCheck({ provider, path }: RecordedRequest): object {
  if (path.endsWith('/check-api-key'))
    return { valid: true, organization_id: 'organization', owner_id: 'owner' }
  return {
    data: {
      label: provider,
      usage: 0,
      limit: null,
      limit_remaining: null,
      is_free_tier: false,
      rate_limit: {},
    },
  }
}

function speechFor(request: RecordedRequest, { text = 'Hello from keymux.', model }: OkOptions): Speech {
  const texts = typeof text === 'string' ? text.split(/(?=\s)/) : text
  return {
    index: request.index,
    at: request.receivedAt,
    model: model ?? requestedModel(request) ?? MODELS[request.provider][0] ?? 'model',
    texts: texts.length === 0 ? [''] : texts,
  }
}

function operationOf({ path }: RecordedRequest): Operation | undefined {
  return OPERATIONS.find(([pattern]) => pattern.test(path))?.[1]
}

function wantsUsage(request: RecordedRequest): boolean {
  const options = bodyField(request, 'stream_options')
  return typeof options === 'object' && options !== null && Reflect.get(options, 'include_usage') === true
}
