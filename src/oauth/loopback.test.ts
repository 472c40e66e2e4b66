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

const PAGE = { good: true, title: 'done', lines: [] }

/** One request, not following where it leads. */
async function hit(url: string): Promise<{ status: number; location: string | null }> {
  const response = await fetch(url, { redirect: 'manual' })
  await response.text()
  return { status: response.status, location: response.headers.get('location') }
}

test('the code and the state leave the address bar, and every right request gets the page at the end', async () => {
  const listener = await listenOnLoopback({ state: 's' })
  const right = `${listener.redirectUri}?state=s&code=`
  const first = await hit(`${right}1`)
  expect(first).toEqual({ status: 303, location: expect.stringMatching(/^\/done\/[0-9a-f]{32}$/) })
  // The first counts; a reload, or the button pressed twice, changes nothing.
  expect(await hit(`${right}2`)).toEqual(first)
  expect((await listener.answer).get('code')).toBe('1')
  const done = new URL(String(first.location), listener.redirectUri).href
  const pages = [fetch(done), fetch(done), fetch(`${right}3`)]
  expect((await fetch(new URL('/done/x', done))).status).toBe(404)
  await listener.finish(PAGE)
  for (const page of await Promise.all(pages)) {
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('<h1>done</h1>')
  }
  expect(await (await fetch(done)).text()).toContain('<h1>done</h1>')
  await listener.close()
})

test('waits for the browser to come for the page, and for nobody where none came', async () => {
  const listener = await listenOnLoopback({ state: 's' })
  await listener.finish(PAGE)
  await listener.close()
  const other = await listenOnLoopback({ state: 's' })
  const page = fetch(`${other.redirectUri}?state=s&code=1`)
  await other.answer
  await other.finish(PAGE)
  expect((await page).status).toBe(200)
  await other.close()
})

test('the page escapes whatever it is given', () => {
  const page = renderPage({
    good: false,
    title: `<script>"'&`,
    lines: ['</p><img src=x>', 'a\u202Eb\u0000c'],
    rows: [{ label: '<script>', value: '<img>' }],
  })
  expect(page).toContain('&lt;script&gt;&quot;&#39;&amp;')
  expect(page).not.toMatch(/<script|<img|\u202E|\u0000/)
})
