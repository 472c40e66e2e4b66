// Mends what can be mended by machine: generated parts, format, imports, safe lint fixes.
import { runNode } from './processes.mjs'

const STEPS = [
  ['scripts/package-fields.mjs', '--write'],
  ['scripts/docs-check.mjs', '--write'],
  ['node_modules/@biomejs/biome/bin/biome', 'check', '--write'],
]

let failed = false
for (const args of STEPS) {
  const { code } = await runNode(args)
  failed ||= code !== 0
}
process.exitCode = failed ? 1 : 0
