import { fillBenchVault, median, openBenchVault, report, SIZES, withFolder } from './support.js'

const RUNS = 7

for (const size of SIZES) {
  await withFolder(async (folder) => {
    await fillBenchVault(folder, size)
    const times: number[] = []
    let used = 0
    for (let run = 0; run < RUNS; run += 1) {
      globalThis.gc?.()
      const before = process.memoryUsage()
      const begin = performance.now()
      const vault = await openBenchVault(folder)
      const views = await vault.profiles.views()
      times.push(performance.now() - begin)
      if (views.length !== size) throw new Error(`${views.length} of ${size} listed`)
      views.length = 0
      globalThis.gc?.()
      const after = process.memoryUsage()
      used = after.heapUsed + after.external - before.heapUsed - before.external
      await vault.close()
    }
    const perTenThousand = (used / size) * 10_000
    report({
      what: `unlock (without KDF) and list ${size}`,
      value: median(times),
      unit: 'ms',
      ...(size === 10_000 ? { target: 100 } : {}),
    })
    if (size >= 10_000) {
      report({ what: `memory per 10,000 of ${size}`, value: perTenThousand / 1e6, unit: 'MB', target: 15 })
    }
  })
}
