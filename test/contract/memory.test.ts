import { createMemoryStore } from '../../src/storage/memory/index.js'
import { storeContract } from './store.js'

storeContract({
  kind: 'memory',
  seenWithinMs: 0,
  async makePlace() {
    const memory = createMemoryStore()
    return {
      connect: async () => memory.connect(),
      async skipChanges(count) {
        const store = memory.connect()
        for (let i = 0; i < count; i++) await store.write(async () => undefined)
        await store.close()
      },
      dispose: async () => undefined,
    }
  },
})
