import type { Store } from '../../src/storage/contract.js'
import { createMemoryStore } from '../../src/storage/memory/index.js'
import { openTestHandle, type TestHandle } from './handle.js'

/** A handle whose store is under the test's control, and another process on the same vault. */
export interface WatchedVault {
  readonly handle: TestHandle
  readonly other: TestHandle
  /** How many transactions `handle` has begun. */
  readonly written: () => number
  /** Lets every transaction of `handle` fail, until it is called without an error. */
  readonly refuse: (error: Error | undefined) => void
  /** Makes transactions of `handle` wait before they begin, until what it gives is called. */
  readonly hold: () => () => void
}

/** A vault with three profiles of openai: `a` and `c`, which share an account, and `b`. */
export async function openWatchedVault(): Promise<WatchedVault> {
  const memory = createMemoryStore()
  const inner = memory.connect()
  let count = 0
  let refusal: Error | undefined
  let gate: Promise<void> = Promise.resolve()
  const begin = async (): Promise<void> => {
    count += 1
    await gate
    if (refusal !== undefined) throw refusal
  }
  const store: Store = new Proxy(inner, {
    get: (target, key) => {
      if (key === 'writeState') {
        return async (batch: Parameters<Store['writeState']>[0]) => {
          await begin()
          return target.writeState(batch)
        }
      }
      if (key === 'write') {
        return async (body: Parameters<Store['write']>[0]) => {
          await begin()
          return target.write(body)
        }
      }
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const handle = await openTestHandle({ store })
  await handle.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a', priority: 2, account: 'org' })
  await handle.profiles.add({ provider: 'openai', name: 'b', secret: 'sk-b', priority: 1 })
  await handle.profiles.add({ provider: 'openai', name: 'c', secret: 'sk-c', account: 'org' })
  const other = await openTestHandle({ store: memory.connect(), clock: handle.clock })
  const before = count
  return {
    handle,
    other,
    written: () => count - before,
    refuse: (error) => {
      refusal = error
    },
    hold: () => {
      let release = (): void => {}
      gate = new Promise((resolve) => {
        release = resolve
      })
      return release
    },
  }
}
