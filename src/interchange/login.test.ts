import { describe, expect, it } from 'vitest'
import { readClaims } from './jwt.js'
import { type ForeignLogin, profileNameOr, readLogin } from './login.js'

function token(payload: unknown): string {
  return `e30.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.c2ln`
}

const login: ForeignLogin = {
  provider: 'openai',
  name: 'tool',
  accessToken: 'at',
  refreshToken: 'rt',
  source: 'tool',
}

describe('readClaims', () => {
  it('reads e-mail, expiry and account', () => {
    const payload = {
      exp: 1_925_000_000,
      'https://api.openai.com/profile': { email: 'a@b.c' },
      'https://api.openai.com/auth': { chatgpt_account_id: 'acct' },
    }
    expect(readClaims(token(payload))).toEqual({
      email: 'a@b.c',
      expiresAt: new Date(1_925_000_000_000),
      account: 'acct',
    })
  })

  it.each([
    undefined,
    '',
    'opaque',
    'a.b',
    '..',
    'e30.!!!.x',
    `e30.${Buffer.from('{').toString('base64url')}.x`,
    token(null),
    token([1]),
    token('text'),
    token({ email: 7, exp: 'x', 'https://api.openai.com/auth': null }),
    token({ email: 'no address', exp: 1e300 }),
    token({ email: 'a\u001b[31m@b.c' }),
    token({ email: `${'a'.repeat(400)}@b.c` }),
    token({ email: 'a@b.c', padding: 'x'.repeat(100_000) }),
    JSON.parse('{"t":"e30.eyJfX3Byb3RvX18iOnsiZW1haWwiOiJhQGIuYyJ9fQ.x"}').t, // {"__proto__":{"email":"a@b.c"}}
  ])('claims nothing for what is no such token: %#', (text) => {
    expect(readClaims(text)).toEqual({})
  })
})

describe('readLogin', () => {
  it('prefers what the file says to what its tokens say', () => {
    const idToken = token({ email: 'id@b.c', 'https://api.openai.com/auth': { chatgpt_account_id: 'id' } })
    const expiresAt = new Date(1_900_000_000_000)
    const told = { ...login, idToken, accessToken: token({ exp: 1_800_000_000 }) }
    expect(readLogin(told, false)).toMatchObject({
      draft: { name: 'id@b.c', account: 'id', expiresAt: new Date(1_800_000_000_000) },
    })
    expect(readLogin({ ...told, email: 'file@b.c', account: 'file', expiresAt }, undefined)).toMatchObject({
      draft: { name: 'file@b.c', email: 'file@b.c', account: 'file', expiresAt },
    })
  })

  it('keeps a name that the tool gave, and one that no e-mail address can replace', () => {
    expect(readLogin({ ...login, named: true, email: 'a@b.c' }, false)).toMatchObject({
      draft: { name: 'tool', email: 'a@b.c' },
    })
    expect(readLogin({ ...login, email: `${'a'.repeat(130)}@b.c` }, false)).toMatchObject({
      draft: { name: 'tool' },
    })
  })

  it('never takes a refresh token unasked, nor without one when asked', () => {
    for (const takeOver of [undefined, false]) {
      expect(JSON.stringify(readLogin(login, takeOver))).not.toContain('rt')
    }
    expect(readLogin({ ...login, refreshToken: undefined }, true)).toMatchObject({
      draft: { mode: 'token', secret: 'at' },
    })
  })
})

describe('profileNameOr', () => {
  it('gives the name that is one', () => {
    expect(profileNameOr('me@example.com', 'x')).toBe('me@example.com')
    expect(profileNameOr('a:b', 'x')).toBe('x')
    expect(profileNameOr(undefined, 'x')).toBe('x')
  })
})
