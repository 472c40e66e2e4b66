import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NoUsableProfileError } from '../../src/domain/errors.js'
import type { ProfileView } from '../../src/domain/profiles.js'
import type { QuotaWindow } from '../../src/domain/quota.js'
import { modelAllowed } from '../../src/policy/model-globs.js'
import { QuotaFacts, type QuotaRank } from '../../src/policy/quota-facts.js'
import { openTestHandle, type TestHandle } from '../support/handle.js'

const MODELS = ['claude-opus-4', 'claude-sonnet-4', 'o3']
const PREFERENCES = ['default', 'valid', 'recent', 'type', 'quota', 'reset'] as const
const RESERVE = 15

type Step =
  | {
      readonly do: 'note'
      readonly model: string | undefined
      readonly used: number
      readonly seconds: number | undefined
      readonly isAside: boolean
      readonly isOverage: boolean
    }
  | { readonly do: 'fail'; readonly model: string | undefined; readonly wait: number }
  | { readonly do: 'use' | 'success' | 'toggle' | 'reset' | 'replace' }
  | { readonly do: 'set'; readonly priority: number; readonly models: readonly string[] | null }
  | { readonly do: 'advance'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('note' as const),
      model: fc.constantFrom(undefined, '', 'claude-*opus*', ...MODELS),
      used: fc.constantFrom(0, 0.3, 0.5, 0.86, 1),
      seconds: fc.constantFrom(undefined, 1, 30, 90, 7_200),
      isAside: fc.boolean(),
      isOverage: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      model: fc.constantFrom(undefined, ...MODELS),
      wait: fc.integer({ min: 1, max: 90_000 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'use' as const,
        'success' as const,
        'toggle' as const,
        'reset' as const,
        'replace' as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('set' as const),
      priority: fc.integer({ min: 0, max: 1 }),
      models: fc.constantFrom(null, null, ['claude-*'], ['o3']),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      ms: fc.constantFrom(1, 1_000, 29_000, 60_000, 3_600_000),
    }),
  },
)

function windowOf(each: Extract<Step, { do: 'note' }>, now: Date): QuotaWindow {
  const resetsAt = each.seconds === undefined ? undefined : new Date(now.getTime() + each.seconds * 1_000)
  return {
    dimension: 'tokens',
    utilization: each.used,
    seenAt: now,
    ...(each.model === undefined ? {} : { model: each.model }),
    ...(resetsAt === undefined ? {} : { resetsAt }),
    ...(each.isOverage ? { status: 'overage' as const } : {}),
    ...(each.isAside && resetsAt !== undefined ? { asideUntil: resetsAt } : {}),
  }
}

async function apply({ profiles, clock }: TestHandle, name: string, each: Step): Promise<void> {
  clock.advance(1)
  const id = `anthropic:${name}`
  switch (each.do) {
    case 'advance':
      return clock.advance(each.ms)
    case 'note':
      return profiles.noteQuota(id, [windowOf(each, clock.now())])
    case 'fail':
      return profiles.markFailure(id, 'rate_limit', { model: each.model, retryAfterMs: each.wait })
    case 'use':
      return profiles.markUsed(id)
    case 'success':
      return profiles.markSuccess(id)
    case 'reset':
      await profiles.reset(id)
      return
    case 'toggle':
      await profiles.update(id, { enabled: (await profiles.get(id))?.enabled !== true })
      return
    case 'replace':
      await profiles.add(
        { provider: 'anthropic', name, secret: `sk-ant-${name}-${clock.now().getTime()}` },
        { replace: true },
      )
      return
    case 'set':
      await profiles.update(id, { priority: each.priority, models: each.models })
  }
}

/** The rules of choice written down a second time, plainly. */
function expected(
  views: readonly ProfileView[],
  preference: (typeof PREFERENCES)[number],
  model: string | undefined,
  nowMs: number,
): string | undefined {
  const rank = (view: ProfileView): QuotaRank => new QuotaFacts(view.quota ?? [], nowMs, RESERVE).rank(model)
  const used = (view: ProfileView): number => view.lastUsedAt?.getTime() ?? 0
  const habit = (view: ProfileView): (number | string)[] => [view.lastGood ? 0 : 1, -used(view), view.name]
  const orders: Record<(typeof PREFERENCES)[number], (view: ProfileView) => (number | string)[]> = {
    default: (view) => [-view.priority, view.name],
    valid: (view) => [-view.priority, ...habit(view)],
    recent: (view) => [-used(view), -view.priority, view.name],
    type: (view) => [used(view), -view.priority, view.name],
    quota: (view) => [-view.priority, -(rank(view).level ?? 20), ...habit(view)],
    reset: (view) => [-view.priority, rank(view).resetMinute ?? Number.MAX_VALUE, ...habit(view)],
  }
  const key = (view: ProfileView): (number | string)[] => [
    rank(view).isReserved ? 1 : 0,
    ...orders[preference](view),
  ]
  const usable = views.filter(
    (view) =>
      view.state === 'available' &&
      (model === undefined ||
        (modelAllowed(view.models, model) &&
          !view.modelCooldowns.some((one) => one.model !== '' && modelAllowed([one.model], model)))),
  )
  const compare = (one: ProfileView, other: ProfileView): number => {
    const [a, b] = [key(one), key(other)]
    const at = a.findIndex((part, index) => part !== b[index])
    return at < 0 ? 0 : (a[at] as number) < (b[at] as number) ? -1 : 1
  }
  return [...usable].sort(compare)[0]?.id
}

/** What is explained is what would be handed out, one after the other. */
async function expectExplained(
  { profiles, resolver, clock }: TestHandle,
  preference: (typeof PREFERENCES)[number],
  model: string | undefined,
): Promise<void> {
  for (const named of [undefined, 'p1']) {
    const { candidates } = await resolver.explain('anthropic', named, { preference, model })
    const request = { provider: 'anthropic', preference, model, preferredProfile: named }
    const passed = new Set<NonNullable<ReturnType<typeof profiles.native.candidates.pick>>>()
    for (;;) {
      const entry = profiles.native.candidates.pick(request, clock.now().getTime(), passed)
      if (entry === undefined) break
      passed.add(entry)
    }
    const placed = candidates.filter(({ place }) => place !== undefined)
    expect(placed.map(({ profileId }) => profileId)).toEqual([...passed].map(({ id }) => id))
    expect(candidates).toHaveLength((await profiles.list()).length)
    for (const { place, rule, state } of candidates) {
      expect(rule === undefined).toBe(place === undefined)
      if (state === 'available') expect(place !== undefined || model !== undefined).toBe(true)
    }
  }
}

test.each([4, 40])(
  'with %i profiles the choice follows what is left, whatever has happened',
  async (size) => {
    const names = Array.from({ length: size }, (_, index) => `p${index}`)
    const steps = fc.array(fc.tuple(fc.constantFrom(...names.slice(0, 6)), step), {
      minLength: 1,
      maxLength: 30,
    })
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const handle = await openTestHandle({ reserve: RESERVE })
        for (const name of names) {
          await handle.profiles.add({ provider: 'anthropic', name, secret: `sk-ant-${name}` })
        }
        for (const [index, [name, each]] of history.entries()) {
          await apply(handle, name, each)
          const explained = PREFERENCES[index % PREFERENCES.length] ?? 'valid'
          await expectExplained(handle, explained, [undefined, ...MODELS][index % (MODELS.length + 1)])
          for (const preference of PREFERENCES) {
            for (const model of [undefined, ...MODELS]) {
              handle.clock.advance(1)
              const views = await handle.profiles.views({ provider: 'anthropic' })
              const got = await handle.resolver.resolve('anthropic', undefined, { preference, model }).then(
                (result) => result.profile.id,
                (error: unknown) => {
                  expect(error).toBeInstanceOf(NoUsableProfileError)
                  return undefined
                },
              )
              expect([preference, model, got]).toEqual([
                preference,
                model,
                expected(views, preference, model, handle.clock.now().getTime()),
              ])
            }
          }
        }
        await handle.close()
      }),
      { numRuns: size > 10 ? 15 : 40 },
    )
  },
  240_000,
)
