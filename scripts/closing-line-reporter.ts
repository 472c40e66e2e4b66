import { writeSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

/**
 * Ends the whole output with one plain line: `N passed, N failed`, and `, N skipped` when there are any.
 * It is written as the process exits, because the coverage table comes after every reporter.
 */
export class ClosingLineReporter implements Reporter {
  #line: string | undefined

  onInit(): void {
    process.once('exit', () => {
      if (this.#line !== undefined) writeSync(1, `${this.#line}\n`)
    })
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      // a file that cannot be loaded, or whose hooks fail, fails without a test of it failing
      if (module.errors().length > 0) counts.failed += 1
      for (const test of module.children.allTests()) counts[test.result().state] += 1
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) counts.failed += 1
    }
    const skipped = counts.skipped + counts.pending
    this.#line = `${counts.passed} passed, ${counts.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
  }
}
