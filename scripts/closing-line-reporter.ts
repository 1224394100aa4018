import type { Reporter, TestModule } from 'vitest/node'

/** Ends a run with one plain line for people and scripts: `N passed, N failed`, and `, N skipped` when there were any. */
export class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      const failedBefore = count.failed
      for (const test of module.children.allTests()) count[test.result().state] += 1
      // A file that could not be loaded, or whose hooks failed, has no failed test of its own.
      if (module.state() === 'failed' && count.failed === failedBefore) count.failed += 1
    }
    const skipped = count.skipped + count.pending
    process.stdout.write(`\n${count.passed} passed, ${count.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
  }
}
