import type { Answer } from '../../src/entries/testing.js'
import type { Fields } from './fields.js'

/** What a model says: words, or a tool to use. */
export interface Saying {
  readonly text: string
  readonly tool?: { readonly name: string; readonly args: Fields }
  /** What the account signs its reasoning with; absent: it shows none. */
  readonly proof?: string
}

/** An answer of Anthropic's Messages API. */
export function anthropicTurn(body: Fields, { text, tool, proof }: Saying): Answer {
  const thinks = proof !== undefined && body.thinking !== undefined
  const thought = thinks ? [{ type: 'thinking', thinking: 'I run it.', signature: proof }] : []
  const block =
    tool === undefined
      ? { type: 'text', text }
      : { type: 'tool_use', id: id('toolu'), name: tool.name, input: tool.args }
  const reason = tool === undefined ? 'end_turn' : 'tool_use'
  const usage = { input_tokens: 10, output_tokens: 5 }
  const message = {
    id: id('msg'),
    type: 'message',
    role: 'assistant',
    model: body.model,
    stop_sequence: null,
  }
  if (body.stream !== true)
    return jsonAnswer({ ...message, content: [...thought, block], stop_reason: reason, usage })
  const opened = tool === undefined ? { type: 'text', text: '' } : { ...block, input: {} }
  const deltas =
    tool === undefined
      ? words(text).map((each) => ({ type: 'text_delta', text: each }))
      : [{ type: 'input_json_delta', partial_json: JSON.stringify(tool.args) }]
  return events([
    { type: 'message_start', message: { ...message, content: [], stop_reason: null, usage } },
    ...thought.flatMap(({ thinking, signature }) => [
      {
        type: 'content_block_start',
        index: 0,
        content_block: { type: 'thinking', thinking: '', signature: '' },
      },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking } },
      { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature } },
      { type: 'content_block_stop', index: 0 },
    ]),
    { type: 'content_block_start', index: thought.length, content_block: opened },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index: thought.length, delta })),
    { type: 'content_block_stop', index: thought.length },
    {
      type: 'message_delta',
      delta: { stop_reason: reason, stop_sequence: null },
      usage: { output_tokens: 5 },
    },
    { type: 'message_stop' },
  ])
}

/** An answer of OpenAI's Responses API. */
export function responsesTurn(body: Fields, { text, tool, proof }: Saying): Answer {
  const thought =
    proof === undefined ? [] : [{ id: id('rs'), type: 'reasoning', summary: [], encrypted_content: proof }]
  const content = [{ type: 'output_text', text, annotations: [] }]
  const called = tool && { name: tool.name, arguments: JSON.stringify(tool.args), call_id: id('call') }
  const item =
    called === undefined
      ? { id: id('msg'), type: 'message', role: 'assistant', status: 'completed', content }
      : { id: id('fc'), type: 'function_call', status: 'completed', ...called }
  const usage = {
    input_tokens: 10,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 5,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 15,
  }
  const begun = { id: id('resp'), object: 'response', created_at: 1, model: body.model, output: [] }
  const done = { ...begun, status: 'completed', output: [...thought, item], usage }
  if (body.stream !== true) return jsonAnswer(done)
  const output_index = thought.length
  const place = { item_id: item.id, output_index }
  const deltas =
    called === undefined
      ? words(text).map((delta) => ({
          type: 'response.output_text.delta',
          ...place,
          content_index: 0,
          delta,
        }))
      : [{ type: 'response.function_call_arguments.delta', ...place, delta: called.arguments }]
  const opened = { ...item, ...(called === undefined ? { content: [] } : { arguments: '' }) }
  const all = [
    { type: 'response.created', response: { ...begun, status: 'in_progress' } },
    ...thought.flatMap((each) => [
      { type: 'response.output_item.added', output_index: 0, item: { ...each, encrypted_content: '' } },
      { type: 'response.output_item.done', output_index: 0, item: each },
    ]),
    { type: 'response.output_item.added', output_index, item: { ...opened, status: 'in_progress' } },
    ...deltas,
    { type: 'response.output_item.done', output_index, item },
    { type: 'response.completed', response: done },
  ]
  return events(all.map((event, sequence) => ({ ...event, sequence_number: sequence })))
}

/** An answer of OpenAI's Chat Completions API. */
export function chatTurn(body: Fields, { text, tool }: Saying): Answer {
  const called = tool && { name: tool.name, arguments: JSON.stringify(tool.args) }
  const calls = called && {
    tool_calls: [{ index: 0, id: id('call'), type: 'function', function: called }],
  }
  const head = { id: id('chatcmpl'), created: 1, model: body.model }
  const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }
  const finish = calls === undefined ? 'stop' : 'tool_calls'
  if (body.stream !== true) {
    const message = { role: 'assistant', content: calls === undefined ? text : null, ...calls }
    const choices = [{ index: 0, message, finish_reason: finish }]
    return jsonAnswer({ ...head, object: 'chat.completion', choices, usage })
  }
  const chunk = (choices: readonly Fields[]): Fields => ({
    ...head,
    object: 'chat.completion.chunk',
    choices,
  })
  const deltas: Fields[] = calls === undefined ? words(text).map((content) => ({ content })) : [calls]
  const spoken = [{ role: 'assistant', content: '' }, ...deltas]
  const all = [
    ...spoken.map((delta) => chunk([{ index: 0, delta, finish_reason: null }])),
    chunk([{ index: 0, delta: {}, finish_reason: finish }]),
    { ...chunk([]), usage },
  ]
  return stream([...all.map(data), 'data: [DONE]\n\n'])
}

/** An answer of Gemini's `generateContent` or `streamGenerateContent`, as the path says. */
export function geminiTurn(path: string, { text, tool, proof }: Saying): Answer {
  const parts: Fields[] =
    tool === undefined
      ? words(text).map((each) => ({ text: each }))
      : [
          {
            functionCall: { name: tool.name, args: tool.args },
            ...(proof === undefined ? {} : { thoughtSignature: proof }),
          },
        ]
  const chunk = (each: readonly Fields[], last: boolean): Fields => ({
    candidates: [
      { content: { role: 'model', parts: each }, index: 0, ...(last ? { finishReason: 'STOP' } : {}) },
    ],
    usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 },
  })
  if (!path.endsWith(':streamGenerateContent')) return jsonAnswer(chunk(parts, true))
  return stream(parts.map((part, index) => data(chunk([part], index === parts.length - 1))))
}

/** How each dialect refuses what another account has signed. */
export function refusedProof(path: string): Answer {
  const message = 'The encrypted content could not be verified.'
  if (path.endsWith('/messages')) {
    const error = { type: 'invalid_request_error', message: 'Invalid `signature` in `thinking` block' }
    return { ...jsonAnswer({ type: 'error', error }), status: 400 }
  }
  if (path.includes('/models/')) {
    const error = { code: 400, message: 'Thought signature is not valid.', status: 'INVALID_ARGUMENT' }
    return { ...jsonAnswer({ error }), status: 400 }
  }
  const error = { message, type: 'invalid_request_error', param: null, code: 'invalid_encrypted_content' }
  return { ...jsonAnswer({ error }), status: 400 }
}

/** A body in JSON. */
export function jsonAnswer(value: unknown): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    pieces: [JSON.stringify(value)],
  }
}

function stream(pieces: readonly string[]): Answer {
  return { status: 200, headers: { 'content-type': 'text/event-stream' }, pieces }
}

function events(all: readonly Fields[]): Answer {
  return stream(all.map((each) => `event: ${String(each.type)}\n${data(each)}`))
}

function data(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`
}

function words(text: string): string[] {
  return text.split(/(?=\s)/)
}

let made = 0
function id(kind: string): string {
  made += 1
  return `${kind}_${made}`
}
