import { expect, test } from 'vitest'
import { openTestHandle } from '../../test/support/handle.js'
import { createMemoryStore } from '../storage/memory/index.js'

test('a store that cannot copy itself offers no backup, and whoever asks for one is told', async () => {
  const store = createMemoryStore().connect()
  expect(store.backup).toBeUndefined()
  const { vault, close } = await openTestHandle({ store })
  await expect(vault.backup('/nowhere')).rejects.toMatchObject({
    code: 'storage_unavailable',
    message: 'a vault in memory cannot be copied to a file',
  })
  expect((await vault.audit()).map(({ event }) => event)).not.toContain('backup')
  await close()
})
