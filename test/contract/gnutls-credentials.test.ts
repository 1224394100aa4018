import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { INSECURE_ANONYMOUS, type Credentials } from '../../src/security/credentials/credentials.ts'
import {
  createGnutlsEngineFactory,
  createSrpVerifier,
  type GnutlsEngineOptions,
} from '../../src/security/gnutls-engine.driver.ts'
import { createCrl, createDevelopmentCa } from '../../src/security/pki/pki.driver.ts'
import { PskCredentials } from '../../src/security/credentials/psk-credentials.ts'
import { RawPublicKeyCredentials } from '../../src/security/credentials/raw-public-key-credentials.ts'
import { SrpCredentials, type SrpVerifier } from '../../src/security/credentials/srp-credentials.ts'
import type { TlsFacts } from '../../src/security/tls-engine.ts'
import { X509Trust } from '../../src/security/credentials/x509-trust.ts'
import { EnginePair } from './engine-pair.ts'
import { createTestPki, type TestPki } from './test-pki.ts'

let pki: TestPki
beforeAll(async () => {
  pki = await createTestPki()
})

type Given = { client: Partial<GnutlsEngineOptions>; server: Partial<GnutlsEngineOptions> }

function createPair({ client, server }: Given): EnginePair {
  return new EnginePair({
    client: createGnutlsEngineFactory({ role: 'client', credentials: [], ...client }),
    server: createGnutlsEngineFactory({ role: 'server', credentials: [], ...server }),
  })
}

async function agree(pair: EnginePair): Promise<{ client: TlsFacts; server: TlsFacts }> {
  pair.start()
  const [client, server] = await Promise.all([pair.client.untilSecure(), pair.server.untilSecure()])
  pair.client.engine.send(Uint8Array.of(1, 2))
  pair.server.engine.send(Uint8Array.of(3))
  await Promise.all([pair.server.untilReceived(2), pair.client.untilReceived(1)])
  return { client, server }
}

describe('a user name and a password (SRP)', () => {
  const verifiers = new Map<string, SrpVerifier>()
  beforeAll(() => {
    verifiers.set('ada', createSrpVerifier({ username: 'ada', password: 'correct horse', groupBits: 2048 }))
    verifiers.set('béla', createSrpVerifier({ username: 'béla', password: 'nagyon titkos' }))
  })
  const server = { credentials: SrpCredentials.server({ verifierOf: (username) => verifiers.get(username) }) }
  const clientOf = (username: string, password: string): Partial<GnutlsEngineOptions> => ({
    credentials: SrpCredentials.client({ username, password }),
  })

  it.each([
    ['ada', 'correct horse'],
    ['béla', 'nagyon titkos'],
  ])('proves %s and the server to each other, in TLS 1.2', async (username, password) => {
    const pair = createPair({ client: clientOf(username, password), server })
    const facts = await agree(pair)
    for (const { peer, version, cipherSuite } of [facts.client, facts.server]) {
      expect(peer).toEqual({ verifiedBy: 'srp', subject: username, names: [] })
      expect(version).toBe('TLSv1.2')
      expect(cipherSuite).toMatch(/^TLS_SRP_SHA_WITH_AES_(256|128)_CBC_SHA$/)
    }
    pair.destroy()
  })

  it.each([
    ['a wrong password', 'ada'],
    ['a user who is unknown', 'eve'],
  ])(
    'fails with ERR_SZMQ_WRONG_PASSWORD at both ends for %s, so that nobody can find out who is known',
    async (_what, name) => {
      const pair = createPair({ client: clientOf(name, 'wrong horse'), server })
      pair.start()
      const [atServer, atClient] = [await pair.server.untilFailed(), await pair.client.untilFailed()]
      expect([atServer.code, atClient.code]).toEqual(['ERR_SZMQ_WRONG_PASSWORD', 'ERR_SZMQ_WRONG_PASSWORD'])
      for (const end of [pair.client, pair.server]) expect(end.has('secure')).toBe(false)
      expect(inspect(atServer) + inspect(atClient)).not.toContain('wrong horse')
      const shape = pair.client.messages('received')
      expect(shape).toEqual(['ServerHello', 'ServerKeyExchange', 'ServerHelloDone', 'Alert'])
      pair.destroy()
    },
  )

  it('gives an unknown user the same made-up salt each time, as long as a real one', async () => {
    const salts = new Set<string>()
    const factory = createGnutlsEngineFactory({ role: 'server', ...server })
    for (let times = 0; times < 3; times++) {
      const client = SrpCredentials.client({ username: 'eve', password: 'guess' })
      const pair = new EnginePair({
        server: factory,
        client: createGnutlsEngineFactory({ role: 'client', credentials: client }),
      })
      pair.start()
      await pair.server.untilFailed()
      const flight = pair.server.events.flatMap((event) => (event.kind === 'ciphertext' ? [Buffer.from(event.bytes)] : []))[0]
      salts.add(saltOf(flight ?? Buffer.alloc(0)).toString('hex'))
      pair.destroy()
    }
    expect([...salts].map((salt) => salt.length / 2)).toEqual([verifiers.get('ada')?.salt.length])
  })

  it('can be refused by authorize, before the client is let in', async () => {
    const pair = createPair({ client: clientOf('ada', 'correct horse'), server: { ...server, authorize: () => 'not today' } })
    pair.start()
    expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_NOT_AUTHORIZED')
    expect((await pair.client.untilFailed()).code).toBe('ERR_SZMQ_REFUSED_BY_PEER')
    expect(pair.client.has('secure')).toBe(false)
    pair.destroy()
  })

  it('fails one session when looking a user up throws', async () => {
    const broken = SrpCredentials.server({
      verifierOf: () => {
        throw new Error('the database is gone')
      },
    })
    const pair = createPair({ client: clientOf('ada', 'correct horse'), server: { credentials: broken } })
    pair.start()
    expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_BAD_CREDENTIALS')
    await pair.client.untilFailed()
    pair.destroy()
  })

  it('makes another verifier for each salt, and refuses what is no name', () => {
    const again = createSrpVerifier({ username: 'ada', password: 'correct horse', groupBits: 2048 })
    expect(Buffer.from(again.verifier).equals(verifiers.get('ada')?.verifier ?? again.verifier)).toBe(false)
    expect(again.verifier.length).toBe(256)
    expect(() => createSrpVerifier({ username: '', password: 'x' })).toThrow(
      expect.objectContaining({ code: 'ERR_SZMQ_BAD_CREDENTIALS' }),
    )
  })

  /** The salt of a ServerKeyExchange (RFC 5054 §2.5.2: N, g, s, B) in the server's first flight, whose messages follow each other as records. */
  function saltOf(flight: Buffer): Buffer {
    for (let at = 0; at < flight.length; at += 5 + flight.readUInt16BE(at + 3)) {
      if (flight[at + 5] !== 12) continue
      let field = at + 9
      field += 2 + flight.readUInt16BE(field)
      field += 2 + flight.readUInt16BE(field)
      return flight.subarray(field + 1, field + 1 + (flight[field] ?? 0))
    }
    return Buffer.alloc(0)
  }
})

describe('raw public keys', () => {
  const keysOf = (type: 'ed25519' | 'ec') => {
    const made = type === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
    return {
      privateKey: String(made.privateKey.export({ type: 'pkcs8', format: 'pem' })),
      publicKey: String(made.publicKey.export({ type: 'spki', format: 'pem' })),
    }
  }

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const versions = { minVersion: version, maxVersion: version }
    // GnuTLS 3.7 finds no use for an Ed25519 key without a certificate in TLS 1.2.
    it.each(version === 'TLSv1.3' ? (['ed25519', 'ec'] as const) : (['ec'] as const))(
      `prove both sides by %s keys that each knows, in ${version}`,
      async (type) => {
        const [a, b] = [keysOf(type), keysOf(type)]
        const pair = createPair({
          client: {
            credentials: new RawPublicKeyCredentials({ privateKey: a.privateKey, trustedKeys: [b.publicKey] }),
            ...versions,
          },
          server: {
            credentials: new RawPublicKeyCredentials({ privateKey: b.privateKey, trustedKeys: [a.publicKey] }),
            ...versions,
          },
        })
        const { client, server } = await agree(pair)
        for (const { peer } of [client, server]) {
          expect(peer.verifiedBy).toBe('rawPublicKey')
          expect(peer.subject).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
        }
        expect(client.version).toBe(version)
        expect(client.peer.subject).not.toBe(server.peer.subject)
        pair.destroy()
      },
    )

    it.each(['client', 'server'] as const)(`refuse a key that the %s does not know, in ${version}`, async (side) => {
      const [a, b, strange] = [keysOf('ec'), keysOf('ec'), keysOf('ec')]
      const trusted = { client: b.publicKey, server: a.publicKey, [side]: strange.publicKey }
      const pair = createPair({
        client: {
          credentials: new RawPublicKeyCredentials({ privateKey: a.privateKey, trustedKeys: [trusted.client] }),
          ...versions,
        },
        server: {
          credentials: new RawPublicKeyCredentials({ privateKey: b.privateKey, trustedKeys: [trusted.server] }),
          ...versions,
        },
      })
      pair.start()
      expect((await pair[side].untilFailed()).code).toBe('ERR_SZMQ_UNKNOWN_CA')
      expect((await pair[side === 'client' ? 'server' : 'client'].untilFailed()).code).toBe('ERR_SZMQ_REFUSED_BY_PEER')
      expect(pair[side].has('secure')).toBe(false)
      pair.destroy()
    })
  }
})

describe('nobody proves anything (anonymous)', () => {
  it('works in TLS 1.2 when both sides ask for it by a name that says so', async () => {
    const credentials = INSECURE_ANONYMOUS
    const pair = createPair({ client: { credentials }, server: { credentials } })
    const { client, server } = await agree(pair)
    for (const { peer, cipherSuite, version } of [client, server]) {
      expect(peer).toEqual({ verifiedBy: 'nothing', subject: 'anonymous', names: [] })
      expect(cipherSuite).toMatch(/^TLS_DH_anon_WITH_AES_\d+_GCM_/)
      expect(version).toBe('TLSv1.2')
    }
    expect(client.group).toMatch(/^ffdhe/)
    pair.destroy()
  })

  it('also by elliptic curves, if the priority allows their CBC suites', async () => {
    const options = { credentials: INSECURE_ANONYMOUS, priority: 'NORMAL:-KX-ALL:+ANON-ECDH' }
    const pair = createPair({ client: options, server: options })
    expect((await agree(pair)).client.cipherSuite).toMatch(/^TLS_ECDH_anon_WITH_AES_/)
    pair.destroy()
  })

  it('is not let in by a server that has not asked for it', async () => {
    const pair = createPair({ client: { credentials: INSECURE_ANONYMOUS }, server: { credentials: pki.nodeB } })
    pair.start()
    expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_NO_SHARED_CIPHER')
    expect((await pair.client.untilFailed()).blame).toBe('peer')
    pair.destroy()
  })
})

describe('several kinds at one server', () => {
  it('let each client in by its own', async () => {
    const key = randomBytes(32)
    const verifier = createSrpVerifier({ username: 'ada', password: 'pw', groupBits: 2048 })
    const server = createGnutlsEngineFactory({
      role: 'server',
      credentials: [
        pki.nodeB,
        PskCredentials.server({ keyOf: (identity) => (identity === 'till-7' ? key : undefined) }),
        SrpCredentials.server({ verifierOf: () => verifier }),
        INSECURE_ANONYMOUS,
      ],
    })
    const clients: readonly (readonly [Credentials, TlsFacts['peer']['verifiedBy']])[] = [
      [pki.nodeA, 'x509'],
      [PskCredentials.client({ identity: 'till-7', key }), 'psk'],
      [SrpCredentials.client({ username: 'ada', password: 'pw' }), 'srp'],
      [INSECURE_ANONYMOUS, 'nothing'],
    ]
    for (const [credentials, verifiedBy] of clients) {
      const pair = new EnginePair({ server, client: createGnutlsEngineFactory({ role: 'client', credentials }) })
      expect((await agree(pair)).server.peer.verifiedBy).toBe(verifiedBy)
      pair.destroy()
    }
  })

  it('a raw public key beside a certificate', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const ownKey = String(privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const ownPublicKey = String(publicKey.export({ type: 'spki', format: 'pem' }))
    const raw = new RawPublicKeyCredentials({ privateKey: ownKey, trustedKeys: [ownPublicKey] })
    const server = createGnutlsEngineFactory({ role: 'server', credentials: [pki.nodeB, raw] })
    for (const [credentials, verifiedBy] of [
      [pki.nodeA, 'x509'],
      [raw, 'rawPublicKey'],
    ] as const) {
      const pair = new EnginePair({ server, client: createGnutlsEngineFactory({ role: 'client', credentials }) })
      const { client, server: atServer } = await agree(pair)
      expect([client.peer.verifiedBy, atServer.peer.verifiedBy]).toEqual([verifiedBy, verifiedBy])
      pair.destroy()
    }
  })
})

describe('what cannot be', () => {
  it.each([
    ['SRP', SrpCredentials.client({ username: 'ada', password: 'pw' })],
    ['anonymous', INSECURE_ANONYMOUS],
  ])('%s with TLS 1.3 alone is refused at once, with the reason', (what, credentials) => {
    const make = (): unknown => createGnutlsEngineFactory({ role: 'client', credentials, minVersion: 'TLSv1.3' })
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }))
    expect(make).toThrow(new RegExp(`${what}.* TLS 1\\.2`))
  })

  it('no credentials at all, or a server with nothing to show', () => {
    for (const make of [
      () => createGnutlsEngineFactory({ role: 'client', credentials: [] }),
      () => createGnutlsEngineFactory({ role: 'server', credentials: pki.nodeA.trust }),
    ]) {
      expect(make).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_BAD_CREDENTIALS' }))
    }
  })
})

describe('revocation', () => {
  it('asks for a list of each CA of the chain, as the openssl engine does', async () => {
    const crl = await createCrl(await createDevelopmentCa({ name: 'another CA' }), { revoked: [] })
    const trust = X509Trust.parse({ ca: pki.ca.certificatePem, crl })
    const pair = createPair({ client: { credentials: trust }, server: { credentials: pki.nodeB, clientCertificate: 'none' } })
    pair.start()
    const error = await pair.client.untilFailed()
    expect(error.code).toBe('ERR_SZMQ_BAD_CREDENTIALS')
    expect(error.message).toMatch(/UNABLE_TO_GET_CRL/)
    pair.destroy()
  })

  it('does not believe a list that its CA has not signed', async () => {
    const impostor = await createDevelopmentCa({ name: 'test CA' })
    const trust = X509Trust.parse({ ca: pki.ca.certificatePem, crl: await createCrl(impostor, { revoked: [] }) })
    const pair = createPair({ client: { credentials: trust }, server: { credentials: pki.nodeB, clientCertificate: 'none' } })
    pair.start()
    const error = await pair.client.untilFailed()
    expect(error.code).toBe('ERR_SZMQ_BAD_CREDENTIALS')
    expect(error.message).toMatch(/CRL_SIGNATURE_FAILURE/)
    pair.destroy()
  })
})
