import type { Forwarder } from '../domain/forwarding.js'

/** A forwarder that is loaded with its first request: most programs that open a vault forward nothing. */
export function lazyForwarder(load: () => Promise<Forwarder>): Forwarder {
  let loading: Promise<Forwarder> | undefined
  let loaded: Forwarder | undefined
  const forwarder = async (): Promise<Forwarder> => {
    loading ??= load()
    loaded = await loading
    return loaded
  }
  return {
    forward: (request) =>
      loaded === undefined ? forwarder().then((one) => one.forward(request)) : loaded.forward(request),
    close: async () => (await loading)?.close(),
  }
}
