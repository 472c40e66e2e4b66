import { fillBenchVault, median, openBenchVault, report, SIZES, withFolder } from './support.js'

const CALLS = 200_000
const RUNS = 7

const figures: number[] = []
for (const size of SIZES) {
  await withFolder(async (folder) => {
    await fillBenchVault(folder, size)
    const vault = await openBenchVault(folder)
    // Cooldowns are honoured, so some hold: a tenth of the best ones, and not the one that is chosen.
    for (let index = 9; index < Math.min(size, 100); index += 10) {
      if (index !== 9) await vault.profiles.markFailure(`openai:account-${index}`, 'billing')
    }
    const runs: number[] = []
    for (let run = 0; run < RUNS; run += 1) {
      const begin = performance.now()
      for (let call = 0; call < CALLS; call += 1) await vault.resolver.resolve('openai')
      runs.push(((performance.now() - begin) / CALLS) * 1_000)
    }
    await vault.close()
    const value = median(runs)
    figures.push(value)
    report({ what: `resolve, one of ${size}`, value, unit: 'µs', ...(size === 10 ? { target: 0.5 } : {}) })
  })
}
report({
  what: 'resolve, 100,000 against 10',
  value: (figures[3] ?? 0) / (figures[0] ?? 1),
  unit: '×',
  target: 1.2,
})
