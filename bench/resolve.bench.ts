import type { ResolveOptions } from '../src/domain/resolver.js'
import { readQuota } from '../src/policy/quota-headers.js'
import {
  type BenchVault,
  fillBenchVault,
  median,
  openBenchVault,
  report,
  SIZES,
  withFolder,
} from './support.js'

const CALLS = 50_000
const RUNS = 5
const MODEL = 'gpt-4o'
const RESERVE = 10

/** One way of choosing. */
interface Case {
  readonly what: string
  readonly options: (call: number) => ResolveOptions | undefined
}

const familiar = ['openai:account-3', 'openai:account-7'].map((profileId) => ({
  familiar: { profileId, above: true },
}))

const PLAIN: Case = { what: 'resolve', options: () => undefined }
/** With quota windows, weights and a reserve on record. */
const LIMITED: readonly Case[] = [
  { what: 'with quota windows', options: () => undefined },
  { what: 'for a model, by what is left of it', options: always({ model: MODEL, preference: 'quota' }) },
  { what: 'by weight', options: always({ preference: 'weighted' }) },
  { what: 'in conversations with two accounts', options: (call) => familiar[call & 1] },
]

function always(options: ResolveOptions): Case['options'] {
  return () => options
}

const figures = new Map<string, number[]>()

async function measure(vault: BenchVault, size: number, { what, options }: Case): Promise<void> {
  const runs: number[] = []
  for (let run = 0; run < RUNS; run += 1) {
    const begin = performance.now()
    for (let call = 0; call < CALLS; call += 1)
      await vault.resolver.resolve('openai', undefined, options(call))
    runs.push(((performance.now() - begin) / CALLS) * 1_000)
  }
  const value = median(runs)
  figures.set(what, [...(figures.get(what) ?? []), value])
  report({ what: `${what}, one of ${size}`, value, unit: 'µs', ...(size === 10 ? { target: 0.5 } : {}) })
}

/** Answers of every account, each with less left than the last but one in ten. */
function limit({ profiles }: BenchVault, size: number): void {
  const now = new Date()
  for (let index = 0; index < size; index += 1) {
    const headers = {
      'x-ratelimit-limit-requests': '1000',
      'x-ratelimit-remaining-requests': String(50 + (index % 900)),
      'x-ratelimit-reset-requests': '1h',
    }
    profiles.noteQuota(`openai:account-${index}`, readQuota(headers, { now, model: MODEL, good: true }))
  }
}

for (const size of SIZES) {
  await withFolder(async (folder) => {
    await fillBenchVault(folder, size)
    const vault = await openBenchVault(folder, { reserve: RESERVE })
    // Cooldowns are honoured, so some hold: a tenth of the best ones, and not the one that is chosen.
    for (let index = 9; index < Math.min(size, 100); index += 10) {
      if (index !== 9) await vault.profiles.markFailure(`openai:account-${index}`, 'billing')
    }
    await measure(vault, size, PLAIN)
    limit(vault, size)
    for (const one of LIMITED) await measure(vault, size, one)
    await vault.close()
  })
}
for (const [what, values] of figures) {
  report({
    what: `${what}, 100,000 against 10`,
    value: (values[3] ?? 0) / (values[0] ?? 1),
    unit: '×',
    target: 1.2,
  })
}
