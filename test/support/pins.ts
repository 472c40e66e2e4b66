import type { PinStore } from '../../src/vault/pin-keeper.js'

/** Pins in memory, by the vault's id. */
export function memoryPins(): PinStore & { readonly kept: Map<string, string> } {
  const kept = new Map<string, string>()
  return {
    kept,
    read: async (id) => kept.get(id),
    update: async (id, next) => {
      const text = next(kept.get(id))
      if (text !== undefined) kept.set(id, text)
    },
  }
}
