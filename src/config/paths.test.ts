import { describe, expect, test } from 'vitest'
import { defaultConfigPath, defaultVaultPath, keymuxFolder } from './paths.js'

const linux = { platform: 'linux', env: {}, home: '/home/me' } as const
const mac = { platform: 'darwin', env: {}, home: '/Users/me' } as const
const windows = { platform: 'win32', env: {}, home: 'C:\\Users\\me' } as const

describe('default places', () => {
  test('on Linux', () => {
    expect(defaultVaultPath(linux)).toBe('/home/me/.local/share/keymux/vault.db')
    expect(defaultConfigPath(linux)).toBe('/home/me/.config/keymux/config.yaml')
    expect(keymuxFolder('state', linux)).toBe('/home/me/.local/state/keymux')
    expect(keymuxFolder('runtime', linux)).toBe('/home/me/.local/state/keymux')
  })

  test('on macOS', () => {
    expect(defaultVaultPath(mac)).toBe('/Users/me/Library/Application Support/keymux/vault.db')
    expect(defaultConfigPath(mac)).toBe('/Users/me/Library/Application Support/keymux/config.yaml')
    expect(keymuxFolder('state', mac)).toBe('/Users/me/Library/Application Support/keymux')
  })

  test('on Windows', () => {
    expect(defaultVaultPath(windows)).toBe('C:\\Users\\me\\AppData\\Local\\keymux\\vault.db')
    const moved = { ...windows, env: { LOCALAPPDATA: 'D:\\Data' } }
    expect(defaultConfigPath(moved)).toBe('D:\\Data\\keymux\\config.yaml')
    expect(keymuxFolder('runtime', { ...windows, env: { LOCALAPPDATA: 'Data' } })).toBe(
      'C:\\Users\\me\\AppData\\Local\\keymux',
    )
  })

  test.each([
    ['data', 'XDG_DATA_HOME'],
    ['config', 'XDG_CONFIG_HOME'],
    ['state', 'XDG_STATE_HOME'],
    ['runtime', 'XDG_RUNTIME_DIR'],
  ] as const)('%s goes where %s says, on every platform', (kind, variable) => {
    for (const facts of [linux, mac]) {
      expect(keymuxFolder(kind, { ...facts, env: { [variable]: '/x' } })).toBe('/x/keymux')
    }
    expect(keymuxFolder(kind, { ...windows, env: { [variable]: 'E:\\x' } })).toBe('E:\\x\\keymux')
  })

  test.each(['', 'relative', './x', '~/x'])('an XDG variable of %j is ignored', (value) => {
    expect(keymuxFolder('data', { ...linux, env: { XDG_DATA_HOME: value } })).toBe(
      '/home/me/.local/share/keymux',
    )
  })
})
