import { describe, expect, test } from 'vitest'
import { carriesContent } from './event-content.js'

function carries(data: unknown, event = ''): boolean {
  return carriesContent({ event, data: typeof data === 'string' ? data : JSON.stringify(data) })
}

describe('no content yet', () => {
  test.each([
    ['a ping', 'x', 'ping'],
    ['a typed ping', { type: 'ping' }],
    ['nothing', '  '],
    ['a role', { choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] }],
    [
      'empty reasoning',
      { choices: [{ delta: { role: 'assistant', content: null, reasoning_content: '', tool_calls: [] } }] },
    ],
    ['filter results of Azure', { choices: [], prompt_filter_results: [{}] }],
    ['an old completion without text', { choices: [{ text: '', finish_reason: null }] }],
    ['a begun message', { type: 'message_start', message: { content: [] } }, 'message_start'],
    ['an empty block', { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }],
    [
      'an empty thought',
      {
        type: 'content_block_start',
        index: 0,
        content_block: { type: 'thinking', thinking: '', signature: '' },
      },
    ],
    ['an empty delta', { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: '' } }],
    ['a created response', { type: 'response.created', response: { output: [], error: null } }],
    ['a response in progress', { type: 'response.in_progress', response: {} }],
    ['an added item', { type: 'response.output_item.added', item: { type: 'message', content: [] } }],
    ['an added part', { type: 'response.content_part.added', part: { type: 'output_text', text: '' } }],
    ["Cohere's openings", { type: 'message-start', delta: {} }],
    ["Gemini's accounts", { usageMetadata: { promptTokenCount: 3 }, modelVersion: 'm' }],
    ['a candidate without parts', { candidates: [{ content: { role: 'model' }, index: 0 }] }],
    ['a candidate with an empty text', { candidates: [{ content: { parts: [{ text: '' }] } }] }],
  ])('%s', (_name, data, event = '') => {
    expect(carries(data, event)).toBe(false)
  })
})

describe('content', () => {
  test.each([
    ['the end', '[DONE]'],
    ['a text', { choices: [{ delta: { content: 'a' } }] }],
    ['a space', { choices: [{ delta: { content: ' ' } }] }],
    ['reasoning', { choices: [{ delta: { role: 'assistant', content: '', reasoning: 'hm' } }] }],
    ['a tool call', { choices: [{ delta: { tool_calls: [{ index: 0 }] } }] }],
    ['a reason to finish', { choices: [{ delta: {}, finish_reason: 'stop' }] }],
    ['an old completion', { choices: [{ text: 'a' }] }],
    [
      'a block that is whole',
      { type: 'content_block_start', content_block: { type: 'tool_use', id: 'x', name: 'f', input: {} } },
    ],
    ['a delta', { type: 'content_block_delta', delta: { type: 'text_delta', text: 'a' } }],
    ['a thought', { type: 'content_block_delta', delta: { type: 'thinking_delta', thinking: 'a' } }],
    ['the end of a block', { type: 'content_block_stop', index: 0 }],
    ['a text delta', { type: 'response.output_text.delta', delta: 'a' }],
    ['a candidate', { candidates: [{ content: { parts: [{ text: 'a' }] } }] }],
    ['a call', { candidates: [{ content: { parts: [{ functionCall: { name: 'f' } }] } }] }],
    ['a candidate that ends', { candidates: [{ finishReason: 'SAFETY' }] }],
    ['a blocked prompt', { promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: {} }],
    ['anything else', { hello: 1 }],
    ['a number', '5'],
    ['a text of no known kind', 'hello'],
    ['broken JSON', '{"choices":[{"delta":{"content":""'],
  ])('%s', (_name, data) => {
    expect(carries(data)).toBe(true)
  })
})
