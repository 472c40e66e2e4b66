import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import type { CallOptions, VaultInterface } from '../domain/ports.js'

/** A vault in memory that can be locked and unlocked at will. */
export interface MemoryVault extends VaultInterface {
  /** From now on everything but `isUnlocked` rejects with `vault_locked`. */
  lock(): void
  unlock(): void
  /** Names of the secrets, sorted; also while it is locked. */
  names(): string[]
}

/**
 * Makes a vault in memory, unlocked.
 *
 * @param secrets what it holds at first, by name
 */
export function createMemoryVault(secrets: Readonly<Record<string, string>> = {}): MemoryVault {
  const held = new Map(Object.entries(secrets))
  let unlocked = true
  const ready = ({ signal }: CallOptions): void => {
    signal?.throwIfAborted()
    if (!unlocked) throw new KeymuxError('vault_locked', 'the vault is locked', { hint: 'unlock it first' })
  }
  return {
    async get(name, options = {}) {
      ready(options)
      const value = held.get(name)
      if (value === undefined) throw new KeymuxError('secret_not_found', `there is no secret ${quote(name)}`)
      return value
    },
    async set(name, value, options = {}) {
      ready(options)
      held.set(name, value)
    },
    async has(name, options = {}) {
      ready(options)
      return held.has(name)
    },
    async delete(name, options = {}) {
      ready(options)
      held.delete(name)
    },
    isUnlocked: () => unlocked,
    lock() {
      unlocked = false
    },
    unlock() {
      unlocked = true
    },
    names: () => [...held.keys()].sort(),
  }
}
