import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { main } from '../../examples/readme/counter.ts'

const root = new URL('../../', import.meta.url)

describe('README', () => {
  it('shows the example that runs', async () => {
    expect(await main()).toBe(4)
    const readme = await readFile(new URL('README.md', root), 'utf8')
    const [, snippet] = /<!-- snippet: examples\/readme\/counter\.ts -->\s+```ts\n(.*?)```/s.exec(readme) ?? []
    expect(snippet).toBe(await readFile(new URL('examples/readme/counter.ts', root), 'utf8'))
  })

  it('links to files that are there', async () => {
    const readme = await readFile(new URL('README.md', root), 'utf8')
    for (const [, path] of readme.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      await expect(readFile(new URL(path ?? '', root))).resolves.toBeDefined()
    }
  })
})
