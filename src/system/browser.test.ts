import { expect, test } from 'vitest'
import { browserCommand, browserEnv, canShowBrowser, openBrowser } from './browser.js'

const URL = 'https://a.example/?x=1&y=$(rm -rf ~)%20"z'

test.each([
  ['linux', {}, ['xdg-open', URL]],
  ['darwin', {}, ['open', URL]],
  ['win32', {}, ['rundll32', 'url.dll,FileProtocolHandler', URL]],
  ['linux', { BROWSER: '/opt/my browser' }, ['/opt/my browser', URL]],
] as const)('on %s with %j the URL is one argument', (platform, env, expected) => {
  expect(browserCommand(URL, { platform, env })).toEqual(expected)
})

test.each([
  ['linux', {}, false],
  ['linux', { DISPLAY: ':0' }, true],
  ['linux', { WAYLAND_DISPLAY: 'wayland-0' }, true],
  ['linux', { DISPLAY: ':10', SSH_CONNECTION: '1 2 3 4' }, false],
  ['darwin', {}, true],
  ['darwin', { SSH_TTY: '/dev/ttys1' }, false],
  ['linux', { BROWSER: 'lynx' }, true],
] as const)('on %s with %j a browser can appear: %j', (platform, env, expected) => {
  expect(canShowBrowser({ platform, env })).toBe(expected)
})

test('a browser that is not there is no error', async () => {
  expect(await openBrowser(URL, { platform: 'linux', env: { BROWSER: '/nowhere/browser' } })).toBe(false)
})

test('a program that fails at once has shown nothing; one that goes on has', async () => {
  const program = (name: string) => ({ platform: 'linux', env: { BROWSER: name } }) as const
  expect(await openBrowser(URL, program('/bin/false'))).toBe(false)
  expect(await openBrowser(URL, program('/bin/true'))).toBe(true)
})

test('a browser sees none of the variables that may hold secrets', () => {
  const env = { PATH: '/bin', DISPLAY: ':0', KEYMUX_PASSPHRASE: 'p', keymux_key: 'k', OPENAI_API_KEY: 'sk' }
  expect(browserEnv(env, ['OPENAI_API_KEY', 'CORP_KEY'])).toEqual({ PATH: '/bin', DISPLAY: ':0' })
})
