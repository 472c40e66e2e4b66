import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { NewProfile } from '../../src/domain/profiles.js'
import { startTestGateway, type TestGateway } from '../support/gateway.js'
import { GREETED, RealtimeClient, type RealtimeUpstream, startRealtimeUpstream } from '../support/realtime.js'

const MODEL = 'gpt-realtime'

interface Lab extends AsyncDisposable {
  readonly upstream: RealtimeUpstream
  readonly serving: TestGateway
  connect(path?: string, protocols?: string[], headers?: Record<string, string>): RealtimeClient
}

async function lab(
  names: readonly string[] = ['a', 'b'],
  profile: Partial<NewProfile> = {},
  config: Parameters<typeof startTestGateway>[1] = {},
): Promise<Lab> {
  const upstream = await startRealtimeUpstream()
  const serving = await startTestGateway(
    names.map((name, index) => ({
      provider: 'openai',
      name,
      secret: `sk-realtime-${name}`,
      baseUrl: `${upstream.url}/v1`,
      priority: names.length - index,
      ...profile,
    })),
    config,
  )
  const clients: RealtimeClient[] = []
  return {
    upstream,
    serving,
    connect(
      path = `/openai/v1/realtime?model=${MODEL}`,
      protocols = [],
      headers = { authorization: `Bearer ${serving.token}` },
    ) {
      const client = new RealtimeClient(serving.url.replace('http', 'ws') + path, protocols, { headers })
      clients.push(client)
      return client
    },
    async [Symbol.asyncDispose]() {
      for (const { socket } of clients) socket.terminate()
      await serving.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

test('a session passes both ways, with the credential of the account', async () => {
  await using here = await lab()
  const client = here.connect(undefined, ['realtime'])
  const met = await client.met
  expect(met).toMatchObject({
    kind: 'open',
    headers: { 'x-keymux-profile': 'openai:a', 'x-keymux-attempts': '1', 'sec-websocket-protocol': 'realtime' },
  })
  expect(JSON.parse((await client.hear(1))[0] ?? '')).toMatchObject({ type: 'session.created' })
  client.socket.send('{"type":"response.create"}')
  const [session] = here.upstream.sessions
  if (session === undefined) throw new Error('no session')
  while (session.received.length < 1) await once(session.socket, 'message')
  expect(session.received).toEqual(['{"type":"response.create"}'])
  expect(session.url).toBe(`/v1/realtime?model=${MODEL}`)
  expect(session.headers.authorization).toBe('Bearer sk-realtime-a')
  client.socket.close(4001, 'done')
  expect((await once(session.socket, 'close'))[0]).toBe(4001)
  expect(await client.ended).toMatchObject({ code: 4001 })
})

void GREETED
