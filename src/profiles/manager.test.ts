import { describe, expect, test } from 'vitest'
import { openTestHandle } from '../../test/support/handle.js'
import { KeymuxError } from '../domain/errors.js'
import { isProfileValid } from '../domain/profile.js'
import { createMemoryStore } from '../storage/memory/index.js'
import { createFakeClock } from '../testing/fake-clock.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe('profiles', () => {
  test('what is added is listed, read back and deleted', async () => {
    const { profiles } = await openTestHandle()
    const added = await profiles.add({ provider: 'OpenAI', name: 'work', secret: 'sk-one', priority: 3 })
    expect(added.id).toBe('openai:work')
    const profile = await profiles.get('openai:work')
    expect(profile).toMatchObject({
      provider: 'openai',
      name: 'work',
      mode: 'api_key',
      priority: 3,
      enabled: true,
    })
    expect(profile?.apiKey?.key).toBe('sk-one')
    expect((await profiles.list()).map((each) => each.id)).toEqual(['openai:work'])
    await profiles.delete('openai:work')
    expect(await profiles.get('openai:work')).toBeUndefined()
    await expect(profiles.delete('openai:work')).rejects.toMatchObject({ code: 'profile_not_found' })
  })

  test('an existing profile is not overwritten unless asked', async () => {
    const { profiles } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'work', secret: 'sk-one' })
    await expect(profiles.add({ provider: 'openai', name: 'work', secret: 'sk-two' })).rejects.toMatchObject({
      code: 'profile_exists',
    })
    expect((await profiles.get('openai:work'))?.apiKey?.key).toBe('sk-one')
    await profiles.add({ provider: 'openai', name: 'work', secret: 'sk-two' }, { replace: true })
    expect((await profiles.get('openai:work'))?.apiKey?.key).toBe('sk-two')
  })

  test('a second handle sees changes, failures and deletions', async () => {
    const memory = createMemoryStore()
    const one = await openTestHandle({ store: memory.connect() })
    const two = await openTestHandle({ store: memory.connect(), clock: one.clock })
    await one.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a', priority: 2 })
    await one.profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b' })
    expect((await two.resolver.resolve('openai')).credential).toBe('sk-a')
    await two.profiles.markFailure('openai:a', 'rate_limit')
    expect((await one.resolver.resolve('openai')).credential).toBe('sk-b')
    one.clock.advance(30_001)
    expect((await one.resolver.resolve('openai')).credential).toBe('sk-a')
    await two.profiles.delete('openai:a')
    expect((await one.resolver.resolve('openai')).credential).toBe('sk-b')
  })

  test('a write that is refused does not hide what another writes next', async () => {
    const memory = createMemoryStore()
    const one = await openTestHandle({ store: memory.connect() })
    const two = await openTestHandle({ store: memory.connect(), clock: one.clock })
    await one.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await two.profiles.list()
    await expect(one.profiles.add({ provider: 'openai', name: 'a', secret: 'sk' })).rejects.toThrow('exists')
    await two.profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b' })
    expect((await one.profiles.list()).map((profile) => profile.name)).toEqual(['a', 'b'])
    expect(await one.vault.check()).toEqual([])
  })

  test('many at once in two handles: both end up with what is stored', async () => {
    const memory = createMemoryStore()
    const one = await openTestHandle({ store: memory.connect() })
    const { clock } = one
    const handles = [one, await openTestHandle({ store: memory.connect(), clock })]
    for (const name of ['a', 'b', 'c']) {
      await handles[0]?.profiles.add({ provider: 'openai', name, secret: 'sk', account: 'org' })
    }
    const work = Array.from({ length: 300 }, async (_, index) => {
      const profiles = handles[index % 2]?.profiles
      const id = `openai:${['a', 'b', 'c'][index % 3]}`
      if (index % 5 === 0) await profiles?.update(id, { priority: index })
      else if (index % 5 === 1) await profiles?.markFailure(id, 'rate_limit')
      else if (index % 5 === 2) await profiles?.markSuccess(id)
      else if (index % 5 === 3) await profiles?.reset(id)
      else await profiles?.views()
    })
    await Promise.all(work)
    const fresh = await openTestHandle({ store: memory.connect(), clock })
    const facts = async (handle: (typeof handles)[number] | undefined): Promise<unknown> =>
      (await handle?.profiles.views())?.map(({ lastUsedAt: _unwritten, ...view }) => view)
    expect(await facts(handles[0])).toEqual(await facts(fresh))
    expect(await facts(handles[1])).toEqual(await facts(fresh))
    expect(await fresh.vault.check()).toEqual([])
  })

  test('failures, usage and last good survive a restart', async () => {
    const memory = createMemoryStore()
    const first = await openTestHandle({ store: memory.connect() })
    await first.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await first.profiles.markSuccess('openai:a')
    await first.profiles.markFailure('openai:a', 'billing', { message: 'no money for sk-a' })
    await first.close()
    const second = await openTestHandle({ store: memory.connect(), clock: first.clock })
    const view = await second.profiles.view('openai:a')
    expect(view).toMatchObject({
      state: 'disabled',
      unusableReason: 'billing',
      errorCount: 1,
      failureCounts: { billing: 1 },
      lastGood: true,
      lastError: 'no money for [redacted]',
    })
    expect(view.lastUsedAt).toEqual(first.clock.now())
    expect(view.unusableUntil).toEqual(new Date(first.clock.now().getTime() + 5 * HOUR))
  })

  test('profiles of one account share limits and bills, others do not', async () => {
    const { profiles, resolver } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a', account: 'org-1', priority: 2 })
    await profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b', account: 'org-1', priority: 1 })
    await profiles.add({ provider: 'openai', name: 'c', secret: 'sk-c', account: 'org-2' })
    await profiles.markFailure('openai:a', 'rate_limit', { retryAfterMs: 60_000 })
    expect((await resolver.resolve('openai')).credential).toBe('sk-c')
    expect((await profiles.view('openai:b')).state).toBe('cooling')
    expect(await profiles.reset('openai:b')).toEqual(['openai:b'])
    expect((await resolver.resolve('openai')).credential).toBe('sk-b')
    expect((await profiles.stats('openai:a')).failureCounts).toEqual({ rate_limit: 1 })
  })

  test('replacing the credential lifts a disable, changing the priority does not', async () => {
    const { profiles } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await profiles.markFailure('openai:a', 'auth_permanent')
    await profiles.update('openai:a', { priority: 5 })
    expect((await profiles.view('openai:a')).state).toBe('disabled')
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-new' }, { replace: true })
    expect((await profiles.view('openai:a')).state).toBe('available')
  })

  test('renaming keeps secret, usage, windows and last good', async () => {
    const { profiles } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a', account: 'org' })
    await profiles.markSuccess('openai:a')
    await profiles.markFailure('openai:a', 'session_expired')
    const renamed = await profiles.rename('openai:a', 'b')
    expect(renamed.id).toBe('openai:b')
    expect(renamed.apiKey?.key).toBe('sk-a')
    expect(await profiles.view('openai:b')).toMatchObject({ state: 'cooling', lastGood: true, errorCount: 1 })
    expect(await profiles.get('openai:a')).toBeUndefined()
  })

  test('a clock that was wrong leaves no window longer than its own maximum, and the cut is stored', async () => {
    const memory = createMemoryStore()
    const first = await openTestHandle({ store: memory.connect() })
    await first.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    first.clock.set(new Date('2040-01-01T00:00:00Z'))
    await first.profiles.markFailure('openai:a', 'rate_limit')
    await first.close()
    const at = new Date('2026-06-01T00:00:00Z')
    first.clock.set(at)
    const second = await openTestHandle({ store: memory.connect(), clock: first.clock })
    expect((await second.profiles.view('openai:a')).unusableUntil).toEqual(new Date(at.getTime() + 30_000))
    await second.close()
    first.clock.advance(20_000)
    const third = await openTestHandle({ store: memory.connect(), clock: first.clock })
    expect((await third.profiles.view('openai:a')).unusableUntil).toEqual(new Date(at.getTime() + 30_000))
    first.clock.advance(10_001)
    expect((await third.resolver.resolve('openai')).credential).toBe('sk-a')
  })

  test('two machines whose clocks differ by hours agree within one window', async () => {
    const memory = createMemoryStore()
    const ahead = createFakeClock('2026-01-01T03:00:00Z')
    const right = createFakeClock('2026-01-01T00:00:00Z')
    const there = await openTestHandle({ store: memory.connect(), clock: ahead })
    const here = await openTestHandle({ store: memory.connect(), clock: right })
    await there.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await there.profiles.markFailure('openai:a', 'rate_limit')
    const until = (await here.profiles.view('openai:a')).unusableUntil
    expect(until).toEqual(new Date('2026-01-01T00:00:30Z'))
    right.advance(30_000)
    expect((await here.resolver.resolve('openai')).credential).toBe('sk-a')
    await here.profiles.markFailure('openai:a', 'rate_limit')
    // Three hours ago as seen from there: over long since, and not in the way.
    expect((await there.resolver.resolve('openai')).credential).toBe('sk-a')
  })

  test('clearing expired cooldowns tells whether anything changed and keeps the exponent', async () => {
    const { profiles, clock } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await profiles.markFailure('openai:a', 'billing')
    expect(await profiles.clearExpiredCooldowns()).toBe(false)
    clock.advance(5 * HOUR + 1)
    expect(await profiles.clearExpiredCooldowns()).toBe(true)
    expect(await profiles.clearExpiredCooldowns()).toBe(false)
    await profiles.markFailure('openai:a', 'billing')
    const { unusableUntil } = await profiles.view('openai:a')
    expect(unusableUntil).toEqual(new Date(clock.now().getTime() + 10 * HOUR))
  })

  test('uses are written to the audit once an hour for each surface, not once each', async () => {
    const memory = createMemoryStore()
    const clock = createFakeClock()
    const use = async (): Promise<number> => {
      const handle = await openTestHandle({ store: memory.connect(), clock })
      await handle.resolver.resolve('openai')
      await handle.close()
      const again = await openTestHandle({ store: memory.connect(), clock })
      const uses = (await again.vault.audit()).filter((entry) => entry.event === 'used').length
      await again.close()
      return uses
    }
    const owner = await openTestHandle({ store: memory.connect(), clock })
    await owner.profiles.add({ provider: 'openai', secret: 'sk' })
    await owner.close()
    expect([await use(), await use(), await use()]).toEqual([1, 1, 1])
    clock.advance(HOUR + 1)
    expect(await use()).toBe(2)
  })

  test('a store that cannot be written any more does not fail the closing', async () => {
    const memory = createMemoryStore()
    const connection = memory.connect()
    const { profiles, resolver } = await openTestHandle({ store: connection })
    await profiles.add({ provider: 'openai', secret: 'sk' })
    await resolver.resolve('openai')
    connection.write = () => Promise.reject(new KeymuxError('storage_full', 'the disk is full'))
    await expect(profiles.flush()).rejects.toMatchObject({ code: 'storage_full' })
    await expect(profiles.close()).resolves.toBeUndefined()
  })

  test('a failure of a profile whose secret cannot be opened is recorded all the same', async () => {
    const memory = createMemoryStore()
    const { profiles } = await openTestHandle({ store: memory.connect() })
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    const attacker = memory.connect()
    const [row] = await attacker.read((reader) => reader.scan('profile'))
    const body = Uint8Array.from(row?.body ?? [])
    body[body.length - 1] = (body[body.length - 1] ?? 0) ^ 1
    await attacker.write(async (tx) => tx.putRow('profile', row?.id ?? body, body))
    await profiles.markFailure('openai:a', 'auth', { message: 'no' })
    expect(await profiles.view('openai:a')).toMatchObject({ failureCounts: { auth: 1 }, lastError: 'no' })
  })

  test('listing opens no secret, and a listed profile is as valid as a read one', async () => {
    const { profiles, clock } = await openTestHandle()
    await profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await profiles.add({ provider: 'anthropic', name: 't', mode: 'token', reference: 'env://T' })
    const listed = await profiles.list()
    expect(listed.map((profile) => isProfileValid(profile, clock.now()))).toEqual([true, true])
    const key = Object.getOwnPropertyDescriptor(listed[1]?.apiKey, 'key')
    expect(key?.get).toBeTypeOf('function')
    expect(key?.value).toBeUndefined()
  })

  test('a write that fails changes nothing in memory', async () => {
    const { profiles } = await openTestHandle()
    await expect(profiles.add({ provider: 'openai', name: 'a', secret: '' })).rejects.toMatchObject({
      code: 'invalid_secret',
    })
    await expect(profiles.rename('openai:a', 'b')).rejects.toMatchObject({ code: 'profile_not_found' })
    expect(await profiles.list()).toEqual([])
  })

  test.each([
    [{ provider: 'nobody', secret: 'x' }, 'unknown_provider'],
    [{ provider: '../x', secret: 'x' }, 'invalid_profile_id'],
    [{ provider: 'openai', name: 'a:b', secret: 'x' }, 'invalid_profile_id'],
    [{ provider: 'openai', name: ' a', secret: 'x' }, 'invalid_profile_id'],
    [{ provider: 'openai', name: 'a\u0007', secret: 'x' }, 'invalid_profile_id'],
    [{ provider: 'openai', mode: 'oauth' as const }, 'unsupported_mode'],
    [{ provider: 'openai', secret: 'x'.repeat(1024 * 1024 + 1) }, 'invalid_secret'],
    [{ provider: 'openai', secret: 'a\0b' }, 'invalid_secret'],
    [{ provider: 'openai', reference: 'ftp://x' }, 'invalid_reference'],
    [{ provider: 'openai', secret: 'x', reference: 'env://X' }, 'invalid_secret'],
    [{ provider: 'openai', secret: 'x', priority: Number.NaN }, 'invalid_value'],
    [{ provider: 'openai', secret: 'x', baseUrl: 'http://example.com' }, 'invalid_value'],
    [{ provider: 'openai', secret: 'x', baseUrl: 'https://u:p@example.com' }, 'invalid_value'],
    [{ provider: 'openai', secret: 'x', expiresAt: new Date() }, 'invalid_value'],
  ])('refuses %j', async (input, code) => {
    const { profiles } = await openTestHandle()
    await expect(profiles.add(input)).rejects.toMatchObject({ code })
    expect(await profiles.list()).toEqual([])
  })
})
