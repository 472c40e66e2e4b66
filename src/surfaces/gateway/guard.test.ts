import { describe, expect, test } from 'vitest'
import { type GuardOptions, guard } from './guard.js'

const local: GuardOptions = { hosts: new Set(), anyAddress: false, anyHost: false }

function judged(headers: Record<string, string>, options = local, method = 'POST'): string | undefined {
  return guard({ method, rawHeaders: Object.entries(headers).flat() }, options)?.code
}

describe('the guard', () => {
  test.each(['127.0.0.1:7878', 'localhost:7878', 'LOCALHOST', '[::1]:7878', '127.0.0.1'])(
    'lets %s through',
    (host) => expect(judged({ Host: host })).toBeUndefined(),
  )

  test.each([
    'evil.example',
    'evil.example:7878',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'localhost@evil',
    '127.0.0.2',
    '10.0.0.1:7878',
    '',
    'localhost:99999999',
    'localhost:80:80',
    'localhost/',
  ])('refuses the host %j', (host) => expect(judged({ host })).toBe('keymux_foreign_host'))

  test.each([[], ['Host', 'localhost', 'host', 'evil.example'], ['Host', 'localhost', 'HOST', 'localhost']])(
    'wants exactly one Host',
    (...rawHeaders: string[]) =>
      expect(guard({ method: 'GET', rawHeaders }, local)?.code).toBe('keymux_bad_request'),
  )

  test.each(['null', 'https://evil.example', 'http://localhost:3000', 'http://127.0.0.1', 'file://', ''])(
    'refuses the origin %j',
    (origin) => expect(judged({ host: '127.0.0.1:7878', ORIGIN: origin })).toBe('keymux_foreign_origin'),
  )

  test('refuses two origins, of which one is its own', () => {
    const own = ['origin', 'http://localhost:7878']
    for (const origins of [
      [...own, 'Origin', 'http://evil.example'],
      ['Origin', 'http://evil.example', ...own],
    ]) {
      const rawHeaders = ['host', 'localhost:7878', ...origins]
      expect(guard({ method: 'POST', rawHeaders }, local)?.code).toBe('keymux_foreign_origin')
    }
  })

  test('lets its own origin through', () => {
    expect(judged({ host: 'localhost:7878', origin: 'http://localhost:7878' })).toBeUndefined()
  })

  test.each(['cross-site', 'same-site'])('refuses what a browser marks as %s', (site) =>
    expect(judged({ host: 'localhost', 'sec-fetch-site': site })).toBe('keymux_foreign_origin'),
  )

  test.each(['OPTIONS', 'TRACE', 'CONNECT', 'PROPFIND', ''])('does not take %s', (method) =>
    expect(judged({ host: 'localhost' }, local, method)).toBe('keymux_method_not_allowed'),
  )

  test('refuses an upgrade, and leaves an offer of h2c alone', () => {
    expect(judged({ host: 'localhost', Upgrade: 'websocket' })).toBe('keymux_upgrade_refused')
    expect(judged({ host: 'localhost', Upgrade: 'h2c' })).toBeUndefined()
    const upgrading = (name: string, extra: string[] = []): string | undefined =>
      guard(
        { method: 'GET', rawHeaders: ['Host', 'localhost', 'Upgrade', name, ...extra], tunnels: true },
        local,
      )?.code
    expect(upgrading('WebSocket')).toBeUndefined()
    expect(upgrading('tls/1.0')).toBe('keymux_upgrade_refused')
    expect(upgrading('websocket', ['Origin', 'https://evil.example'])).toBe('keymux_foreign_origin')
  })

  test('beyond loopback takes addresses, which nobody can rebind, and the names it was given', () => {
    const remote = { hosts: new Set(['box.lan']), anyAddress: true, anyHost: false }
    for (const host of ['10.0.0.1:7878', '[fe80::1]:7878', 'box.lan:7878'])
      expect(judged({ host }, remote)).toBeUndefined()
    expect(judged({ host: 'evil.example' }, remote)).toBe('keymux_foreign_host')
  })

  test('behind a unix socket any host will do, an origin will not', () => {
    const socket = { ...local, anyHost: true }
    expect(judged({ host: 'whatever' }, socket)).toBeUndefined()
    expect(judged({ host: 'whatever', origin: 'null' }, socket)).toBe('keymux_foreign_origin')
  })
})
