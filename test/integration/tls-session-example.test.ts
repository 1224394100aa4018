import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { main } from '../../examples/tls-session/main.ts'
import { createGnutlsEngineFactory } from '../../src/security/gnutls-engine.driver.ts'

const root = new URL('../../', import.meta.url)

describe('the example of docs/security.md', () => {
  it('runs, with either engine', async () => {
    expect(await main()).toEqual(['TLSv1.3 with till-1', '3 apples'])
    const [opened, gnutls, message] = await main(createGnutlsEngineFactory)
    expect(opened).toBe('TLSv1.3 with till-1')
    expect(gnutls).toMatch(/^renegotiation is safe: \d$/)
    expect(message).toBe('3 apples')
  })

  it('stands there as it is', async () => {
    const page = await readFile(new URL('docs/security.md', root), 'utf8')
    const [, snippet] = /<!-- snippet: examples\/tls-session\/main\.ts -->\s+```ts\n(.*?)```/s.exec(page) ?? []
    expect(snippet).toBe(await readFile(new URL('examples/tls-session/main.ts', root), 'utf8'))
  })
})
