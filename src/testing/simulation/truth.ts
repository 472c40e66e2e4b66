import type {
  Episode,
  EpisodeKind,
  RequestFault,
  SimulatedAccount,
  SimulatedRequest,
  World,
} from './world.js'

/** Why an account does not serve a request. */
export interface Fault {
  /** The same fault has the same id, whoever meets it. */
  readonly id: string
  readonly kind: EpisodeKind | 'model' | 'feature' | RequestFault['kind']
  /** What is at fault. */
  readonly of: 'provider' | 'account' | 'model' | 'request'
  /** When it is over, in milliseconds since the beginning; absent: never. */
  readonly endMs?: number
}

/** The order in which they are noticed: what stands in front of a provider, then its checks. */
const ORDER: readonly EpisodeKind[] = [
  'outage',
  'block_page',
  'silent',
  'revoked',
  'unpaid',
  'limit',
  'overload',
  'hollow',
  'breaking',
]
const OF_PROVIDER: ReadonlySet<EpisodeKind> = new Set([
  'outage',
  'block_page',
  'silent',
  'overload',
  'hollow',
  'breaking',
])

/** What keeps an account from serving a request at an instant; `undefined` when it serves. */
export function faultOf(
  world: World,
  account: SimulatedAccount,
  request: Pick<SimulatedRequest, 'model' | 'fault' | 'feature'>,
  atMs: number,
): Fault | undefined {
  const episode = episodesOf(world, account, request.model).find(
    ({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs,
  )
  const isFirst = episode !== undefined && ORDER.indexOf(episode.kind) <= ORDER.indexOf('unpaid')
  if (isFirst) return faultIn(episode)
  const { model, feature, fault } = request
  if (account.withoutModels.includes(model)) {
    return { id: `${account.name} has no ${model}`, kind: 'model', of: 'model' }
  }
  if (feature !== undefined && account.withoutFeatures.includes(feature)) {
    return { id: `${account.name} has no ${feature}`, kind: 'feature', of: 'request' }
  }
  if (fault !== undefined) return { ...fault, of: 'request' }
  return episode && faultIn(episode)
}

/** Whether an account serves a request at every instant of a time. A stream that breaks off later is served. */
export function servesThroughout(
  world: World,
  account: SimulatedAccount,
  request: SimulatedRequest,
  fromMs: number,
  toMs: number,
): boolean {
  const changes = episodesOf(world, account, request.model)
    .flatMap((one) => [one.fromMs, one.toMs])
    .filter((atMs) => atMs > fromMs && atMs <= toMs)
  return [fromMs, ...changes, toMs].every((atMs) => {
    const fault = faultOf(world, account, request, atMs)
    return fault === undefined || (fault.kind === 'breaking' && request.isStreamed)
  })
}

/** Whether an account as a whole is in order: something it has would be served. */
export function isSound(world: World, account: SimulatedAccount, atMs: number): boolean {
  return world.models.some((model) => faultOf(world, account, { model }, atMs) === undefined)
}

/** The episodes of each world, by account and model: they are asked for at every call. */
const KNOWN = new WeakMap<World, Map<string, readonly Episode[]>>()

function episodesOf(world: World, { name }: SimulatedAccount, model: string): readonly Episode[] {
  const known = KNOWN.get(world) ?? new Map<string, readonly Episode[]>()
  KNOWN.set(world, known)
  const key = `${name} ${model}`
  const found = known.get(key)
  if (found !== undefined) return found
  const made = world.episodes
    .filter((one) => one.accounts.includes(name) && (one.model === undefined || one.model === model))
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind))
  known.set(key, made)
  return made
}

function faultIn({ id, kind, toMs, model }: Episode): Fault {
  const of = OF_PROVIDER.has(kind) ? 'provider' : model === undefined ? 'account' : 'model'
  return { id, kind, of, endMs: toMs }
}
