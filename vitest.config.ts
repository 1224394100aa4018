import { defineConfig } from 'vitest/config'
import { ClosingLineReporter } from './scripts/closing-line-reporter.ts'

export default defineConfig({
  resolve: {
    alias: {
      'szmq/security': new URL('./src/security/index.ts', import.meta.url).pathname,
      szmq: new URL('./src/index.ts', import.meta.url).pathname,
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', new ClosingLineReporter()],
    // A process for each file: worker threads and ZeroMQ's shared context then end with it. tsx lets worker threads load TypeScript.
    pool: 'forks',
    execArgv: ['--import', 'tsx'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
