import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NoUsableProfileError } from '../../src/domain/errors.js'
import type { ProfilePreference } from '../../src/domain/ports.js'
import type { ProfileView } from '../../src/domain/profiles.js'
import { openTestHandle, type TestHandle } from '../support/handle.js'

const NAMES = ['default', 'a', 'b', 'c', 'd', 'e']
const MODELS = ['gpt-4o', 'o3']
const RANK = { oauth: 0, token: 1, api_key: 2 }

type Step =
  | {
      readonly do: 'put'
      readonly name: string
      readonly priority: number
      readonly mode: 'api_key' | 'token'
      readonly account: string
    }
  | { readonly do: 'remove' | 'toggle' | 'success' | 'use' | 'reset'; readonly name: string }
  | {
      readonly do: 'fail'
      readonly name: string
      readonly reason: 'rate_limit' | 'billing' | 'auth' | 'server_error' | 'overloaded'
      readonly model: string | undefined
      readonly wait: number | undefined
    }
  | { readonly do: 'advance'; readonly ms: number }

const name = fc.constantFrom(...NAMES)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      name,
      priority: fc.integer({ min: 0, max: 2 }),
      mode: fc.constantFrom('api_key' as const, 'token' as const),
      account: fc.constantFrom('', 'x', 'y'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'remove' as const,
        'toggle' as const,
        'success' as const,
        'use' as const,
        'reset' as const,
      ),
      name,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      name,
      reason: fc.constantFrom(
        'rate_limit' as const,
        'billing' as const,
        'auth' as const,
        'server_error' as const,
        'overloaded' as const,
      ),
      model: fc.option(fc.constantFrom(...MODELS), { nil: undefined }),
      wait: fc.option(fc.integer({ min: 1, max: 90_000 }), { nil: undefined }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      ms: fc.oneof(fc.integer({ min: 1, max: 60_000 }), fc.constant(6 * 3_600_000)),
    }),
  },
)

async function apply(handle: TestHandle, each: Step): Promise<void> {
  const { profiles, clock } = handle
  if (each.do === 'advance') return clock.advance(each.ms)
  // Uses at different instants, so that no order depends on ties.
  clock.advance(1)
  const id = `openai:${each.name}`
  if (each.do === 'put') {
    const account = each.account === '' ? {} : { account: each.account }
    const input = {
      provider: 'openai',
      name: each.name,
      mode: each.mode,
      priority: each.priority,
      secret: `sk-${each.name}`,
    }
    await profiles.add({ ...input, ...account }, { replace: true })
    return
  }
  const profile = await profiles.get(id)
  if (profile === undefined) return
  switch (each.do) {
    case 'remove':
      return profiles.delete(id)
    case 'toggle':
      await profiles.update(id, { enabled: !profile.enabled })
      return
    case 'success':
      return profiles.markSuccess(id)
    case 'use':
      return profiles.markUsed(id)
    case 'reset':
      await profiles.reset(id)
      return
    case 'fail':
      await profiles.markFailure(id, each.reason, {
        ...(each.model === undefined ? {} : { model: each.model }),
        ...(each.wait === undefined ? {} : { retryAfterMs: each.wait }),
      })
  }
}

/** The rules of choice written down a second time, plainly. */
const orders: Record<Exclude<ProfilePreference, 'weighted'>, (view: ProfileView) => (number | string)[]> = {
  default: (view) => [view.name === 'default' ? 0 : 1, -view.priority, view.name],
  valid: (view) => [-view.priority, view.lastGood ? 0 : 1, -(view.lastUsedAt?.getTime() ?? 0), view.name],
  recent: (view) => [-(view.lastUsedAt?.getTime() ?? 0), -view.priority, view.name],
  // Of no profile here is known what is left.
  quota: (view) => orders.valid(view),
  reset: (view) => orders.valid(view),
  type: (view) => [RANK[view.mode], view.lastUsedAt?.getTime() ?? 0, -view.priority, view.name],
}

function expected(
  views: readonly ProfileView[],
  preference: keyof typeof orders,
  model: string | undefined,
): string | undefined {
  const key = orders[preference]
  const compare = (one: ProfileView, other: ProfileView): number => {
    const [a, b] = [key(one), key(other)]
    const at = a.findIndex((part, index) => part !== b[index])
    return at < 0 ? 0 : (a[at] as number) < (b[at] as number) ? -1 : 1
  }
  const usable = views.filter(
    (view) => view.state === 'available' && !view.modelCooldowns.some((window) => window.model === model),
  )
  return [...usable].sort(compare)[0]?.id
}

describe('choice', () => {
  test('after any history it is the first usable one in the order of preference', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const handle = await openTestHandle()
        const other = handle
        for (const each of steps) {
          await apply(handle, each)
          for (const preference of ['default', 'valid', 'recent', 'type', 'quota', 'reset'] as const) {
            for (const model of [undefined, ...MODELS]) {
              handle.clock.advance(1)
              const views = await other.profiles.views({ provider: 'openai' })
              const options = { preference, ...(model === undefined ? {} : { model }) }
              const got = await handle.resolver
                .resolve('openai', undefined, options)
                .then((result) => result.profile.id)
                .catch((error: unknown) => {
                  expect(error).toBeInstanceOf(NoUsableProfileError)
                  return undefined
                })
              expect(got).toBe(expected(views, preference, model))
            }
          }
        }
        await handle.close()
      }),
      { numRuns: 60 },
    )
  }, 120_000)

  test('who is told to come back finds somebody available then', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const handle = await openTestHandle()
        for (const each of steps) await apply(handle, each)
        const refused = await handle.resolver.resolve('openai').then(
          () => undefined,
          (error: unknown) => error,
        )
        if (refused instanceof NoUsableProfileError && refused.retryAt !== undefined) {
          handle.clock.set(new Date(refused.retryAt.getTime() - 1))
          await expect(handle.resolver.resolve('openai')).rejects.toBeInstanceOf(NoUsableProfileError)
          handle.clock.set(refused.retryAt)
          expect((await handle.resolver.resolve('openai')).credential).toMatch(/^sk-/)
        }
        await handle.close()
      }),
      { numRuns: 150 },
    )
  }, 120_000)
})
