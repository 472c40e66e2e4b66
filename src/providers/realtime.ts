import type { ProviderFamily, ProviderMetadata } from '../domain/provider.js'

/** How a provider's sessions over WebSocket are asked for. */
export interface Realtime {
  /** The paths, relative to the base URL. */
  readonly paths: RegExp
  /** Query parameters that name the model, the first that is there counts. */
  readonly model: readonly string[]
  /** Its first message comes unasked, and is an error where the session cannot be had. */
  readonly greets: boolean
}

/**
 * Sessions, transcriptions and translations (developers.openai.com/api/reference, Realtime, Connect), and the same on
 * Azure, where the model is a deployment (learn.microsoft.com/azure/ai-foundry/openai/how-to/realtime-audio-websockets).
 * A key or account that is refused is told of by the first message of a connection that was accepted.
 */
const OPENAI: Realtime = {
  paths: /^(?:\/openai)?(?:\/v1)?\/realtime(?:\/translations)?$/,
  model: ['model', 'deployment'],
  greets: true,
}

/** The Live API and Lyria (ai.google.dev/api/live, ai.google.dev/api/live_music): the model stands in the first message of the client, who speaks first. */
const GEMINI: Realtime = {
  paths:
    /^\/ws\/google\.ai\.generativelanguage\.v1(?:alpha|beta)?\.GenerativeService\.BidiGenerate(?:Content|Music)$/,
  model: [],
  greets: false,
}

const BY_FAMILY: ReadonlyMap<ProviderFamily, Realtime> = new Map([
  ['openai', OPENAI],
  ['gemini', GEMINI],
])

/** What a path of a provider's is as a session over WebSocket; `undefined` where it is none. */
export function realtimeOf(provider: ProviderMetadata | undefined, path: string): Realtime | undefined {
  if (provider === undefined || provider.realtime === false) return undefined
  const realtime = BY_FAMILY.get(provider.family ?? 'openai')
  return realtime?.paths.test(path) === true ? realtime : undefined
}
