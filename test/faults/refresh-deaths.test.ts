import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import type { StubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import { startStubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import type { RefreshPlace } from './refresh-lab.js'
import { makePlace } from './refresh-lab.js'
import { makeLab } from './storage-lab.js'

const lab = makeLab()
afterAll(() => lab.dispose())
const opened: { place: RefreshPlace; server: StubAuthorizationServer }[] = []
afterEach(async () => {
  for (const { place, server } of opened.splice(0)) {
    await place.handle.close()
    await server.close()
  }
})

async function setUp(delayMs = 0): Promise<{ place: RefreshPlace; server: StubAuthorizationServer }> {
  const server = await startStubAuthorizationServer({ delayMs })
  const place = await makePlace(lab, server)
  opened.push({ place, server })
  return { place, server }
}

/** Short, so that the tests are. */
const HARD_DEADLINE_MS = 1_500
const timing = { requestMs: 1_000, hardDeadlineMs: HARD_DEADLINE_MS, lockWaitMs: 4_000 }

async function dies(
  place: RefreshPlace,
  where: 'before_request' | 'after_answer' | 'before_commit' | 'after_commit',
  limits: typeof timing = timing,
): Promise<void> {
  const victim = await place.peer({ timing: limits, dies: where })
  victim.running.child.stdin.write('token a\n')
  expect((await victim.running.ended).signal).toBe('SIGKILL')
}

describe('a refresher killed', () => {
  test('before its request: another one waits out the deadline, then sends the only one', async () => {
    const { place, server } = await setUp()
    await place.logIn('a', -1_000)
    const heir = await place.peer({ timing })
    const begun = Date.now()
    await dies(place, 'before_request')
    expect(server.renewals).toHaveLength(0)
    expect(await heir.ask('token a')).toBe(`ok ${server.families[0]?.accessToken}`)
    expect(Date.now() - begun).toBeGreaterThanOrEqual(HARD_DEADLINE_MS)
    expect(server.renewals).toHaveLength(1)
    expect((await place.stored('a')).refreshToken).toBe(server.families[0]?.refreshToken)
    await heir.end()
  })

  test('while its access token is good: that is served meanwhile, and nothing is sent', async () => {
    const { place, server } = await setUp()
    await place.logIn('a', -1_000)
    await dies(place, 'before_request', { ...timing, hardDeadlineMs: 60_000 })
    const { accessToken } = await place.stored('a')
    await place.expire('a', 120_000)
    const heir = await place.peer({ timing })
    expect(await heir.ask('token a')).toBe(`ok ${accessToken}`)
    expect(await heir.ask('valid a')).toBe(`ok ${accessToken}`)
    await heir.end()
    expect(server.renewals).toHaveLength(0)
  })

  test.each(['after_answer', 'before_commit'] as const)(
    '%s: the server has the last word, and the row stays',
    async (where) => {
      const { place, server } = await setUp()
      await place.logIn('a', -1_000)
      const before = await place.stored('a')
      const heir = await place.peer({ timing })
      await dies(place, where)
      expect(server.renewals).toHaveLength(1)
      expect(await heir.ask('token a')).toMatch(/^error no_usable_profile/)
      expect(server.renewals).toHaveLength(2)
      // A strict server takes the second request for theft: no client could have known better.
      expect(server.families[0]).toMatchObject({ reuses: 1, revoked: true })
      const { accessToken, refreshToken, loginNeeded } = await place.stored('a')
      expect({ accessToken, refreshToken }).toEqual({
        accessToken: before.accessToken,
        refreshToken: before.refreshToken,
      })
      expect(loginNeeded).toBe(true)
      expect(await place.handle.profiles.view('gemini:a')).toMatchObject({
        state: 'invalid',
        loginNeeded: true,
      })
      expect(await place.handle.vault.check()).toEqual([])
      await heir.end()
    },
  )

  test('after its commit: another one finds the new tokens and sends nothing', async () => {
    const { place, server } = await setUp()
    await place.logIn('a', -1_000)
    const heir = await place.peer({ timing })
    await dies(place, 'after_commit')
    expect(await heir.ask('token a')).toBe(`ok ${server.families[0]?.accessToken}`)
    expect(server.renewals).toHaveLength(1)
    expect((await place.stored('a')).refreshToken).toBe(server.families[0]?.refreshToken)
    await heir.end()
  })
})

test('a holder paused beyond every time limit: one request, and its tokens are stored when it wakes', async () => {
  const { place, server } = await setUp(300)
  await place.logIn('a', -1_000)
  const quick = { requestMs: 700, hardDeadlineMs: 900, lockWaitMs: 500 }
  const [holder, other] = await Promise.all([place.peer({ timing: quick }), place.peer({ timing: quick })])
  const held = holder.ask('valid a')
  await server.renewalsAsked(1)
  holder.running.child.kill('SIGSTOP')
  // Longer than request, hard deadline and lock wait together, and the answer has arrived meanwhile.
  for (let tries = 0; tries < 6; tries += 1) {
    expect(await other.ask('valid a')).toMatch(/^error refresh_failed another process is renewing/)
  }
  expect(server.renewals).toHaveLength(1)
  holder.running.child.kill('SIGCONT')
  const token = `ok ${server.families[0]?.accessToken}`
  expect(await held).toBe(token)
  await wait(60)
  expect(await other.ask('valid a')).toBe(token)
  expect(server.renewals).toHaveLength(1)
  expect(server.families[0]).toMatchObject({ reuses: 0, revoked: false })
  expect((await place.stored('a')).refreshToken).toBe(server.families[0]?.refreshToken)
  await Promise.all([holder.end(), other.end()])
})
