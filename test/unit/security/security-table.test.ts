import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const TABLE = /\| feature [^\n]*\n\|[ :|-]+\|\n((?:\|[^\n]*\n)+)/

function read(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
}

/** Each row of the table of features: what it claims, and the tests that show it. */
const rows = (TABLE.exec(read('docs/security.md'))?.[1] ?? '')
  .trim()
  .split('\n')
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )

describe('the table of features in docs/security.md', () => {
  it('has a row for each feature', () => {
    expect(rows.length).toBeGreaterThanOrEqual(20)
  })

  it.each(rows.map((row) => [row[0] ?? '', row] as const))('%s: the tests that show it exist', (_feature, row) => {
    const [, openssl, gnutls, shown = ''] = row
    expect(`${openssl}${gnutls}`).not.toBe('')
    const tests = [...shown.matchAll(/([\w/.-]+\.ts): "([^"]+)"/g)]
    expect(tests.length).toBeGreaterThan(0)
    for (const [, file = '', title = ''] of tests) expect(read(`test/${file}`), `${file}: ${title}`).toContain(title)
  })
})
