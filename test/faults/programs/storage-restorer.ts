// Puts a copy in the place of a vault, and says when it begins and when it is done.
import { writeSync } from 'node:fs'
import { stageRestore } from '../../../src/storage/sqlite/restore.js'

const [, , source = '', path = ''] = process.argv
const staged = await stageRestore(source, path)
writeSync(1, 'replacing\n')
await staged.replace()
writeSync(1, 'replaced\n')
staged.discard()
