import { setTimeout as wait } from 'node:timers/promises'
import { openKeymux } from '../../src/compose.js'
import type { Keymux } from '../../src/domain/keymux.js'
import type { LoginResult, LoginTarget } from '../../src/domain/logins.js'
import type { Clock } from '../../src/domain/ports.js'
import { createMemoryStore } from '../../src/storage/memory/index.js'
import type { StubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'

/** The client that the tests' provider is configured with. */
export const TEST_CLIENT = 'test-client'

/** Settings of a provider `corp` that logs in at `url`, by its issuer alone. */
export function corpProvider(url: string, oauth: object = {}): Record<string, unknown> {
  return {
    label: 'Corp AI',
    base_url: 'http://127.0.0.1:9/v1',
    oauth: { issuer: url, client_id: TEST_CLIENT, scopes: ['openid', 'email'], ...oauth },
  }
}

/** A vault in memory with the provider `corp`. */
export async function openWithCorp(
  server: Pick<StubAuthorizationServer, 'url'>,
  options: { readonly oauth?: object; readonly clock?: Clock } = {},
): Promise<Keymux> {
  return openKeymux({
    vault: createMemoryStore().connect(),
    unlock: { passphrase: 'test' },
    create: true,
    config: { providers: { corp: corpProvider(server.url, options.oauth) } },
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  })
}

/** Does what a browser does: follows the redirects and gives the last page. */
export async function browse(url: string): Promise<{ status: number; page: string; headers: Headers }> {
  const response = await fetch(url)
  return { status: response.status, page: await response.text(), headers: response.headers }
}

/** Follows the first redirect alone: the address that the browser would be sent to. */
export async function redirectOf(url: string): Promise<URL> {
  const response = await fetch(url, { redirect: 'manual' })
  return new URL(response.headers.get('location') ?? '')
}

/** Waits until the condition holds; a few milliseconds at a time. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await wait(5)
}

/** Logs in through the browser, and gives what came of it: the result, or the error. */
export async function logInAt(
  keymux: Keymux,
  target: LoginTarget,
): Promise<{ result?: LoginResult; error?: unknown; page: string }> {
  const attempt = await (await keymux.logins()).browser(target)
  try {
    const outcome = attempt.complete().then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    )
    const { page } = await browse(attempt.url)
    return { ...(await outcome), page }
  } finally {
    await attempt.close()
  }
}
