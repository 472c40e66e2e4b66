// Adds COUNT to a shared counter, one durable write at a time.
import { openSqliteStore } from '../../../src/storage/sqlite/index.js'

const [, , path = '', count = '0', name = '0'] = process.argv
const store = await openSqliteStore(path, { create: true })
for (let n = 0; n < Number(count); n++) {
  await store.write(async (tx) => {
    const value = Number(Buffer.from((await tx.getBlob('counter')) ?? []).toString() || '0')
    await tx.putBlob('counter', new Uint8Array(Buffer.from(String(value + 1))))
    await tx.putRow(`by-${name}`, new Uint8Array(Buffer.from(String(n).padStart(16))), Uint8Array.of(1))
    await tx.appendLog(Uint8Array.of(Number(name)))
  })
}
await store.close()
