import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../src/storage/sqlite/index.js'
import { storeContract } from './store.js'

storeContract({
  kind: 'sqlite',
  seenWithinMs: 50,
  async makePlace() {
    const folder = await mkdtemp(join(tmpdir(), 'keymux-store-'))
    const path = join(folder, 'vault.db')
    return {
      connect: () => openSqliteStore(path, { create: true }),
      async skipChanges(count) {
        const { DatabaseSync } = await import('@photostructure/sqlite')
        const database = new DatabaseSync(path)
        database.prepare('UPDATE state SET change = change + ?').run(count)
        database.close()
      },
      dispose: () => rm(folder, { recursive: true }),
    }
  },
})
