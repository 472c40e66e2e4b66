import { expect, test } from 'vitest'
import { listenOnLoopback } from './loopback.js'
import { renderPage } from './page.js'

test('takes a free port of 127.0.0.1, or the one that is wanted', async () => {
  const free = await listenOnLoopback({ state: 's' })
  expect(free.redirectUri).toMatch(/^http:\/\/127\.0\.0\.1:\d{2,5}\/callback$/)
  await free.close()
  const { port } = new URL(free.redirectUri)
  const wanted = await listenOnLoopback({ state: 's', port: Number(port) })
  expect(wanted.redirectUri).toBe(free.redirectUri)
  await expect(listenOnLoopback({ state: 's', port: Number(port) })).rejects.toMatchObject({
    code: 'login_failed',
  })
  await wanted.close()
})

test('uses the host and path that a provider insists on', async () => {
  const listener = await listenOnLoopback({ state: 's', redirectUri: 'http://localhost/auth/done' })
  expect(listener.redirectUri).toMatch(/^http:\/\/localhost:\d+\/auth\/done$/)
  await listener.close()
})

test('without a state the path itself is secret', async () => {
  const [one, two] = [
    await listenOnLoopback({ state: undefined }),
    await listenOnLoopback({ state: undefined }),
  ]
  expect(one.redirectUri).toMatch(/\/callback\/[0-9a-f]{32}$/)
  expect(new URL(one.redirectUri).pathname).not.toBe(new URL(two.redirectUri).pathname)
  await one.close()
  await two.close()
})

test('the page escapes whatever it is given', () => {
  const page = renderPage({
    good: false,
    title: `<script>"'&`,
    lines: ['</p><img src=x>', 'a\u202Eb\u0000c'],
  })
  expect(page).toContain('&lt;script&gt;&quot;&#39;&amp;')
  expect(page).not.toMatch(/<script|<img|\u202E|\u0000/)
})
