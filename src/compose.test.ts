import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { composeKeymux, openKeymux } from './compose.js'
import { newStore, Resolver } from './compose-compat.js'
import type { OpenKeymuxOptions } from './compose-options.js'
import type { Keymux } from './domain/keymux.js'
import { ROTATION_LOCK } from './storage/locks.js'
import { openSqliteStore } from './storage/sqlite/index.js'
import { createMemoryVault } from './testing/memory-vault.js'

const folder = mkdtempSync(join(tmpdir(), 'keymux-compose-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
process.env.XDG_STATE_HOME = join(folder, 'state')

const handles: Keymux[] = []
afterEach(async () => {
  await Promise.all(handles.splice(0).map((keymux) => keymux.close()))
})

async function opened(options: OpenKeymuxOptions): Promise<Keymux> {
  const keymux = await openKeymux(options)
  handles.push(keymux)
  return keymux
}

describe('a command that ends', () => {
  test('does not wait for a rotation that does not get on', async () => {
    const path = join(folder, 'stopped', 'vault.db')
    const unlock = { keyFile: join(folder, 'stopped-key') }
    const owner = await openKeymux({ vault: path, unlock, create: true })
    await owner.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await owner.close()
    const store = await openSqliteStore(path, { busyTimeoutMs: 60 })
    const command = await composeKeymux({ vault: store, unlock, shortLived: true, surface: 'cli' })
    const rotation = await store.locks.acquire(ROTATION_LOCK, { timeoutMs: 0 })
    const rotator = new DatabaseSync(path)
    rotator.exec('BEGIN IMMEDIATE')
    const begun = performance.now()
    expect((await command.resolver.resolve('openai')).credential).toBe('sk-a')
    await command.close()
    // Who writes waits for it for a minute.
    expect(performance.now() - begun).toBeLessThan(20_000)
    rotator.close()
    await rotation?.release()
  })
})

describe('openKeymux', () => {
  test('creates what is absent, opens what is there, and refuses a wrong passphrase', async () => {
    const vault = join(folder, 'one', 'vault.db')
    await expect(openKeymux({ vault, unlock: { passphrase: 'a' } })).rejects.toMatchObject({
      code: 'vault_not_found',
    })
    const first = await openKeymux({ vault, unlock: { passphrase: 'pass' }, create: true })
    await first.tools.add({ provider: 'openai', name: 'work', mode: 'api_key', api_key: 'sk-work' })
    await first[Symbol.asyncDispose]()
    const again = await openKeymux({ vault, unlock: { passphrase: 'pass' }, create: true })
    const { credential, profile } = await again.resolver.resolve('openai', 'work')
    expect([credential, profile.id]).toEqual(['sk-work', 'openai:work'])
    await again.close()
    await again.close()
    await expect(again.resolver.resolve('openai')).rejects.toMatchObject({ code: 'vault_locked' })
    await expect(openKeymux({ vault, unlock: { passphrase: 'wrong' } })).rejects.toMatchObject({
      code: 'wrong_passphrase',
    })
    await expect(openKeymux({ vault, unlock: { passphrase: '' } })).rejects.toMatchObject({
      code: 'invalid_secret',
    })
    await expect(openKeymux({ vault, unlock: { keychain: true } })).rejects.toMatchObject({
      code: 'vault_locked',
    })
  })

  test('several that create the same vault at once with a new key file all open the same one', async () => {
    const vault = join(folder, 'race', 'vault.db')
    const keyFile = join(folder, 'race-key')
    const all = await Promise.all(
      Array.from({ length: 6 }, () => openKeymux({ vault, unlock: { keyFile }, create: true })),
    )
    await all[0]?.profiles.add({ provider: 'openai', secret: 'sk' })
    for (const keymux of all) expect((await keymux.profiles.list()).length).toBeLessThanOrEqual(1)
    await Promise.all(all.map((keymux) => keymux.close()))
    expect(readdirSync(folder).filter((name) => name.startsWith('race-key'))).toEqual(['race-key'])
    const keymux = await opened({ vault, unlock: { keyFile } })
    expect((await keymux.resolver.resolve('openai')).credential).toBe('sk')
  })

  test('a config object or file governs cooldowns, preference, providers and references', async () => {
    const keymux = await opened({
      vault: join(folder, 'config', 'vault.db'),
      unlock: { keyFile: join(folder, 'config-key') },
      create: true,
      config: {
        cooldown: { rateLimitSeconds: 7 },
        providers: { corp: { base_url: 'https://corp.example/v1', env_key: 'CORP_KEY' } },
        references: { exec: true },
      },
    })
    await keymux.profiles.add({ provider: 'corp', name: 'a', reference: `exec://${process.execPath} -p 6*7` })
    expect((await keymux.resolver.resolve('corp')).credential).toBe('42')
    const { unusableUntil } = await keymux.profiles.reportFailure('corp:a', 'rate_limit')
    const wait = (unusableUntil?.getTime() ?? 0) - Date.now()
    expect(wait).toBeGreaterThan(5_000)
    expect(wait).toBeLessThanOrEqual(7_000)
    const bad = { config: { cooldown: { rateLimitSeconds: -1 } }, vault: 'x', unlock: { keyFile: 'y' } }
    await expect(openKeymux(bad)).rejects.toMatchObject({ code: 'invalid_config' })
    await expect(
      openKeymux({ ...bad, config: { providers: { corp: { base_url: 'http://example.com' } } } }),
    ).rejects.toMatchObject({ code: 'invalid_config', message: expect.stringContaining('corp') })
  })

  test('exec references are refused where the config does not allow them', async () => {
    const keymux = await opened({
      vault: join(folder, 'plain', 'vault.db'),
      unlock: { keyFile: join(folder, 'plain-key') },
      create: true,
    })
    await keymux.profiles.add({ provider: 'openai', reference: 'exec://true' })
    await expect(keymux.resolver.resolve('openai')).rejects.toMatchObject({
      reasons: [{ state: 'failed', reason: 'invalid_reference' }],
    })
  })

  test.skipIf(process.platform !== 'linux')(
    'nothing of a vault that cannot be opened stays open',
    async () => {
      const vault = join(folder, 'one', 'vault.db')
      const before = readdirSync('/proc/self/fd', { withFileTypes: false }).length
      for (let turn = 0; turn < 3; turn += 1) {
        await openKeymux({ vault: join(folder, 'absent.db'), unlock: { keyFile: 'x' } }).catch(() => {})
        await composeKeymux({ vault, unlock: { keyFile: join(folder, 'no-such-key') } }).catch(() => {})
      }
      expect(readdirSync('/proc/self/fd').length).toBeLessThan(before + 20)
    },
  )
})

describe('newStore', () => {
  test('keeps profiles as the original does, in any vault, and starts empty while it is locked', async () => {
    const vault = createMemoryVault()
    const messages: string[] = []
    const logger = {
      debug() {},
      info() {},
      warn: (message: string) => void messages.push(message),
      error() {},
    }
    vault.lock()
    const store = newStore({ vault, logger })
    expect(await store.list()).toEqual([])
    expect(messages.join()).toContain('locked')
    const profile = {
      id: 'openai:a' as const,
      provider: 'openai',
      name: 'a',
      mode: 'api_key' as const,
      priority: 0,
      enabled: true,
      createdAt: new Date(0),
      updatedAt: new Date(0),
      apiKey: { key: 'sk-a' },
    }
    await expect(store.save(profile)).rejects.toMatchObject({ code: 'vault_locked' })
    vault.unlock()
    await store.save(profile)
    await store.markFailure('openai:a', 'billing')
    const other = newStore({ vault })
    expect(await other.isInCooldown('openai:a')).toBe(true)
    expect((await other.get('openai:a'))?.apiKey?.key).toBe('sk-a')
    await expect(new Resolver({ store: other }).resolve('openai')).rejects.toMatchObject({
      code: 'no_usable_profile',
    })
    expect(JSON.parse(await vault.get('auth:profiles:store'))).toMatchObject({
      version: 1,
      profiles: { 'openai:a': { api_key: { key: 'sk-a' } } },
      usage_stats: { 'openai:a': { disabled_reason: 'billing' } },
    })
  })

  test('refused keys are counted, however often the document is read again', async () => {
    const vault = createMemoryVault()
    const store = newStore({ vault })
    const now = new Date()
    await store.save({
      id: 'openai:a',
      provider: 'openai',
      name: 'a',
      mode: 'api_key',
      priority: 0,
      enabled: true,
      createdAt: now,
      updatedAt: now,
      apiKey: { key: 'sk-a' },
    })
    for (let turn = 0; turn < 2; turn += 1) await store.markFailure('openai:a', 'auth')
    expect(await store.isInCooldown('openai:a')).toBe(false)
    await newStore({ vault }).markFailure('openai:a', 'auth')
    expect(await newStore({ vault }).isInCooldown('openai:a')).toBe(true)
  })

  test('limits of an account hold for its other keys while the process lives', async () => {
    const store = newStore({ vault: createMemoryVault() })
    for (const name of ['a', 'b']) {
      await store.save({
        id: `openai:${name}`,
        provider: 'openai',
        name,
        mode: 'api_key',
        priority: 0,
        enabled: true,
        createdAt: new Date(0),
        updatedAt: new Date(0),
        apiKey: { key: `sk-${name}` },
        account: 'org',
      })
    }
    await store.markFailure('openai:a', 'rate_limit', { retryAfterMs: 60_000 })
    await store.markError('openai:b', 'something else')
    expect(await store.isInCooldown('openai:b')).toBe(true)
  })

  test('on a vault of keymux it is the manager of its handle', async () => {
    const keymux = await opened({
      vault: join(folder, 'native', 'vault.db'),
      unlock: { keyFile: join(folder, 'native-key') },
      create: true,
    })
    await newStore({ vault: keymux.vault }).save({
      id: 'openai:a',
      provider: 'openai',
      name: 'a',
      mode: 'api_key',
      priority: 0,
      enabled: true,
      createdAt: new Date(),
      updatedAt: new Date(),
      apiKey: { key: 'sk-a' },
    })
    expect((await keymux.resolver.resolve('openai')).credential).toBe('sk-a')
  })
})
