import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openKeymux } from '../../src/compose.js'
import type { Keymux } from '../../src/domain/keymux.js'
import { createMemoryStore } from '../../src/storage/memory/index.js'
import { corpProvider, openWithCorp } from '../support/logins.js'
import type { OidcServer } from '../support/oidc.js'
import { startOidcServer } from '../support/oidc.js'

/** A browser with cookies: follows redirects on loopback and gives the last page. */
class Browser {
  readonly #cookies = new Map<string, string>()

  async open(url: string, body?: URLSearchParams): Promise<{ url: string; status: number; page: string }> {
    const { host } = new URL(url)
    const response = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      headers: { cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(body === undefined ? {} : { body }),
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      this.#cookies.set(name, value)
    }
    const next = response.headers.get('location')
    const page = await response.text()
    if (next === null) return { url, status: response.status, page }
    return this.open(new URL(next, `http://${host}`).href)
  }
}

/** The form on a page: where it goes, and its hidden fields. */
function formOf(page: string): { action: string; fields: URLSearchParams } {
  const action = /<form[^>]*action="([^"]+)"/.exec(page)?.[1] ?? ''
  const fields = new URLSearchParams()
  for (const [tag] of page.matchAll(/<input[^>]*>/g)) {
    const name = /name="([^"]+)"/.exec(tag)?.[1]
    if (name !== undefined) fields.set(name, /value="([^"]*)"/.exec(tag)?.[1] ?? '')
  }
  return { action: action.replaceAll('&amp;', '&'), fields }
}

let server: OidcServer
let keymux: Keymux

beforeEach(async () => {
  server = await startOidcServer()
  keymux = await openWithCorp(server)
})
afterEach(async () => {
  await keymux.close()
  await server.close()
})

async function logIn(subject: string, name?: string): Promise<string> {
  server.logInAs(subject)
  const attempt = await (await keymux.logins()).browser({
    provider: 'corp',
    ...(name === undefined ? {} : { name }),
  })
  try {
    const [result, { page }] = await Promise.all([attempt.complete(), new Browser().open(attempt.url)])
    expect(page).toContain(result.profileId)
    return result.profileId
  } finally {
    await attempt.close()
  }
}

describe('with a certified OpenID provider', () => {
  test('a login in the browser, by the issuer alone', async () => {
    expect(await logIn('ada')).toBe('corp:ada@example.com')
    const profile = await keymux.profiles.get('corp:ada@example.com')
    expect(profile?.oauth).toMatchObject({ email: 'ada@example.com', metadata: { subject: 'ada' } })
    expect(profile?.oauth?.refreshToken).not.toBe('')
    expect((await keymux.resolver.resolve('corp')).credential).toBe(profile?.oauth?.accessToken)
  })

  test('renewals rotate the refresh token, and a spent one ends the login, row kept', async () => {
    const id = await logIn('ada')
    const first = { ...(await keymux.profiles.get(id))?.oauth }
    const second = await keymux.oauth.renew(id)
    expect(second.refreshToken).not.toBe(first.refreshToken)
    expect(second.accessToken).not.toBe(first.accessToken)
    const third = await keymux.oauth.renew(id)
    expect(third.generation).toBe(3)
    // Somebody puts an old refresh token back, as another program with a copy of it would.
    await keymux.oauth.saveCredential(id, { ...third, refreshToken: String(first.refreshToken) })
    await expect(keymux.oauth.renew(id)).rejects.toMatchObject({
      code: 'refresh_failed',
      hint: `run keymux login ${id}`,
    })
    expect(await keymux.profiles.view(id)).toMatchObject({ state: 'invalid', loginNeeded: true })
    expect((await keymux.profiles.get(id))?.oauth?.refreshToken).toBe(first.refreshToken)
    // The provider has revoked the whole family: only a new login helps.
    expect(await logIn('ada')).toBe(id)
    expect((await keymux.resolver.resolve('corp')).profile.id).toBe(id)
  })

  test('two accounts are renewed in parallel and never cross', async () => {
    const ids = [await logIn('ada'), await logIn('bob')]
    const renewed = await Promise.all(ids.map((id) => keymux.oauth.renew(id)))
    expect(renewed.map(({ email }) => email)).toEqual(['ada@example.com', 'bob@example.com'])
    for (const [index, id] of ids.entries()) {
      expect((await keymux.profiles.get(id))?.oauth?.refreshToken).toBe(renewed[index]?.refreshToken)
      await keymux.oauth.renew(id)
    }
  })

  test('a login on another device', async () => {
    server.logInAs('dee')
    const attempt = await (await keymux.logins()).device({ provider: 'corp' })
    const browser = new Browser()
    const entered = await browser.open(attempt.verificationUriComplete ?? attempt.verificationUri)
    const confirm = formOf(entered.page)
    confirm.fields.set('user_code', attempt.userCode)
    const confirmed = await browser.open(confirm.action, confirm.fields)
    if (confirmed.page.includes('name="confirm"') || confirmed.page.includes('<form')) {
      const again = formOf(confirmed.page)
      again.fields.set('confirm', 'yes')
      await browser.open(again.action, again.fields)
    }
    expect(await attempt.complete()).toMatchObject({ profileId: 'corp:dee@example.com' })
    expect((await keymux.oauth.renew('corp:dee@example.com')).generation).toBe(2)
  })

  test('a logout revokes: the tokens are void at the provider', async () => {
    const id = await logIn('ada')
    const tokens = { ...(await keymux.profiles.get(id))?.oauth }
    expect(await (await keymux.logins()).logout(id)).toEqual({ profileId: id, revoked: true })
    const answer = await fetch(`${server.url}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: String(tokens.refreshToken),
        client_id: 'test-client',
      }),
    })
    expect(await answer.json()).toMatchObject({ error: 'invalid_grant' })
  })

  test('endpoints by hand do as well as an issuer', async () => {
    const other = await openKeymux({
      vault: createMemoryStore().connect(),
      unlock: { passphrase: 'test' },
      create: true,
      config: {
        providers: {
          corp: corpProvider(server.url, {
            issuer: undefined,
            authorization_endpoint: `${server.url}/auth`,
            token_endpoint: `${server.url}/token`,
            revocation_endpoint: `${server.url}/token/revocation`,
          }),
        },
      },
    })
    const attempt = await (await other.logins()).browser({ provider: 'corp', name: 'byhand' })
    const [result] = await Promise.all([attempt.complete(), new Browser().open(attempt.url)])
    await attempt.close()
    expect(result.profileId).toBe('corp:byhand')
    expect((await other.oauth.renew('corp:byhand')).generation).toBe(2)
    await other.close()
  })
})
