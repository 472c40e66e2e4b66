import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { corpProvider } from '../support/logins.js'
import type { OidcServer } from '../support/oidc.js'
import { startOidcServer } from '../support/oidc.js'
import type { CliHome } from './oauth-cli.js'
import { event, makeHome } from './oauth-cli.js'

const CHROMIUM = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'
const missing = existsSync(CHROMIUM) ? '' : `: skipped, there is no ${CHROMIUM} (Debian's package chromium)`
/** Where pictures of the page go; none are taken by default. */
const PICTURES = process.env.PICTURE_FOLDER

let server: OidcServer
let home: CliHome
beforeAll(async () => {
  server = await startOidcServer()
  home = await makeHome(corpProvider(server.url))
}, 120_000)
afterAll(async () => {
  home.dispose()
  await server.close()
})

test.skipIf(missing !== '')(
  `a login of the command line through a real browser${missing}`,
  async () => {
    const { chromium } = await import('playwright-core')
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    })
    try {
      const login = home.start(['login', 'corp', '--no-browser', '--json'])
      const { url } = await event(login, 'open')
      const page = await browser.newPage({ viewport: { width: 900, height: 560 } })
      const complaints: string[] = []
      page.on('console', (message) => complaints.push(message.text()))
      page.on('pageerror', (error) => complaints.push(String(error)))
      await page.goto(String(url))
      expect(await page.title()).toBe('Corp AI is connected · keymux')
      expect(await page.locator('h1').innerText()).toBe('Corp AI is connected')
      expect(await page.locator('dd').allInnerTexts()).toEqual(['ada@example.com', 'corp:ada@example.com'])
      // Neither the code nor the state is left in it.
      expect(page.url()).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/done\/[0-9a-f]{32}$/)
      expect(await page.locator('script').count()).toBe(0)
      // Its style is allowed by its own policy: the card is drawn.
      const box = await page.locator('main').boundingBox()
      expect(box?.width).toBeCloseTo(480, 0)
      expect(complaints.filter((text) => !text.includes('favicon'))).toEqual([])
      if (PICTURES !== undefined) {
        await page.screenshot({ path: join(PICTURES, 'login-light.png') })
        await page.emulateMedia({ colorScheme: 'dark' })
        await page.screenshot({ path: join(PICTURES, 'login-dark.png') })
      }
      expect(await event(login, 'done')).toMatchObject({ profile_id: 'corp:ada@example.com' })
      expect((await login.ended).code).toBe(0)
    } finally {
      await browser.close()
    }
  },
  120_000,
)
