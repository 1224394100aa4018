import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { LIBRARY_VARIABLE, loadGnutls, MIN_GNUTLS_VERSION } from '../../../../src/security/gnutls/library.driver.ts'

const ENGINE = new URL('../../../../src/security/gnutls-engine.driver.ts', import.meta.url).href
const CREDENTIALS = new URL('../../../../src/security/credentials/credentials.ts', import.meta.url).href

/** Makes a factory in a process of its own, where the library is another. @returns what it threw, as JSON */
async function makeWith(library: string): Promise<{ readonly code?: string; readonly message?: string }> {
  const code = `
    const { createGnutlsEngineFactory } = await import(${JSON.stringify(ENGINE)})
    const { INSECURE_ANONYMOUS } = await import(${JSON.stringify(CREDENTIALS)})
    try {
      createGnutlsEngineFactory({ role: 'client', credentials: INSECURE_ANONYMOUS })
      console.log('{}')
    } catch ({ code, message }) {
      console.log(JSON.stringify({ code, message }))
    }`
  const args = ['--import', 'tsx', '--input-type=module', '-e', code]
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, [LIBRARY_VARIABLE]: library } })
  const answer: { readonly code?: string; readonly message?: string } = JSON.parse(stdout)
  return answer
}

describe('libgnutls', () => {
  it.each(['/nowhere/libgnutls.so.30', 'libc.so.6'])(
    'that is missing, or is %s instead, is ERR_SZMQ_ENGINE_UNAVAILABLE with how to install it',
    async (library) => {
      const { code, message } = await makeWith(library)
      expect(code, message).toBe('ERR_SZMQ_ENGINE_UNAVAILABLE')
      for (const line of [
        'apt-get install libgnutls30',
        'dnf install gnutls',
        'brew install gnutls',
        LIBRARY_VARIABLE,
        library,
      ])
        expect(message).toContain(line)
    },
  )

  it('is loaded on first use, not with the module', async () => {
    const code = `await import(${JSON.stringify(ENGINE)}); console.log('loaded')`
    const args = ['--import', 'tsx', '--input-type=module', '-e', code]
    const env = { ...process.env, [LIBRARY_VARIABLE]: '/nowhere/libgnutls.so.30' }
    expect((await promisify(execFile)(process.execPath, args, { env })).stdout).toBe('loaded\n')
  })

  it('is new enough here, and loaded once', () => {
    expect(MIN_GNUTLS_VERSION).toBe('3.6.13')
    expect(loadGnutls().version).toMatch(/^3\.\d+\.\d+/)
    expect(loadGnutls()).toBe(loadGnutls())
  })
})
