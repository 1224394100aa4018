import { getDiffieHellman } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { PskCredentials } from '../../src/security/credentials/psk-credentials.ts'
import { createGnutlsEngineFactory, type GnutlsTlsEngine } from '../../src/security/gnutls-engine.driver.ts'
import { createOpensslEngineFactory } from '../../src/security/openssl-engine.driver.ts'
import type { TlsEngineFactory } from '../../src/security/tls-engine.ts'
import { EnginePair } from './engine-pair.ts'

const key = new Uint8Array(32).fill(9)
const priority = 'NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-PSK:-CIPHER-ALL:+AES-256-GCM'

/** Big-endian, with the zero in front that keeps it positive. */
function integer(value: Uint8Array): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(value.length + 1)
  return Buffer.concat([Uint8Array.of(0x02, 0x82), length, Uint8Array.of(0), value])
}

/** PKCS #3. */
function toPem(prime: Uint8Array): string {
  const content = Buffer.concat([integer(prime), Uint8Array.of(0x02, 1, 2)])
  const length = Buffer.alloc(2)
  length.writeUInt16BE(content.length)
  const der = Buffer.concat([Uint8Array.of(0x30, 0x82), length, content])
  return `-----BEGIN DH PARAMETERS-----\n${der.toString('base64')}\n-----END DH PARAMETERS-----\n`
}

function createServer(dhParametersPem?: string): TlsEngineFactory {
  const credentials = PskCredentials.server({ keyOf: () => key })
  return createOpensslEngineFactory({ role: 'server', credentials, priority, dhParametersPem })
}

/** A GnuTLS client tells how long the prime was. */
async function primeBitsAt(server: TlsEngineFactory): Promise<number> {
  const credentials = PskCredentials.client({ identity: 'till-1', key })
  const pair = new EnginePair({ client: createGnutlsEngineFactory({ role: 'client', credentials, priority }), server })
  await pair.handshake()
  const { gnutls } = pair.client.engine as GnutlsTlsEngine
  const bits = gnutls.call('int gnutls_dh_get_prime_bits(gnutls_session_t session)', gnutls.session)
  pair.destroy()
  return bits
}

describe('Diffie-Hellman parameters of an openssl server', () => {
  it.each([
    ['modp14', 2048],
    ['modp15', 3072],
  ])('are those that were given: %s', async (name, bits) => {
    expect(await primeBitsAt(createServer(toPem(getDiffieHellman(name).getPrime())))).toBe(bits)
  })

  it("are OpenSSL's choice otherwise, by the strength of the cipher", async () => {
    expect(await primeBitsAt(createServer())).toBeGreaterThanOrEqual(3072)
  })

  // Node takes any text, and then has no DHE.
  it.each([
    ['text that is none', 'nonsense', /holds no "BEGIN DH PARAMETERS" block/],
    [
      'a block that is cut short',
      toPem(getDiffieHellman('modp14').getPrime()).replace(/.{40}\n-----END/, '\n-----END'),
      /holds no/,
    ],
    ['a short prime', toPem(getDiffieHellman('modp2').getPrime()), /has a prime of 1024 bits: give 2048/],
  ])('refuse %s', (_what, pem, text) => {
    expect(() => createServer(pem)).toThrow(
      expect.objectContaining({ code: 'ERR_SZMQ_BAD_CREDENTIALS', message: expect.stringMatching(text) }),
    )
  })
})
