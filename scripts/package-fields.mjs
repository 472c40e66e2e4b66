// Keeps `exports` and `bin` of package.json equal to scripts/entries.mjs; `--write` mends them.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { packageFields, ROOT } from './entries.mjs'

const file = path.join(ROOT, 'package.json')
const present = JSON.parse(readFileSync(file, 'utf8'))
const { exports: _exports, bin: _bin, dependencies, ...rest } = present
const { devDependencies, overrides, ...head } = rest
const wanted = { ...head, ...packageFields(), dependencies, devDependencies, overrides }

if (
  JSON.stringify(present.exports) !== JSON.stringify(wanted.exports) ||
  present.bin?.keymux !== wanted.bin?.keymux
) {
  if (process.argv.includes('--write')) {
    writeFileSync(file, `${JSON.stringify(wanted, null, 2)}\n`)
  } else {
    process.stderr.write('package.json: exports or bin differ from scripts/entries.mjs; run: npm run fix\n')
    process.exitCode = 1
  }
}
