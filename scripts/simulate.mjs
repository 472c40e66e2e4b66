// Sends seeded requests through the forwarding core before providers that lie, and prints what came of it:
// `npm run simulate -- --requests 100000 --seed 1`, a single world again with `--seed SEED --requests 1000`.
import { parseArgs } from 'node:util'
import { simulate } from '../dist/entries/testing.js'

const USAGE = 'npm run simulate -- [--requests N] [--per-world N] [--seed N] [--no-shrink] [--json]'
const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '100000' },
    'per-world': { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    'no-shrink': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(USAGE)
  process.exit(0)
}

const started = performance.now()
const report = await simulate({
  seed: Number(values.seed),
  requests: Number(values.requests),
  requestsPerWorld: Number(values['per-world']),
  shrinks: !values['no-shrink'],
})
const seconds = (performance.now() - started) / 1_000
if (values.json) console.log(JSON.stringify({ ...report, seconds }, undefined, 2))
else print(report)
process.exitCode = report.breaches.length === 0 ? 0 : 1

function print({ tally, checks, ratio, breaches }) {
  const { requests, served, calls, oracle, paused, refused } = tally
  console.log(`${requests} requests in ${seconds.toFixed(1)} s, ${served} served`)
  console.log(
    `${calls} calls, ${checks} of them half-open trials; an oracle needs ${oracle}: ${ratio.toFixed(3)}`,
  )
  console.log(
    `${paused} failed while an account paused for a minute or less, ${refused} met an unknown refusal`,
  )
  console.log(`answers by status: ${counts(tally.statuses)}`)
  console.log(`what accounts said: ${counts(tally.told)}`)
  for (const { rule, seed, atMs, what, trace = [] } of breaches) {
    console.log(`\n${rule}, seed ${seed}, after ${(atMs / 1_000).toFixed(1)} s: ${what}`)
    for (const line of trace) console.log(`  ${line}`)
  }
  console.log(breaches.length === 0 ? 'every rule held' : `\n${breaches.length} breaches`)
}

function counts(all) {
  const entries = Object.entries(all).sort(([, a], [, b]) => b - a)
  return entries.map(([name, count]) => `${name} ${count}`).join(', ')
}
