import type { Egress } from './domain/egress.js'
import type { RouteParts, Routes } from './egress/routes.js'

/** The ways out of this machine in an open vault. */
export interface ComposedEgress {
  /** Loaded with the first request that leaves: most programs that open a vault send none. */
  readonly routes: () => Promise<Routes>
  readonly egress: Egress
  close(): Promise<void>
}

export function composeEgress(parts: RouteParts): ComposedEgress {
  let loading: Promise<Routes> | undefined
  const routes = (): Promise<Routes> => {
    loading ??= import('./egress/routes.js').then((module) => new module.Routes(parts))
    return loading
  }
  return {
    routes,
    egress: {
      proxyFor: async (...call) => (await routes()).proxyFor(...call),
      send: async (...call) => (await routes()).send(...call),
      probe: async (...call) => (await routes()).probe(...call),
    },
    close: async () => (await loading)?.close(),
  }
}
