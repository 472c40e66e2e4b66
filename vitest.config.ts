import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { ClosingLineReporter } from './scripts/closing-line-reporter.js'

// The developer's own vault and settings must not leak into the tests.
for (const name of Object.keys(process.env)) {
  if (name.startsWith('KEYMUX_')) delete process.env[name]
}

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'scripts/**/*.test.ts'],
    pool: 'forks',
    // Vitest leaves one core to itself; on two that is half of them.
    maxWorkers: '100%',
    // Generous: the key derivation and the child processes share few cores.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', new ClosingLineReporter()],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/**/*.test.ts'],
      reporter: ['text-summary', 'json-summary', 'html'],
      thresholds: { lines: 85, functions: 85, branches: 80 },
    },
  },
})

export default config
