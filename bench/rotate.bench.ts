import { fillBenchVault, openBenchVault, report, SIZES, withFolder } from './support.js'

for (const size of SIZES.filter((each) => each >= 1_000)) {
  await withFolder(async (folder) => {
    await fillBenchVault(folder, size)
    const vault = await openBenchVault(folder)
    const begin = performance.now()
    const { rows } = await vault.rotate()
    const took = performance.now() - begin
    await vault.close()
    report({ what: `rotate a vault of ${rows} rows, and read it again`, value: took, unit: 'ms' })
  })
}
