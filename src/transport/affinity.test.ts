import { describe, expect, test } from 'vitest'
import {
  type ForwardingLab,
  type LabOptions,
  openForwarding,
  readBody,
  until,
} from '../../test/support/forwarding.js'
import type { Answer, ForwardRequest } from '../domain/forwarding.js'
import {
  badKey,
  ok,
  type RecordedRequest,
  type Reply,
  rateLimited,
  stall,
  truncated,
} from '../entries/testing.js'
import { createMemoryStore } from '../storage/memory/index.js'

/** An answer in JSON. */
function json(body: object, status = 200): Reply {
  return {
    answer: () => ({
      status,
      headers: { 'content-type': 'application/json' },
      pieces: [JSON.stringify(body)],
    }),
  }
}

/** A request with this body, in somebody's session. */
function turn(body: object, session?: string): Partial<ForwardRequest> {
  return {
    body: { bytes: Buffer.from(JSON.stringify({ model: 'gpt-4o', ...body })) },
    ...(session === undefined
      ? {}
      : { headers: ['content-type', 'application/json', 'x-session-id', session] }),
  }
}

async function who(answer: Promise<Answer> | Answer): Promise<string | number> {
  const { profileId, status, body } = await answer
  if (body.whole() === undefined) await readBody({ ...(await answer) })
  return profileId?.split(':')[1] ?? status
}

const HELLO = { messages: [{ role: 'user', content: 'hello' }] }
const MINUTE = 60_000

/** Two accounts that come one after the other with each request: what keeps a conversation is not the order. */
async function lab(options: LabOptions = {}, names: readonly string[] = ['a', 'b']): Promise<ForwardingLab> {
  const opened = await openForwarding(options)
  for (const name of names) await opened.add(name)
  return opened
}

/** Lets the other account be the one that comes first. */
async function favour(lab: ForwardingLab, name: string): Promise<void> {
  await lab.handle.profiles.markSuccess(`openai:${name}`)
}

describe('a conversation', () => {
  test.each([
    ['a session of its program', HELLO, 'one'],
    ['its prompt cache', { ...HELLO, prompt_cache_key: 'cache-1' }, undefined],
    ['its user', { ...HELLO, metadata: { user_id: 'me' } }, undefined],
    ['how it began', HELLO, undefined],
  ])('known by %s stays where it was', async (_by, body, session) => {
    await using forwarding = await lab()
    await favour(forwarding, 'a')
    expect(await who(forwarding.forward(turn(body, session)))).toBe('a')
    await favour(forwarding, 'b')
    expect(
      await who(forwarding.forward(turn({ messages: [{ role: 'user', content: 'another' }] }, 'two'))),
    ).toBe('b')
    const next = { ...body, messages: [...HELLO.messages, { role: 'assistant', content: 'hi' }] }
    expect(await who(forwarding.forward(turn(next, session)))).toBe('a')
  })

  test('in which nothing was said is none', async () => {
    await using forwarding = await lab()
    for (const name of ['a', 'b', 'a']) {
      await favour(forwarding, name)
      expect(await who(forwarding.forward(turn({ messages: [], system: '' })))).toBe(name)
    }
  })

  test('is told apart by what was said first, not by marks beside it', async () => {
    await using forwarding = await lab()
    const said = (marks: object, ...more: object[]): object => ({
      system: [{ type: 'text', text: 'Be brief.', ...marks }],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hello', ...marks }] }, ...more],
    })
    await favour(forwarding, 'a')
    await who(forwarding.forward(turn(said({ cache_control: { type: 'ephemeral' } }))))
    await favour(forwarding, 'b')
    expect(await who(forwarding.forward(turn(said({}, { role: 'assistant', content: 'hi' }))))).toBe('a')
  })

  test('moves when its account fails, and stays there while that one works', async () => {
    await using forwarding = await lab({
      scripts: { 'key-a': [ok(), rateLimited({ retryAfter: 30 }), ok()] },
    })
    await favour(forwarding, 'a')
    const ask = (): Promise<string | number> => who(forwarding.forward(turn(HELLO, 'one')))
    expect([await ask(), await ask()]).toEqual(['a', 'b'])
    forwarding.handle.clock.advance(31_000)
    await favour(forwarding, 'a')
    expect(await ask()).toBe('b')
  })

  test('goes back to an account of higher priority', async () => {
    await using forwarding = await openForwarding({
      scripts: { 'key-a': [ok(), rateLimited({ retryAfter: 30 }), ok()] },
    })
    await forwarding.addAll('a', 'b')
    const ask = (): Promise<string | number> => who(forwarding.forward(turn(HELLO, 'one')))
    expect([await ask(), await ask()]).toEqual(['a', 'b'])
    forwarding.handle.clock.advance(31_000)
    expect(await ask()).toBe('a')
  })

  test('is forgotten an hour after its last use', async () => {
    await using forwarding = await lab()
    await favour(forwarding, 'a')
    const ask = (): Promise<string | number> => who(forwarding.forward(turn(HELLO, 'one')))
    await ask()
    await favour(forwarding, 'b')
    forwarding.handle.clock.advance(55 * MINUTE)
    expect(await ask()).toBe('a')
    await favour(forwarding, 'b')
    forwarding.handle.clock.advance(61 * MINUTE)
    expect(await ask()).toBe('b')
  })

  test('is known in other processes and after a restart', async () => {
    const memory = createMemoryStore()
    await using here = await lab({ store: memory.connect() })
    await using there = await openForwarding({ store: memory.connect() })
    await favour(here, 'a')
    for (let count = 0; count < 2; count += 1) await who(here.forward(turn(HELLO, 'one')))
    await favour(here, 'b')
    await here.handle.profiles.flush()
    there.handle.clock.advance(100)
    expect(await who(there.forward(turn(HELLO, 'two')))).toBe('b')
    expect(await who(there.forward(turn(HELLO, 'one')))).toBe('a')
  })

  test('follows its account under another name, and none that takes its name', async () => {
    await using forwarding = await lab()
    await favour(forwarding, 'a')
    await who(forwarding.forward(turn(HELLO, 'one')))
    await who(forwarding.forward(turn(HELLO, 'one')))
    await forwarding.handle.profiles.rename('openai:a', 'z')
    await forwarding.add('a')
    await favour(forwarding, 'b')
    expect(await who(forwarding.forward(turn(HELLO, 'one')))).toBe('z')
    await forwarding.handle.profiles.delete('openai:z')
    expect(await who(forwarding.forward(turn(HELLO, 'one')))).toBe('b')
  })

  test('a profile that is named goes first', async () => {
    await using forwarding = await lab()
    await favour(forwarding, 'a')
    await who(forwarding.forward(turn(HELLO, 'one')))
    const named = { ...turn(HELLO, 'one'), stages: [{ provider: 'openai', profile: 'b' }] }
    expect(await who(forwarding.forward(named))).toBe('b')
  })

  test('whose answer broke off meets the other account', async () => {
    await using forwarding = await lab({ scripts: { 'key-a': [ok(), truncated(), ok()] } })
    await favour(forwarding, 'a')
    const ask = (): Promise<Answer> => forwarding.forward(turn({ ...HELLO, stream: true }, 'one'))
    expect(await who(ask())).toBe('a')
    await expect(readBody(await ask())).rejects.toThrow()
    expect(await who(ask())).toBe('b')
  })
})

describe('an object of one account', () => {
  const created = json({ id: 'file-abc123', object: 'file' })

  test.each<[string, Partial<ForwardRequest>, Reply, Partial<ForwardRequest>]>([
    [
      'a file in a path',
      { path: '/files' },
      created,
      { method: 'GET', path: '/files/file-abc123/content', body: undefined },
    ],
    [
      'a file in a message',
      { path: '/files' },
      created,
      turn({ input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'file-abc123' }] }] }),
    ],
    [
      'the result of a batch',
      { method: 'GET', path: '/batches/batch_1234', body: undefined },
      json({ id: 'batch_1234', output_file_id: 'file-out99' }),
      { method: 'GET', path: '/files/file-out99/content', body: undefined },
    ],
    [
      'a stored response',
      { path: '/responses', ...turn({ input: 'hello' }) },
      json({
        id: 'resp_0001',
        object: 'response',
        output: [],
        status: 'completed',
        usage: { total_tokens: 3 },
      }),
      { path: '/responses', ...turn({ previous_response_id: 'resp_0001', input: 'go on' }) },
    ],
    [
      'a list of vector stores',
      { path: '/vector_stores' },
      json({ id: 'vs_0001' }),
      {
        path: '/responses',
        ...turn({ input: 'x', tools: [{ type: 'file_search', vector_store_ids: ['vs_0001'] }] }),
      },
    ],
    [
      'a call',
      { path: '/realtime/calls' },
      {
        answer: () => ({
          status: 201,
          headers: { 'content-type': 'application/sdp', location: '/v1/realtime/calls/rtc_u1_9abc' },
          pieces: ['v=0'],
        }),
      },
      { method: 'POST', path: '/realtime/calls/rtc_u1_9abc/hangup', body: undefined },
    ],
    [
      'a call that a session joins',
      { path: '/realtime/calls' },
      {
        answer: () => ({
          status: 201,
          headers: { location: '/v1/realtime/calls/rtc_u1_9abc' },
          pieces: ['v=0'],
        }),
      },
      { method: 'GET', path: '/realtime?call_id=rtc_u1_9abc', body: undefined },
    ],
    [
      'a conversation',
      { path: '/conversations' },
      json({ id: 'conv_0001' }),
      { path: '/responses', ...turn({ input: 'x', conversation: { id: 'conv_0001' } }) },
    ],
  ])('is asked of that account alone: %s', async (_name, making, made, naming) => {
    await using forwarding = await lab({ scripts: { 'key-a': made } })
    await favour(forwarding, 'a')
    expect(await who(forwarding.forward(making))).toBe('a')
    await favour(forwarding, 'b')
    expect(await who(forwarding.forward({ ...turn(HELLO), ...naming }))).toBe('a')
    forwarding.upstream.respond(rateLimited({ retryAfter: 40 }), 'key-a')
    const refused = await forwarding.forward({ ...turn(HELLO), ...naming })
    expect(refused).toMatchObject({ kind: 'refused', status: 429 })
    expect(refused.headers.join()).toMatch(/retry-after,(?:39|40)/)
    expect(forwarding.credentials()).not.toContain('key-b')
  })

  test('Gemini names it by a path or a URL', async () => {
    await using forwarding = await openForwarding()
    for (const name of ['a', 'b']) {
      await forwarding.add(name, { provider: 'gemini', baseUrl: `${forwarding.upstream.url}/gemini` })
    }
    const stages = [{ provider: 'gemini' }]
    forwarding.upstream.respond(
      json({ file: { name: 'files/abc-1234', uri: 'https://x/v1beta/files/abc-1234' } }),
      'key-a',
    )
    await forwarding.handle.profiles.markSuccess('gemini:a')
    expect(await who(forwarding.forward({ path: '/upload/v1beta/files', stages }))).toBe('a')
    await forwarding.handle.profiles.markSuccess('gemini:b')
    const body = {
      contents: [{ role: 'user', parts: [{ fileData: { fileUri: 'https://x/v1beta/files/abc-1234' } }] }],
    }
    const path = '/v1beta/models/gemini-2.5-pro:generateContent'
    expect(await who(forwarding.forward({ ...turn(body), path, stages }))).toBe('a')
  })

  test('may be asked of the other keys of that account', async () => {
    await using forwarding = await openForwarding({ scripts: { 'key-a': [created, badKey()] } })
    await forwarding.add('a', { account: 'org-1' })
    await forwarding.add('b', { account: 'org-2' })
    await forwarding.add('c', { account: 'org-1' })
    await favour(forwarding, 'a')
    await who(forwarding.forward({ path: '/files' }))
    await favour(forwarding, 'b')
    const fetched = { method: 'GET', path: '/files/file-abc123', body: undefined }
    expect(await who(forwarding.forward(fetched))).toBe('c')
  })

  test('is known in other processes at once', async () => {
    const memory = createMemoryStore()
    await using here = await lab({ store: memory.connect(), scripts: { 'key-a': created } })
    await using there = await openForwarding({ store: memory.connect() })
    await favour(here, 'a')
    await who(here.forward({ path: '/files' }))
    await favour(here, 'b')
    await until(async () => {
      there.handle.clock.advance(100)
      await there.handle.profiles.list()
      return there.handle.profiles.affinity?.hasOwners === true
    })
    expect(await who(there.forward({ method: 'GET', path: '/files/file-abc123', body: undefined }))).toBe('a')
  })

  test('is nobody’s who merely names it, of this provider or another one', async () => {
    await using forwarding = await lab({
      scripts: { 'key-a': created, 'key-b': json({ id: 'batch_77', output_file_id: 'file-abc123' }) },
    })
    await forwarding.add('evil', { provider: 'groq' })
    await favour(forwarding, 'a')
    await who(forwarding.forward({ path: '/files' }))
    await favour(forwarding, 'b')
    await who(
      forwarding.forward({
        method: 'GET',
        path: '/batches/batch_77',
        body: undefined,
        stages: [{ provider: 'openai', profile: 'b' }],
      }),
    )
    forwarding.upstream.respond(created, 'key-evil')
    await who(forwarding.forward({ path: '/files', stages: [{ provider: 'groq' }] }))
    const chain = [{ provider: 'groq' }, { provider: 'openai' }]
    const fetched = { method: 'GET', path: '/files/file-abc123', body: undefined }
    expect(await who(forwarding.forward(fetched))).toBe('a')
    expect(await who(forwarding.forward({ ...fetched, stages: chain }))).toBe('evil')
    // What a request calls itself is no object, whoever has given something that name.
    forwarding.upstream.respond(json({ id: 'resp_key-77', output: [] }), 'key-evil')
    await who(
      forwarding.forward({ path: '/responses', ...turn({ input: 'x' }), stages: [{ provider: 'groq' }] }),
    )
    for (const named of [
      { prompt_cache_key: 'resp_key-77' },
      { user: 'resp_key-77' },
      { metadata: { id: 'resp_key-77' } },
    ]) {
      const stages = [{ provider: 'openai' }, { provider: 'groq' }]
      expect(await who(forwarding.forward({ ...turn({ ...HELLO, ...named }), stages }))).not.toBe('evil')
    }
  })

  test('is found in no time, however a body is nested', async () => {
    await using forwarding = await lab({ scripts: { 'key-a': created } })
    await favour(forwarding, 'a')
    await who(forwarding.forward({ path: '/files' }))
    const deep = `${'{"file_id":['.repeat(60_000)}${']}'.repeat(60_000)}`
    const wide = `[${'{"file_id":"file-other1"},'.repeat(60_000)}{"file_id":"file-abc123"}]`
    for (const nested of [deep, wide]) {
      const bytes = Buffer.from(`{"model":"m","messages":[],"m":${nested}}`)
      expect(['a', 'b']).toContain(await who(forwarding.forward({ ...turn({}), body: { bytes } })))
    }
  })

  test('is not named by what somebody has put into a file', async () => {
    await using forwarding = await lab({ scripts: { 'key-a': json({ id: 'thing-1234' }) } })
    await favour(forwarding, 'a')
    await who(forwarding.forward({ method: 'GET', path: '/files/file-abc123/content', body: undefined }))
    expect(forwarding.handle.profiles.affinity?.hasOwners).toBe(false)
  })

  test('what says who asks is no object', async () => {
    await using forwarding = await lab({
      scripts: {
        'key-a': json({ id: 'batch_1234', metadata: { user_id: 'person-42' }, user_id: 'person-42' }),
      },
    })
    await favour(forwarding, 'a')
    await who(forwarding.forward({ path: '/batches' }))
    await forwarding.handle.profiles.update('openai:a', { enabled: false })
    expect(await who(forwarding.forward(turn({ ...HELLO, user: 'person-42', user_id: 'person-42' })))).toBe(
      'b',
    )
  })

  test('of an account that is gone binds nobody', async () => {
    await using forwarding = await lab({ scripts: { 'key-a': created } })
    await favour(forwarding, 'a')
    await who(forwarding.forward({ path: '/files' }))
    await forwarding.handle.profiles.delete('openai:a')
    expect(
      await who(forwarding.forward({ method: 'GET', path: '/files/file-abc123', body: undefined })),
    ).toBe('b')
  })

  test.each([
    ['a chat that is not stored', '/chat/completions', {}, { id: 'chatcmpl-1234' }],
    [
      'a response that is not stored',
      '/responses',
      { store: false, input: 'x' },
      { id: 'resp_0002', output: [] },
    ],
    ['a list of models', '/models', {}, { data: [{ id: 'gpt-4o-1234' }] }],
  ])('%s leaves none behind', async (_name, path, body, answer) => {
    await using forwarding = await lab({ script: json(answer) })
    await who(forwarding.forward({ ...turn(body), path }))
    expect(forwarding.handle.profiles.affinity?.hasOwners).toBe(false)
  })
})

/** An upstream that takes no item but those of its own account, and names its account in what it gives. */
function strict(account: string, path: 'responses' | 'messages'): (request: RecordedRequest) => Reply {
  return ({ text }) => {
    const foreign = [...text.matchAll(/made-by-(\w+)/g)].some(([, by]) => by !== account)
    if (!foreign)
      return json({ id: 'resp_1234', output: [{ type: 'message' }], content: [], type: 'message' })
    return path === 'responses'
      ? json(
          {
            error: {
              message: 'The encrypted content gAAA could not be verified.',
              type: 'invalid_request_error',
              param: null,
              code: 'invalid_encrypted_content',
            },
          },
          400,
        )
      : json(
          {
            type: 'error',
            error: {
              type: 'invalid_request_error',
              message: 'messages.1.content.0: Invalid `signature` in `thinking` block',
            },
          },
          400,
        )
  }
}

const reasoning = (by: string): object => ({
  type: 'reasoning',
  id: 'rs_1',
  encrypted_content: `made-by-${by}`,
})
const said = { type: 'message', role: 'user', content: 'hello' }

describe('what an account has signed', () => {
  const scripts = { 'key-a': strict('a', 'responses'), 'key-b': strict('b', 'responses') }
  const ask = (forwarding: ForwardingLab, ...input: object[]): Promise<string | number> =>
    who(forwarding.forward({ ...turn({ input: [said, ...input], store: false }, 'one'), path: '/responses' }))

  test('is left out for another one, and the conversation goes on there', async () => {
    await using forwarding = await lab({
      scripts: { ...scripts, 'key-a': [strict('a', 'responses'), rateLimited({ retryAfter: 30 })] },
    })
    await favour(forwarding, 'a')
    expect(await ask(forwarding)).toBe('a')
    expect(await ask(forwarding, reasoning('a'))).toBe('b')
    expect(await ask(forwarding, reasoning('a'), said, reasoning('b'))).toBe('b')
    expect(forwarding.upstream.requests).toHaveLength(4)
    const last = forwarding.upstream.requests.at(-1)?.json
    expect(last).toMatchObject({ input: [said, said, reasoning('b')] })
  })

  test('goes to its account first, also before one of higher priority, and after hours', async () => {
    await using forwarding = await openForwarding({
      scripts: { ...scripts, 'key-a': [rateLimited({ retryAfter: 30 }), strict('a', 'responses')] },
    })
    await forwarding.addAll('a', 'b')
    expect(await ask(forwarding)).toBe('b')
    expect(await ask(forwarding, reasoning('b'))).toBe('b')
    forwarding.handle.clock.advance(5 * 60 * MINUTE)
    expect(await ask(forwarding, reasoning('b'))).toBe('b')
  })

  test('is left out where an account refuses it of which nothing is known', async () => {
    await using forwarding = await lab({ scripts })
    await favour(forwarding, 'b')
    expect(await ask(forwarding, reasoning('a'))).toBe('b')
    expect(forwarding.credentials()).toEqual(['key-b', 'key-b'])
    expect(await ask(forwarding, reasoning('a'), reasoning('b'))).toBe('b')
    expect(forwarding.credentials()).toHaveLength(3)
    const view = await forwarding.handle.profiles.view('openai:b')
    expect(view).toMatchObject({ state: 'available', errorCount: 0 })
  })

  test('stays where a chain goes past a member that fails each time', async () => {
    await using forwarding = await openForwarding({
      scripts: { 'key-a': rateLimited({ retryAfter: 1 }), 'key-b': strict('b', 'responses') },
    })
    await forwarding.add('a')
    await forwarding.add('b', { provider: 'groq' })
    const stages = [{ provider: 'openai' }, { provider: 'groq' }]
    const send = (...input: object[]): Promise<string | number> =>
      who(
        forwarding.forward({
          ...turn({ input: [said, ...input], store: false }, 'one'),
          path: '/responses',
          stages,
        }),
      )
    expect(await send()).toBe('b')
    forwarding.handle.clock.advance(5_000)
    expect(await send(reasoning('b'))).toBe('b')
    expect(forwarding.upstream.requests.at(-1)?.json).toMatchObject({ input: [said, reasoning('b')] })
  })

  test('is told from words that look like it', async () => {
    await using forwarding = await openForwarding({
      scripts: { 'key-a': [rateLimited({ retryAfter: 30 }), ok()] },
    })
    await forwarding.addAll('a', 'b')
    const body = {
      include: ['reasoning.encrypted_content'],
      tools: [{ type: 'function', parameters: { properties: { signature: { type: 'string' } } } }],
      input: [said],
    }
    const send = (): Promise<string | number> =>
      who(forwarding.forward({ ...turn(body, 'one'), path: '/responses' }))
    expect(await send()).toBe('b')
    forwarding.handle.clock.advance(31_000)
    expect(await send()).toBe('a')
  })

  /** A request of somebody whose model thinks, in the middle of using a tool. */
  const thinker = (
    forwarding: ForwardingLab,
    by: readonly string[],
    fields: object = {},
  ): Promise<Answer> => {
    const used = (index: number): object[] => [
      { type: 'thinking', thinking: 'hm', signature: `made-by-${by[index]}` },
      { type: 'tool_use', id: `t${index}`, name: 'x', input: { signature: 'none of ours' } },
    ]
    const turns = by.flatMap((_, index) => [
      { role: 'assistant', content: used(index) },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: `t${index}`, content: 'done' }] },
    ])
    const body = { ...fields, messages: [{ role: 'user', content: 'hello' }, ...turns] }
    return forwarding.forward({
      ...turn(body, 'one'),
      path: '/v1/messages',
      stages: [{ provider: 'anthropic' }],
    })
  }
  const anthropic = async (options: LabOptions): Promise<ForwardingLab> => {
    const forwarding = await openForwarding(options)
    for (const name of ['a', 'b']) {
      await forwarding.add(name, { provider: 'anthropic', baseUrl: forwarding.upstream.url })
    }
    await forwarding.handle.profiles.markSuccess('anthropic:a')
    return forwarding
  }
  /** As Anthropic's API does: thinking that is asked for must begin the turn that goes on. */
  const demanding = (account: string): ((request: RecordedRequest) => Reply) => {
    const judged = strict(account, 'messages')
    return (request) => {
      const { thinking, messages } = request.json as {
        thinking?: object
        messages: { role: string; content: unknown }[]
      }
      const last = messages.findLast(({ role }) => role === 'assistant')
      const first = Array.isArray(last?.content) ? (last.content[0] as { type: string }) : undefined
      const message =
        'messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.'
      return thinking !== undefined && first?.type === 'tool_use'
        ? json({ type: 'error', error: { type: 'invalid_request_error', message } }, 400)
        : judged(request)
    }
  }

  test('thinking goes to another account as it is, and is left out where that refuses it', async () => {
    await using forwarding = await anthropic({
      scripts: { 'key-a': [demanding('a'), rateLimited({ retryAfter: 30 })], 'key-b': demanding('b') },
    })
    const fields = { thinking: { type: 'adaptive' }, max_tokens: 5 }
    expect(await who(thinker(forwarding, [], fields))).toBe('a')
    expect(await who(thinker(forwarding, ['a'], fields))).toBe('b')
    expect(forwarding.credentials()).toEqual(['key-a', 'key-a', 'key-b', 'key-b'])
    const last = forwarding.upstream.requests.at(-1)?.json
    expect(last).not.toHaveProperty('thinking')
    expect(last).toMatchObject({ max_tokens: 5, messages: [{}, { content: [{ type: 'tool_use' }] }, {}] })
    // What this one makes stays, and it is asked at once.
    expect(await who(thinker(forwarding, ['a', 'b'], fields))).toBe('b')
    expect(forwarding.credentials()).toHaveLength(5)
    expect(forwarding.upstream.requests.at(-1)?.json).toMatchObject({
      thinking: { type: 'adaptive' },
      messages: [{}, { content: [{ type: 'tool_use' }] }, {}, { content: [{ type: 'thinking' }, {}] }, {}],
    })
  })

  test('thinking that another account takes is not touched', async () => {
    await using forwarding = await anthropic({
      scripts: { 'key-a': [ok(), rateLimited({ retryAfter: 30 })] },
    })
    expect(await who(thinker(forwarding, []))).toBe('a')
    expect(await who(thinker(forwarding, ['a']))).toBe('b')
    expect(forwarding.upstream.requests.at(-1)?.text).toBe(forwarding.upstream.requests.at(-2)?.text)
  })

  test('an account that refuses for ever is asked two times', async () => {
    const refusing = strict('nobody', 'messages')
    await using forwarding = await anthropic({
      script: (request) => (request.index > 8 ? ok() : refusing({ ...request, text: 'made-by-x' })),
    })
    const answer = await thinker(forwarding, ['a'])
    expect(answer).toMatchObject({ status: 400, attempts: 2 })
  })

  test('nothing is changed where it is at home', async () => {
    await using forwarding = await lab({ scripts })
    await favour(forwarding, 'a')
    await ask(forwarding)
    const text = `{"model":"gpt-4o","input":[{"role":"user"},  {"type":"reasoning","encrypted_content":"made-by-a"}] }`
    const request = { ...turn({}, 'one'), path: '/responses', body: { bytes: Buffer.from(text) } }
    expect(await who(forwarding.forward(request))).toBe('a')
    expect(forwarding.upstream.requests.at(-1)?.text).toBe(text)
  })
})

describe('concurrency', () => {
  /** Answers when it is told. */
  function gated(): { script: Reply; open(): void } {
    let open = (): void => {}
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    return { script: stall(opened), open }
  }

  test('sends what is beyond it to the next profile', async () => {
    const held = gated()
    await using forwarding = await openForwarding({ scripts: { 'key-a': [held.script, ok()] } })
    await forwarding.add('a', { priority: 2, concurrency: 1 })
    await forwarding.add('b', { priority: 1 })
    const first = forwarding.forward(turn({ messages: [] }, 'one'))
    await forwarding.upstream.received(1)
    expect(await who(forwarding.forward(turn({ messages: [] }, 'two')))).toBe('b')
    held.open()
    expect(await who(first)).toBe('a')
    expect(await who(forwarding.forward(turn({ messages: [] }, 'three')))).toBe('a')
  })

  test('lets requests wait in turn where there is no other, however many', async () => {
    await using forwarding = await openForwarding({ script: ok() })
    await forwarding.add('a', { concurrency: 2 })
    let inside = 0
    let most = 0
    forwarding.upstream.respond((request) => {
      inside += 1
      most = Math.max(most, inside)
      void request.ended.then(() => {
        inside -= 1
      })
      return ok()
    })
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => who(forwarding.forward(turn({ messages: [] }, `s${index}`)))),
    )
    expect(answers).toEqual(Array.from({ length: 40 }, () => 'a'))
    expect(most).toBeLessThanOrEqual(2)
  })

  test('whoever waits is served by the first place that comes free, whosever it is', async () => {
    const [slow, quick] = [gated(), gated()]
    await using forwarding = await openForwarding({
      scripts: { 'key-a': slow.script, 'key-b': [quick.script, ok()] },
    })
    await forwarding.add('a', { priority: 2, concurrency: 1 })
    await forwarding.add('b', { priority: 1, concurrency: 1 })
    const held = ['one', 'two'].map((session) => forwarding.forward(turn({ messages: [] }, session)))
    await forwarding.upstream.received(2)
    const waiting = forwarding.forward(turn({ messages: [] }, 'three'))
    quick.open()
    expect(await who(waiting)).toBe('b')
    slow.open()
    expect(await Promise.all(held.map((one) => who(one)))).toEqual(['a', 'b'])
  })

  test('whoever is served elsewhere keeps nobody out', async () => {
    const [first, second] = [gated(), gated()]
    await using forwarding = await openForwarding({
      scripts: { 'key-a': [first.script, rateLimited({ retryAfter: 5 }), ok()], 'key-b': second.script },
    })
    await forwarding.add('a', { priority: 2, concurrency: 1 })
    const holding = forwarding.forward(turn({ messages: [] }, 'one'))
    await forwarding.upstream.received(1)
    const waiting = forwarding.forward(turn({ messages: [] }, 'two'))
    await forwarding.handle.profiles.list()
    await forwarding.add('b', { priority: 1 })
    first.open()
    expect(await who(holding)).toBe('a')
    // It was called, met a limit, and is with the other one now.
    await forwarding.upstream.received(3)
    forwarding.handle.clock.advance(6_000)
    expect(await who(forwarding.forward(turn({ messages: [] }, 'three')))).toBe('a')
    second.open()
    expect(await who(waiting)).toBe('b')
  })

  test('lets in whoever waits when its owner raises it, or takes it away', async () => {
    for (const concurrency of [2, null]) {
      const held = gated()
      await using forwarding = await openForwarding({ scripts: { 'key-a': [held.script, ok()] } })
      await forwarding.add('a', { concurrency: 1 })
      const first = forwarding.forward(turn({ messages: [] }, 'one'))
      await forwarding.upstream.received(1)
      const waiting = forwarding.forward(turn({ messages: [] }, 'two'))
      await until(() => forwarding.timers.pending >= 4)
      await forwarding.handle.profiles.update('openai:a', { concurrency })
      const next = forwarding.forward(turn({ messages: [] }, 'three'))
      expect(await who(waiting)).toBe('a')
      held.open()
      expect([await who(next), await who(first)]).toEqual(['a', 'a'])
    }
  })

  test('says when to ask again where no place has come free by the deadline', async () => {
    await using forwarding = await openForwarding({ script: stall() })
    await forwarding.add('a', { concurrency: 1 })
    const held = forwarding.forward({ ...turn({ messages: [] }), settings: { deadlineMs: 3_600_000 } })
    held.catch(() => undefined)
    await forwarding.upstream.received(1)
    const waited = forwarding.forward({ ...turn({ messages: [] }), settings: { deadlineMs: 5_000 } })
    await until(() => forwarding.timers.pending >= 4)
    forwarding.timers.advance(5_000)
    const refused = await waited
    expect(refused).toMatchObject({ kind: 'refused', status: 429, attempts: 0 })
    expect(refused.headers.join()).toContain('retry-after,1')
    expect(refused.headers.join()).not.toContain('x-should-retry')
    expect(refused.body.whole()?.toString()).toContain('concurrency')
  })

  test('a place is free again after a failure, an abort, and an answer that is not read', async () => {
    await using forwarding = await openForwarding({ scripts: { 'key-a': [badKey(), stall(), ok(), ok()] } })
    await forwarding.add('a', { concurrency: 1 })
    expect(await who(forwarding.forward(turn({ messages: [] })))).toBe(401)
    await forwarding.handle.profiles.reset()
    const leaving = new AbortController()
    const aborted = forwarding.forward({ ...turn({ messages: [] }), signal: leaving.signal })
    await forwarding.upstream.received(2)
    const waiting = new AbortController()
    const waited = forwarding.forward({ ...turn({ messages: [] }), signal: waiting.signal })
    waiting.abort()
    await expect(waited).rejects.toThrow()
    leaving.abort()
    await expect(aborted).rejects.toThrow()
    const unread = await forwarding.forward(turn({ messages: [] }))
    unread.body.cancel()
    expect(await who(forwarding.forward(turn({ messages: [] })))).toBe('a')
  })
})
