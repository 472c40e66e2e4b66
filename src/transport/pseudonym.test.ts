import { createHash, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pseudonymOf } from './pseudonym.js'

const standFor =
  (account: string) =>
  (value: string): Buffer =>
    createHash('sha256').update(`${account} ${value}`).digest()
const [A, B] = [standFor('a'), standFor('b')]

const HEX = /^[0-9a-f]{64}$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/
const DEVICE = '0123456789abcdef'.repeat(4)
const SESSION = '97e9f13e-b375-481a-a969-bf0e8cc6d72c'

describe('what stands for a user id', () => {
  test('keeps the form of Claude Code', () => {
    const id = JSON.stringify({ device_id: DEVICE, account_uuid: '', session_id: SESSION })
    const shown = JSON.parse(pseudonymOf(id, A))
    expect(Object.keys(shown)).toEqual(['device_id', 'account_uuid', 'session_id'])
    expect(shown.device_id).toMatch(HEX)
    expect(shown.account_uuid).toBe('')
    expect(shown.session_id).toMatch(UUID)
    expect([shown.device_id, shown.session_id]).not.toContain(DEVICE)
    expect(pseudonymOf(id, A)).toHaveLength(id.length)
  })

  test('keeps the form that Claude Code had', () => {
    const id = `user_${DEVICE}_account_${SESSION}_session_${SESSION}`
    const [, user, account, session] = /^user_(.*)_account_(.*)_session_(.*)$/.exec(pseudonymOf(id, A)) ?? []
    expect([user, account, session]).toEqual([
      expect.stringMatching(HEX),
      expect.stringMatching(UUID),
      account,
    ])
    expect(pseudonymOf(id.replace(SESSION, ''), A)).toMatch(
      /^user_[0-9a-f]{64}_account__session_[0-9a-f-]{36}$/,
    )
  })

  test('is of the same device in another session', () => {
    const device = (session: string): string =>
      JSON.parse(pseudonymOf(JSON.stringify({ device_id: DEVICE, session_id: session }), A)).device_id
    expect(device(SESSION)).toBe(device(randomUUID()))
  })

  test('is a UUID for a UUID, and 64 digits for anything else', () => {
    expect(pseudonymOf(SESSION, A)).toMatch(UUID)
    for (const id of [
      'me@example.com',
      'x'.repeat(10_000),
      '{',
      '{}x',
      '[1]',
      'null',
      '5',
      '{"device_id":5}',
      '{"name":"me"}',
      `{"device_id":"d","email":"me@example.com"}`,
      `{"device_id":"${'x'.repeat(2_000)}"}`,
      'user_me_account_mine',
    ])
      expect(pseudonymOf(id, A)).toMatch(HEX)
  })

  test('is the same for the same, another for another account or id, never longer than providers take', () => {
    const part = fc.oneof(fc.string(), fc.uuid(), fc.constant(DEVICE))
    const id = fc.oneof(
      part,
      fc.tuple(part, part, part).map(([a, b, c]) => `user_${a}_account_${b}_session_${c}`),
      fc
        .record({ device_id: part, account_uuid: part, session_id: part }, { requiredKeys: [] })
        .map((object) => JSON.stringify(object)),
    )
    const saysSomething = id.filter((text) => /[^{}]/.test(text) && pseudonymOf(text, A) !== text)
    fc.assert(
      fc.property(saysSomething, id, (one, other) => {
        expect(pseudonymOf(one, A)).toBe(pseudonymOf(one, A))
        expect(pseudonymOf(one, A)).not.toBe(pseudonymOf(one, B))
        if (one !== other) expect(pseudonymOf(one, A)).not.toBe(pseudonymOf(other, A))
        expect(pseudonymOf(one, A).length).toBeLessThanOrEqual(256)
      }),
    )
  })
})
