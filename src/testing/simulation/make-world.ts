import type { UpstreamProvider } from '../upstream/types.js'
import { type Chance, chanceOf } from './chance.js'
import type { Episode, EpisodeKind, SeenAnswer, SimulatedAccount, SimulatedRequest, World } from './world.js'

const PROVIDERS: readonly UpstreamProvider[] = [
  'openai',
  'anthropic',
  'gemini',
  'groq',
  'deepseek',
  'xai',
  'openrouter',
]
const FEATURES = ['batch-tools', 'long-context', 'fast-mode']
const MINUTE = 60_000
/** Mean time between two requests, in milliseconds. */
const PACE_MS = 4_000
/** Mean time between the beginnings of two episodes, in milliseconds. */
const EPISODE_EVERY_MS = 12 * MINUTE

/** How often each kind of episode comes, and how long it lasts on average, in minutes. */
const EPISODES: Readonly<Record<EpisodeKind, { readonly weight: number; readonly minutes: number }>> = {
  limit: { weight: 8, minutes: 3 },
  overload: { weight: 5, minutes: 2 },
  outage: { weight: 3, minutes: 3 },
  unpaid: { weight: 2, minutes: 60 },
  revoked: { weight: 2, minutes: 40 },
  block_page: { weight: 2, minutes: 4 },
  hollow: { weight: 2, minutes: 4 },
  breaking: { weight: 2, minutes: 4 },
  silent: { weight: 1, minutes: 3 },
}
const KINDS = (Object.keys(EPISODES) as EpisodeKind[]).flatMap((kind) =>
  Array.from({ length: EPISODES[kind].weight }, () => kind),
)

/** Makes a world of so many requests. @param seen answers that are told for anything, beside those that are made up */
export function makeWorld(seed: number, requestCount: number, seen: readonly SeenAnswer[] = []): World {
  const chance = chanceOf(seed, 'world')
  const models = ['large', 'small', 'mini'].slice(0, 1 + chance.below(3))
  const accounts = Array.from({ length: 2 + chance.below(4) }, (_, index) => makeAccount(seed, index, models))
  const requests = makeRequests(seed, requestCount, models)
  const endMs = requests.at(-1)?.atMs ?? 0
  const episodes = makeEpisodes(seed, endMs, accounts, models)
  return { seed, provider: chance.pick(PROVIDERS), models, accounts, episodes, requests, seen }
}

function makeAccount(seed: number, index: number, models: readonly string[]): SimulatedAccount {
  const chance = chanceOf(seed, 'account', index)
  const organisation = chance.is(0.3) ? `org-${chance.below(2)}` : undefined
  return {
    name: `a${index}`,
    priority: chance.below(3),
    ...(organisation === undefined ? {} : { organisation }),
    isRelayed: chance.is(0.2),
    // The first one has everything: somebody could serve.
    withoutModels: index === 0 ? [] : models.filter(() => chance.is(0.15)),
    withoutFeatures: index === 0 ? [] : FEATURES.filter(() => chance.is(0.3)),
  }
}

function makeRequests(seed: number, count: number, models: readonly string[]): SimulatedRequest[] {
  const chance = chanceOf(seed, 'requests')
  const requests: SimulatedRequest[] = []
  let atMs = 0
  let pending: Pick<SimulatedRequest, 'conversation' | 'fault' | 'model'>[] = []
  for (let id = 1; id <= count; id += 1) {
    // Some come together, as agents that work side by side send them.
    atMs += chance.is(0.15) ? chance.below(50) : chance.wait(PACE_MS)
    const [again, ...rest] = chance.is(0.6) ? pending : []
    if (again !== undefined) pending = rest
    const made = again ?? newTurn(chance, id, models)
    // What is refused is sent again: by its program, and by its user.
    if (made.fault !== undefined && again === undefined) {
      pending.push(...Array.from({ length: chance.below(4) }, () => made))
    }
    const feature = made.fault === undefined && chance.is(0.05) ? chance.pick(FEATURES) : undefined
    requests.push({
      id,
      atMs,
      ...made,
      isStreamed: chance.is(0.5),
      ...(feature === undefined ? {} : { feature }),
      maxWaitMs: chance.is(0.2) ? 20_000 : 0,
    })
  }
  return requests
}

function newTurn(
  chance: Chance,
  id: number,
  models: readonly string[],
): Pick<SimulatedRequest, 'conversation' | 'fault' | 'model'> {
  const conversation = chance.below(12)
  const model = chance.pick(models)
  if (!chance.is(0.03)) return { conversation, model }
  const kind = chance.pick(['content', 'malformed', 'malformed', 'too_long'] as const)
  return { conversation: 100 + id, model, fault: { id: `${kind}-${id}`, kind } }
}

function makeEpisodes(
  seed: number,
  endMs: number,
  accounts: readonly SimulatedAccount[],
  models: readonly string[],
): Episode[] {
  const chance = chanceOf(seed, 'episodes')
  const episodes: Episode[] = []
  for (let atMs = chance.wait(EPISODE_EVERY_MS); atMs < endMs; atMs += chance.wait(EPISODE_EVERY_MS)) {
    const kind = chance.pick(KINDS)
    const place = placeOf(chance, kind, accounts, models)
    const toMs = atMs + Math.max(5_000, chance.wait(EPISODES[kind].minutes * MINUTE))
    const isRevoked = episodes.some((one) => one.kind === 'revoked' && one.toMs >= atMs && isOf(one, place))
    if (kind === 'revoked' && isRevoked) continue
    episodes.push({ id: `${kind}-${episodes.length}`, kind, ...place, fromMs: atMs, toMs })
  }
  return episodes
}

/** Limits, money and keys are an account's; capacity and outages are everybody's as often as not. */
function placeOf(
  chance: Chance,
  kind: EpisodeKind,
  accounts: readonly SimulatedAccount[],
  models: readonly string[],
): Pick<Episode, 'accounts' | 'model'> {
  const one = chance.pick(accounts)
  const ofOrganisation = accounts.filter(
    ({ name, organisation }) =>
      name === one.name || (organisation !== undefined && organisation === one.organisation),
  )
  const names = (list: readonly SimulatedAccount[]): string[] => list.map(({ name }) => name)
  const model = chance.pick(models)
  switch (kind) {
    case 'revoked':
      return { accounts: [one.name] }
    case 'unpaid':
      return { accounts: names(ofOrganisation) }
    case 'limit':
      return { accounts: names(ofOrganisation), ...(chance.is(0.5) ? { model } : {}) }
    case 'overload':
      return { accounts: names(chance.is(0.6) ? accounts : [one]), model }
    default:
      return { accounts: names(chance.is(0.3) ? accounts : [one]) }
  }
}

function isOf({ accounts }: Pick<Episode, 'accounts'>, other: Pick<Episode, 'accounts'>): boolean {
  return accounts.some((name) => other.accounts.includes(name))
}
