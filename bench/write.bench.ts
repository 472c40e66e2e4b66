import { fillBenchVault, median, openBenchVault, report, SIZES, withFolder } from './support.js'

const CALLS = 300

for (const size of SIZES) {
  await withFolder(async (folder) => {
    await fillBenchVault(folder, size)
    const vault = await openBenchVault(folder)
    const profile = await vault.profiles.get('openai:account-3')
    if (profile === undefined) throw new Error('the vault is empty')
    const saves: number[] = []
    const failures: number[] = []
    for (let call = 0; call < CALLS; call += 1) {
      const first = performance.now()
      await vault.profiles.save({ ...profile, priority: call })
      const second = performance.now()
      await vault.profiles.markFailure(`openai:account-${call % size}`, 'rate_limit', { retryAfterMs: 1_000 })
      saves.push(second - first)
      failures.push(performance.now() - second)
    }
    await vault.close()
    report({ what: `save one of ${size}, durable`, value: median(saves), unit: 'ms', target: 0.5 })
    report({
      what: `mark a failure, ${size} profiles, durable`,
      value: median(failures),
      unit: 'ms',
      target: 0.3,
    })
  })
}
