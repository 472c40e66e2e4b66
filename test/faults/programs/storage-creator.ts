// Makes a vault that must not exist, fills it in one write as `init` does, and waits.
import { openSqliteStore } from '../../../src/storage/sqlite/index.js'

const [, , path = '', stay = ''] = process.argv
await import('@photostructure/sqlite')
process.stdout.write('creating\n')
const store = await openSqliteStore(path, { mustNotExist: true })
await store.write((tx) => tx.putBlob('header', Uint8Array.of(1)))
process.stdout.write('created\n')
if (stay === 'stay') setInterval(() => undefined, 1000)
else await store.close()
