import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isKeymuxError } from '../domain/errors.js'
import { loadConfig, MAX_CONFIG_BYTES, parseConfigObject } from './load.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keymux-config-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function file(content: string | Uint8Array): Promise<string> {
  const name = path.join(folder, 'config.yaml')
  await writeFile(name, content)
  return name
}

describe('loadConfig', () => {
  test('gives the defaults without a file', async () => {
    const config = await loadConfig(undefined)
    expect(config).toEqual({
      defaultPreference: 'valid',
      cooldown: {},
      reserve: 0,
      providers: {},
      chains: {},
      gateway: {
        port: 7878,
        host: '127.0.0.1',
        firstByteTimeoutSeconds: 30,
        idleTimeoutSeconds: 300,
        deadlineSeconds: 600,
        maxWaitSeconds: 20,
        replayLimitMb: 10,
        hold: { requests: 256, megabytes: 64 },
        health: true,
        privacy: false,
      },
      references: { exec: false },
      failureRules: [],
    })
    expect(await loadConfig(path.join(folder, 'absent.yaml'))).toEqual(config)
    expect(await loadConfig(path.join(await file(''), 'below-a-file.yaml'))).toEqual(config)
  })

  test('wants a file that somebody named', async () => {
    await expect(loadConfig(path.join(folder, 'absent.yaml'), { required: true })).rejects.toMatchObject({
      code: 'file_not_found',
      exitCode: 4,
    })
  })

  test('reads a file, with a byte order mark and CRLF too', async () => {
    const config = await loadConfig(await file('\ufeffgateway:\r\n  port: 9\r\n'))
    expect(config.gateway.port).toBe(9)
  })

  test('names the file, line, column, key and what was expected', async () => {
    const name = await file('\ufeff# mine\ngateway:\n  port: many\n')
    await expect(loadConfig(name)).rejects.toMatchObject({
      code: 'invalid_config',
      exitCode: 2,
      message: `${name}:3:9: gateway.port: expected a port from 0 to 65535, not this text`,
    })
  })

  test.each([
    ['Latin-1', Buffer.from('label: caf\xe9', 'latin1')],
    ['UTF-16', Buffer.from('\ufeffgateway: {}', 'utf16le')],
    ['a cut character', Buffer.from([0x61, 0x3a, 0x20, 0xe2, 0x82])],
  ])('refuses %s', async (_name, content) => {
    await expect(loadConfig(await file(content))).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining('expected UTF-8 text'),
    })
  })

  test('refuses more than 1 MiB without reading it all', async () => {
    const fits = await file(`#${'x'.repeat(MAX_CONFIG_BYTES - 1)}`)
    expect((await loadConfig(fits)).gateway.port).toBe(7878)
    const large = await file(new Uint8Array(10_000_000).fill(0x23))
    await expect(loadConfig(large)).rejects.toThrow('expected at most 1 MiB')
  })

  test('says so when the file cannot be read', async () => {
    await mkdir(path.join(folder, 'folder'))
    await expect(loadConfig(path.join(folder, 'folder'))).rejects.toMatchObject({ code: 'config_unreadable' })
    await expect(loadConfig('a\0b')).rejects.toMatchObject({ code: 'config_unreadable' })
  })

  test.skipIf(process.platform === 'win32')('ends on an endless device', async () => {
    await expect(loadConfig('/dev/zero')).rejects.toThrow('expected at most 1 MiB')
  })

  test.skipIf(process.platform === 'win32')(
    'allows no commands in a file that anybody may write',
    async () => {
      const name = await file('references: { exec: true }')
      await chmod(name, 0o646)
      await expect(loadConfig(name)).rejects.toMatchObject({
        code: 'unsafe_permissions',
        hint: `run: chmod o-w ${name}`,
      })
      await chmod(name, 0o644)
      expect((await loadConfig(name)).references.exec).toBe(true)
    },
  )

  test.skipIf(process.platform === 'win32')('names no proxy in a file that anybody may write', async () => {
    const name = await file('proxy: http://proxy.example:3128')
    await chmod(name, 0o646)
    await expect(loadConfig(name)).rejects.toMatchObject({ code: 'unsafe_permissions' })
    await chmod(name, 0o644)
    expect((await loadConfig(name)).proxy).toBe('http://proxy.example:3128')
  })

  test.each(['http://user:Planted@p:1', 'p:1', '[]', '3', '""', 'ftp://p:1'])(
    'takes no proxy %s',
    async (text) => {
      const refused = await loadConfig(await file(`proxy: ${text}`)).catch((error: unknown) => error)
      expect(refused).toMatchObject({
        code: 'invalid_config',
        message: expect.stringContaining('expected a proxy'),
      })
      expect(String(refused)).not.toContain('Planted')
    },
  )
})

describe('parseConfigObject', () => {
  test('takes camelCase and fills in the defaults', () => {
    const config = parseConfigObject({
      cooldown: { rateLimitSeconds: 1, byProvider: { groq: { billingBackoffHours: 2 } } },
      gateway: { port: 1 },
      providers: { Corp: { label: 'Corp' } },
    })
    expect(config.cooldown).toEqual({ rateLimitSeconds: 1, byProvider: { groq: { billingBackoffHours: 2 } } })
    expect(config.gateway).toMatchObject({ port: 1, deadlineSeconds: 600 })
    expect(config.providers.corp?.settings).toEqual({ label: 'Corp' })
    expect(config.providers.corp?.where('label')).toBe('config.providers.corp.label')
  })

  test('takes undefined for absent', () => {
    expect(parseConfigObject(undefined)).toEqual(parseConfigObject({ gateway: { port: undefined } }))
  })

  test.each([
    [
      { default_preference: 'valid' },
      /^config\.default_preference: unknown key; defaultPreference, cooldown/,
    ],
    [
      { gateway: { port: '7878' } },
      /^config\.gateway\.port: expected a port from 0 to 65535, not this text$/,
    ],
    [{ gateway: new Map() }, /^config\.gateway: expected a mapping, not a mapping$/],
    [{ cooldown: { rateLimitSeconds: Number.NaN } }, /not NaN$/],
    [{ cooldown: { rateLimitSeconds: 5n } }, /not a bigint$/],
    [[], /^config: expected a mapping, not an empty list$/],
    ['valid', /^config: expected a mapping, not this text$/],
    [{ chains: { a: 'openai' } }, /^config\.chains\.a: expected a list/],
    [{ providers: { corp: null } }, /^config\.providers\.corp: expected a mapping, not nothing$/],
  ])('refuses %o', (value, message) => {
    expect(() => parseConfigObject(value)).toThrow(message)
  })

  test('gives a config or a KeymuxError, whatever the value', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
        (value) => {
          try {
            parseConfigObject(value)
            parseConfigObject({ gateway: value })
            parseConfigObject({ chains: value, providers: value })
          } catch (error) {
            expect(isKeymuxError(error, 'invalid_config')).toBe(true)
          }
        },
      ),
    )
  })
})
