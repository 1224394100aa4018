// Each of these once ended the process within a TLS library, or let a stranger in, instead of being refused.
import { beforeAll, describe, expect, it } from 'vitest'
import { PskCredentials } from '../../src/security/credentials/psk-credentials.ts'
import { SrpCredentials } from '../../src/security/credentials/srp-credentials.ts'
import { createGnutlsEngineFactory } from '../../src/security/gnutls-engine.driver.ts'
import { createOpensslEngineFactory } from '../../src/security/openssl-engine.driver.ts'
import type { TlsOptions } from '../../src/security/tls-options.ts'
import { createTestPki, type TestPki } from './test-pki.ts'

let pki: TestPki
beforeAll(async () => {
  pki = await createTestPki()
})

const key = new Uint8Array(32).fill(7)
const client = PskCredentials.client({ identity: 'till-1', key })
const server = PskCredentials.server({ keyOf: () => key })

/** What somebody may give who does not have the types. */
function untyped(options: object): Partial<TlsOptions> {
  return options
}

describe.each([
  ['openssl', createOpensslEngineFactory],
  ['gnutls', createGnutlsEngineFactory],
] as const)('the options of the %s engine', (_name, create) => {
  it.each([
    ['a role that is none', untyped({ role: 'Server' }), /role is "Server": give one of client, server/],
    ['a misspelt demand for certificates', untyped({ clientCertificate: 'Required' }), /clientCertificate is "Required"/],
    ['a version that is none', untyped({ minVersion: 'TLSv1.1' }), /minVersion is "TLSv1.1"/],
    ['an application protocol without a name', { alpn: '' }, /alpn has 0 bytes/],
    ['an application protocol with too long a name', { alpn: 'é'.repeat(128) }, /alpn has 256 bytes/],
    // GnuTLS read up to the NUL, and spoke TLS 1.2 with a peer although minVersion was TLSv1.3.
    ['a priority with more behind a NUL', { priority: 'NORMAL\0', minVersion: 'TLSv1.3' }, /priority is "NORMAL.*without NUL/],
    ['ticket keys that are none', untyped({ resumption: { ticketKeys: {} } }), /give what createTicketKeys/],
    ['a store without its guard', untyped({ resumption: { store: new Map() } }), /store is not guarded/],
    ['sessions that are none', untyped({ resumption: { sessions: [] } }), /give new ClientSessions/],
    ['no credentials at all', untyped({ credentials: undefined }), /there are no credentials/],
    ['a lifetime that is no number', { resumption: { lifetimeMs: Number.NaN } }, /lifetimeMs is NaN/],
    ['a lifetime that is over before it begins', { resumption: { lifetimeMs: -1 } }, /lifetimeMs is -1/],
  ] as const)('refuse %s', (_what, options, text) => {
    expect(() => create({ role: 'server', credentials: pki.nodeA, ...options })).toThrow(
      expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT', message: expect.stringMatching(text) }),
    )
  })

  it("refuse a pre-shared key of the other side's", () => {
    expect(() => create({ role: 'server', credentials: client })).toThrow(/those of a client, and this is a server/)
    expect(() => create({ role: 'client', credentials: [server] })).toThrow(/those of a server, and this is a client/)
  })

  it('refuse two credentials that both say whom to trust', () => {
    for (const other of [pki.nodeB, pki.nodeB.trust])
      expect(() => create({ role: 'server', credentials: [pki.nodeA, other] })).toThrow(/two credentials of kind x509/)
  })
})

describe('SRP credentials', () => {
  it("are refused at the other side's end", () => {
    const credentials = SrpCredentials.client({ username: 'ada', password: 'secret' })
    expect(() => createGnutlsEngineFactory({ role: 'server', credentials })).toThrow(/those of a client/)
  })

  it.each([
    ['a promise', () => Promise.reject(new Error('the database is down'))],
    ['a salt that is none', () => ({ salt: 'salt', verifier: key, groupBits: 2048 })],
    ['a verifier larger than its group', () => ({ salt: key, verifier: new Uint8Array(257), groupBits: 2048 })],
    ['a group that is none', () => ({ salt: key, verifier: key, groupBits: 1024 })],
  ])('refuse %s in place of a verifier, and let no rejection escape', (_what, answer) => {
    const credentials = SrpCredentials.server({ verifierOf: () => answer() as never })
    expect(() => credentials.revealVerifier('ada')).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_BAD_CREDENTIALS' }))
  })
})
