// Checks everything and changes nothing. `--no-tests` leaves the suite out, for when it is run anyway.
import { hasCli, libraryEntries } from './entries.mjs'
import { runNode } from './processes.mjs'

const bin = (file, ...args) => [`node_modules/${file}`, ...args]

const STEPS = [
  ['format and lint', bin('@biomejs/biome/bin/biome', 'check', '--error-on-warnings')],
  ['types', bin('typescript/bin/tsc', '-p', '.')],
  [
    'layers',
    bin('dependency-cruiser/bin/dependency-cruise.mjs', 'src', '--config', '.dependency-cruiser.cjs'),
  ],
  ['package fields', ['scripts/package-fields.mjs']],
  ['hygiene', ['scripts/hygiene.mjs']],
  ...(libraryEntries().length > 0 || hasCli()
    ? [
        ['build', ['scripts/build.mjs']],
        ['package', ['scripts/package-check.mjs']],
      ]
    : []),
  ['docs', ['scripts/docs-check.mjs']],
]
if (!process.argv.includes('--no-tests')) {
  STEPS.push(['tests and coverage', bin('vitest/vitest.mjs', 'run', '--coverage'), { capture: false }])
}

const results = []
for (const [name, args, options = { capture: true }] of STEPS) {
  const startedAt = performance.now()
  const { code, output } = await runNode(args, options)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  const line = `${code === 0 ? 'ok    ' : 'FAILED'}  ${name.padEnd(20)} ${seconds.padStart(7)} s`
  process.stdout.write(code === 0 ? `${line}\n` : `\n${output.trimEnd()}\n${line}\n\n`)
  results.push({ line, ok: code === 0 })
}
const failed = results.filter(({ ok }) => !ok).length
process.stdout.write(`\n${results.map(({ line }) => line).join('\n')}\n`)
process.stdout.write(failed === 0 ? 'every check passed\n' : `${failed} of ${results.length} checks failed\n`)
process.exitCode = failed === 0 ? 0 : 1
