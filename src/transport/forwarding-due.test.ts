import { describe, expect, test } from 'vitest'
import { openForwarding, readBody } from '../../test/support/forwarding.js'
import type { ForwardRequest } from '../domain/forwarding.js'
import { ok, type Reply } from '../entries/testing.js'

function reply(body: string, type: string | undefined, status = 200): Reply {
  const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
  return { answer: () => ({ status, headers, pieces: [body] }) }
}

const PAGE = '<!DOCTYPE html><html><head><title>Sign in to the hotel network</title></head></html>'
const CHAT =
  '{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'
const RESPONSES: Partial<ForwardRequest> = {
  path: '/responses',
  body: { bytes: Buffer.from('{"model":"gpt-5","input":"hi","stream":true}') },
}
const completed = (fields: object): string =>
  `event: response.completed\ndata: ${JSON.stringify({ type: 'response.completed', response: { object: 'response', status: 'completed', ...fields } })}\n\n`

describe('an answer that is none', () => {
  test.each<[string, Reply, Partial<ForwardRequest>]>([
    ['a web page', reply(PAGE, 'text/html'), {}],
    ['a web page that claims to be JSON', reply(PAGE, 'application/json'), {}],
    ['a web page that claims to be events', reply(PAGE, 'text/event-stream'), {}],
    ['a text', reply('please try later', 'text/plain'), {}],
    ['an empty body', reply('', 'application/json'), {}],
    ['white space', reply('  \n\t ', 'application/json'), {}],
    ['an empty body of no kind', reply('', undefined), {}],
    ['a stream of nothing', reply('data: [DONE]\n\n', 'text/event-stream'), {}],
    [
      'a stream of a role',
      reply('data: {"choices":[{"delta":{"role":"assistant"}}]}\n\ndata: [DONE]\n\n', 'text/event-stream'),
      {},
    ],
    [
      'a response without an output',
      reply(completed({ output: [], usage: null }), 'text/event-stream'),
      RESPONSES,
    ],
    [
      'the same as JSON',
      reply('{"object":"response","status":"completed","output":[]}', 'application/json'),
      RESPONSES,
    ],
    [
      'a choice with an error',
      reply(
        '{"choices":[{"index":0,"error":{"code":502,"message":"Upstream error"},"finish_reason":"error"}]}',
        'application/json',
      ),
      {},
    ],
    [
      'a choice that finished with an error',
      reply('{"choices":[{"finish_reason":"error"}]}', 'application/json'),
      {},
    ],
    ['no success', reply('{"success":false,"result":null}', 'application/json'), {}],
    [
      'an error labelled as events',
      reply('{"error":{"message":"boom","type":"server_error"}}', 'text/event-stream'),
      {},
    ],
    [
      'events labelled as JSON that fail',
      reply('data: {"error":{"message":"Overloaded","type":"overloaded_error"}}\n\n', 'application/json'),
      {},
    ],
  ])('fails over, and says nothing good of its account: %s', async (_name, script, request) => {
    await using lab = await openForwarding({ scripts: { 'key-a': script } })
    await lab.addAll('a', 'b')
    const answer = await lab.forward(request)
    expect(answer).toMatchObject({ kind: 'provider', status: 200, profileId: 'openai:b' })
    await readBody(answer)
    const view = await lab.handle.profiles.view('openai:a')
    expect(view.lastGood).toBe(false)
    expect(view.errorCount).toBeGreaterThan(0)
  })

  test('lifts no disable', async () => {
    await using lab = await openForwarding({ script: reply(PAGE, 'text/html') })
    await lab.add('a')
    await lab.handle.profiles.markFailure('openai:a', 'billing')
    lab.handle.clock.advance(11 * 60_000)
    expect(await lab.forward()).toMatchObject({ kind: 'refused', status: 502 })
    expect(await lab.handle.profiles.view('openai:a')).toMatchObject({ state: 'disabled' })
  })
})

describe('an answer that is one', () => {
  test.each<[string, string, string | undefined, Partial<ForwardRequest>]>([
    ['JSON labelled as text', CHAT, 'text/plain', {}],
    ['JSON labelled as events', CHAT, 'text/event-stream', {}],
    ['JSON behind a byte order mark', `\ufeff ${CHAT}`, 'application/json', {}],
    ['JSON behind white space', `\n\n   ${CHAT}`, 'application/json', {}],
    [
      'events labelled as JSON',
      'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n',
      'application/json',
      {},
    ],
    [
      'a stream that opens with a comment',
      ': hi\n\ndata: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n',
      'text/event-stream',
      {},
    ],
    [
      'an answer that was refused',
      '{"choices":[{"index":0,"message":{"refusal":"I cannot"},"finish_reason":"content_filter"}]}',
      'application/json',
      {},
    ],
    [
      'an empty text that ran out of room',
      '{"content":[],"stop_reason":"max_tokens"}',
      'application/json',
      {},
    ],
    [
      'a response with an account of nothing',
      completed({ output: [], usage: { total_tokens: 1 } }),
      'text/event-stream',
      RESPONSES,
    ],
    [
      'a response that was not to be generated',
      completed({ output: [] }),
      'text/event-stream',
      { ...RESPONSES, body: { bytes: Buffer.from('{"model":"gpt-5","generate":false}') } },
    ],
    [
      'a page on a path that nobody knows',
      PAGE,
      'text/html',
      { path: '/docs', method: 'GET', body: undefined },
    ],
    ['nothing on a path that nobody knows', '', 'application/json', { path: '/things' }],
  ])('is passed on as it is: %s', async (_name, body, type, request) => {
    await using lab = await openForwarding({ script: reply(body, type) })
    await lab.addAll('a', 'b')
    const answer = await lab.forward(request)
    expect(answer).toMatchObject({ kind: 'provider', profileId: 'openai:a', attempts: 1 })
    expect((await readBody(answer)).toString()).toBe(Buffer.from(body).toString())
  })

  test('is read in whatever pieces it comes', async () => {
    for (const body of [
      CHAT,
      `  ${CHAT}`,
      'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n',
    ]) {
      const pieces: Reply = {
        answer: () => ({
          status: 200,
          headers: { 'content-type': 'text/plain' },
          pieces: [...body],
          gapMs: 0,
        }),
      }
      await using lab = await openForwarding({ scripts: { 'key-a': pieces }, script: ok() })
      await lab.addAll('a', 'b')
      const answer = await lab.forward()
      expect(answer.profileId).toBe('openai:a')
      expect((await readBody(answer)).toString()).toBe(body)
    }
  })
})
