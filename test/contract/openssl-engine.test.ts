import { Duplex } from 'node:stream'
import { connect, type ConnectionOptions } from 'node:tls'
import { inspect } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { createOpensslEngineFactory, type OpensslEngineOptions } from '../../src/security/openssl-engine.driver.ts'
import { INSECURE_ANONYMOUS } from '../../src/security/credentials/credentials.ts'
import { RawPublicKeyCredentials } from '../../src/security/credentials/raw-public-key-credentials.ts'
import { SrpCredentials } from '../../src/security/credentials/srp-credentials.ts'
import { RecordSplitter } from '../../src/security/records/record.codec.ts'
import type { TlsEvent } from '../../src/security/tls-engine.ts'
import type { SzmqErrorCode } from '../../src/shared/errors.ts'
import { EngineEnd, EnginePair } from './engine-pair.ts'
import { createTestPki, type TestPki } from './test-pki.ts'
import { describeTlsEngineContract } from './tls-engine.contract.ts'

describeTlsEngineContract('openssl to openssl', { client: createOpensslEngineFactory, server: createOpensslEngineFactory })

describe('openssl engine', () => {
  let pki: TestPki
  beforeAll(async () => {
    pki = await createTestPki()
  })

  function createPair(given: { client?: Partial<OpensslEngineOptions>; server?: Partial<OpensslEngineOptions> }): EnginePair {
    return new EnginePair({
      client: createOpensslEngineFactory({ role: 'client', credentials: pki.nodeA, serverName: 'node-b', ...given.client }),
      server: createOpensslEngineFactory({ role: 'server', credentials: pki.nodeB, ...given.server }),
    })
  }

  describe('negotiation', () => {
    it('prefers TLS 1.3', async () => {
      const pair = createPair({})
      await pair.handshake()
      expect((await pair.client.untilSecure()).version).toBe('TLSv1.3')
      pair.destroy()
    })

    // In TLS 1.2 the curve of the certificate must be allowed too.
    it.each([
      ['TLSv1.3', 'X25519', 'X25519'],
      ['TLSv1.3', 'P-256', 'prime256v1'],
      ['TLSv1.2', 'P-384:P-256', 'secp384r1'],
      ['TLSv1.2', 'X448:P-256', 'X448'],
    ] as const)('tells both sides the group: in %s, of %s, %s', async (maxVersion, groups, expected) => {
      const options = { groups, maxVersion }
      const pair = createPair({ client: options, server: options })
      await pair.handshake()
      for (const end of [pair.client, pair.server]) expect((await end.untilSecure()).group).toBe(expected)
      pair.destroy()
    })

    it('agrees on X25519MLKEM768 by default where OpenSSL has it, and says where it has not', async () => {
      const pair = createPair({})
      await pair.handshake()
      const hasHybrid = parseFloat(process.versions.openssl) >= 3.5
      for (const end of [pair.client, pair.server]) {
        expect((await end.untilSecure()).group).toBe(hasHybrid ? 'X25519MLKEM768' : 'X25519')
      }
      pair.destroy()
      const priority = 'NORMAL:-GROUP-ALL:+GROUP-X25519-MLKEM768'
      const hybridOnly = (): EnginePair => createPair({ client: { priority }, server: { priority } })
      if (!hasHybrid) {
        expect(hybridOnly).toThrow(/X25519-MLKEM768/)
        return
      }
      const hybrid = hybridOnly()
      await hybrid.handshake()
      expect((await hybrid.server.untilSecure()).group).toBe('X25519MLKEM768')
      hybrid.destroy()
    })

    it('names a HelloRetryRequest', async () => {
      const pair = createPair({ server: { groups: 'P-384', minVersion: 'TLSv1.3' } })
      await pair.handshake()
      expect(pair.client.messages('received').slice(0, 3)).toEqual(['HelloRetryRequest', 'ChangeCipherSpec', 'ServerHello'])
      expect((await pair.server.untilSecure()).group).toBe('secp384r1')
      pair.destroy()
    })

    const mismatches: readonly (readonly [
      what: string,
      client: Partial<OpensslEngineOptions>,
      server: Partial<OpensslEngineOptions>,
      atServer: SzmqErrorCode,
      atClient: SzmqErrorCode,
    ])[] = [
      [
        'version',
        { minVersion: 'TLSv1.3' },
        { maxVersion: 'TLSv1.2' },
        'ERR_SZMQ_NO_SHARED_VERSION',
        'ERR_SZMQ_NO_SHARED_VERSION',
      ],
      [
        'cipher in TLS 1.2',
        { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' },
        { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
        'ERR_SZMQ_NO_SHARED_CIPHER',
        'ERR_SZMQ_HANDSHAKE_FAILED',
      ],
      [
        'cipher in TLS 1.3',
        { ciphers: 'TLS_AES_128_GCM_SHA256', minVersion: 'TLSv1.3' },
        { ciphers: 'TLS_AES_256_GCM_SHA384' },
        'ERR_SZMQ_NO_SHARED_CIPHER',
        'ERR_SZMQ_HANDSHAKE_FAILED',
      ],
      [
        'group',
        { groups: 'X25519', minVersion: 'TLSv1.3' },
        { groups: 'P-521' },
        'ERR_SZMQ_NO_SHARED_GROUP',
        'ERR_SZMQ_HANDSHAKE_FAILED',
      ],
      [
        'application protocol',
        { alpn: 'szmq/1' },
        { alpn: 'szmq/2' },
        'ERR_SZMQ_PROTOCOL_MISMATCH',
        'ERR_SZMQ_PROTOCOL_MISMATCH',
      ],
    ]
    it.each(mismatches)(
      'fails on both sides when there is no %s in common',
      async (_what, client, server, atServer, atClient) => {
        const pair = createPair({ client, server })
        pair.start()
        expect([(await pair.server.untilFailed()).code, (await pair.client.untilFailed()).code]).toEqual([atServer, atClient])
        pair.destroy()
      },
    )

    it.each(['TLSv1.2', 'TLSv1.3'] as const)('refuses a peer without the application protocol in %s', async (version) => {
      const atClient = createPair({ client: { alpn: 'szmq/1', minVersion: version, maxVersion: version } })
      atClient.start()
      expect((await atClient.client.untilFailed()).code).toBe('ERR_SZMQ_PROTOCOL_MISMATCH')
      const atServer = createPair({ server: { alpn: 'szmq/1', minVersion: version, maxVersion: version } })
      atServer.start()
      expect((await atServer.server.untilFailed()).code).toBe('ERR_SZMQ_PROTOCOL_MISMATCH')
      expect((await atServer.client.untilFailed()).blame).toBe('peer')
      for (const pair of [atClient, atServer]) pair.destroy()
    })

    it.each([
      ['RSA key exchange without forward secrecy', 'AES256-GCM-SHA384'],
      ['CBC', 'ECDHE-ECDSA-AES256-SHA'],
      ['anonymous peers', 'ADH-AES256-GCM-SHA384:@SECLEVEL=0'],
    ])('does not allow %s by default', async (_what, ciphers) => {
      const pair = createPair({ client: { ciphers, maxVersion: 'TLSv1.2' } })
      pair.start()
      expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_NO_SHARED_CIPHER')
      pair.destroy()
    })
  })

  describe('refusal', () => {
    it.each(['TLSv1.2', 'TLSv1.3'] as const)(
      'does not show the client certificate to an unverified server in %s',
      async (version) => {
        const pair = createPair({
          client: { minVersion: version, maxVersion: version },
          server: { credentials: pki.unknownCa },
        })
        pair.start()
        await pair.server.untilFailed()
        const [, ...later] = pair.client.events.flatMap((event) => (event.kind === 'ciphertext' ? [event.bytes] : []))
        expect(later.map(({ length }) => length)).toEqual([version === 'TLSv1.2' ? 7 : 24])
        pair.destroy()
      },
    )

    it.each(['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'])(
      'tells a TLS 1.3 peer why, under %s, in both directions',
      async (ciphers) => {
        const atServer = createPair({ client: { credentials: pki.expired, ciphers, minVersion: 'TLSv1.3' } })
        atServer.start()
        expect((await atServer.client.untilFailed()).message).toMatch(/certificate_expired/)
        const atClient = createPair({ server: { credentials: pki.unknownCa }, client: { ciphers, minVersion: 'TLSv1.3' } })
        atClient.start()
        expect((await atClient.server.untilFailed()).message).toMatch(/unknown_ca/)
        for (const pair of [atServer, atClient]) pair.destroy()
      },
    )

    it.each(['TLSv1.2', 'TLSv1.3'] as const)(
      'fails with ERR_SZMQ_NO_CLIENT_CERTIFICATE when a %s client shows none',
      async (version) => {
        const { server, clientErrors } = acceptNode({ minVersion: version, maxVersion: version })
        expect((await server.untilFailed()).code).toBe('ERR_SZMQ_NO_CLIENT_CERTIFICATE')
        expect(server.has('secure')).toBe(false)
        expect(await clientErrors).toMatch(version === 'TLSv1.3' ? /CERTIFICATE_REQUIRED/ : /HANDSHAKE_FAILURE/)
      },
    )

    it('says what was seen, what was expected and what to do', async () => {
      const pair = createPair({
        client: { credentials: pki.withCrl, serverName: 'localhost' },
        server: { credentials: pki.revoked },
      })
      pair.start()
      const { message } = await pair.client.untilFailed()
      expect(message).toMatch(/"node-b" \(DNS:node-b, .*issued by "test CA"; valid \d{4}-/)
      expect(message).toMatch(/revoked it: the peer needs a new one/)
      pair.destroy()
    })

    /** A plain Node client without a certificate, against our server. */
    function acceptNode(options: ConnectionOptions): { readonly server: EngineEnd; readonly clientErrors: Promise<string> } {
      const wire = new Duplex({
        allowHalfOpen: false,
        read: () => {},
        write: (chunk: Buffer, _encoding, done) => {
          queueMicrotask(() => {
            server.engine.receive(chunk)
          })
          done()
        },
      })
      const server = new EngineEnd(createOpensslEngineFactory({ role: 'server', credentials: pki.nodeB }), (piece) => {
        queueMicrotask(() => wire.push(piece))
      })
      server.engine.start()
      const client = connect({ socket: wire, ca: pki.ca.certificatePem, servername: 'node-b', ...options })
      const clientErrors = new Promise<string>((resolve) => {
        client.on('error', (error) => {
          resolve(inspect(error))
        })
      })
      return { server, clientErrors }
    }
  })

  describe('a certificate with any bit flipped on its way', () => {
    // Node's certificate functions end the whole process when they are asked in the middle of OpenSSL's giving up.
    it.each(['client', 'server'] as const)('fails one session and nothing else, shown by the %s', async (shownBy) => {
      const rehearsal = createPair({ client: { maxVersion: 'TLSv1.2' } })
      await rehearsal.handshake()
      const position = shownBy === 'server' ? 1 : 0
      for (let at = 0; at < 900; at += 7) {
        const pair = createPair({ client: { maxVersion: 'TLSv1.2' } })
        const splitter = new RecordSplitter()
        const sender = shownBy === 'server' ? pair.server : pair.client
        let seen = shownBy === 'server' ? -1 : -2
        sender.way = function* flip(ciphertext) {
          for (const { bytes } of splitter.split(ciphertext)) {
            seen += 1
            const flipped = bytes.slice()
            if (seen === position) flipped[5 + (at % (bytes.length - 5))] = (flipped[5 + (at % (bytes.length - 5))] ?? 0) ^ 4
            yield flipped
          }
        }
        pair.start()
        await pair.settle()
        const [verifier] = shownBy === 'server' ? [pair.client] : [pair.server]
        expect(verifier.has('secure')).toBe(false)
        pair.destroy()
      }
      rehearsal.destroy()
    })
  })

  describe('credentials of another engine', () => {
    it.each([
      ['SRP', SrpCredentials.client({ username: 'ann', password: 'secret' })],
      ['anonymous', INSECURE_ANONYMOUS],
    ] as const)('%s: an error names the gnutls engine', (_what, credentials) => {
      expect(() => createOpensslEngineFactory({ role: 'client', credentials })).toThrow(/use the gnutls engine/)
    })

    it('raw public keys: an error names the gnutls engine', () => {
      const credentials = new RawPublicKeyCredentials({
        privateKey: pki.nodeA.revealPrivateKeyPem(),
        trustedKeys: [String(pki.nodeB.certificate.publicKey.export({ type: 'spki', format: 'pem' }))],
      })
      expect(() => createOpensslEngineFactory({ role: 'client', credentials })).toThrow(/use the gnutls engine/)
    })
  })

  describe('options', () => {
    it.each([
      ['a cipher list that OpenSSL does not know', { ciphers: 'NONSENSE' }],
      ['a group that OpenSSL does not know', { groups: 'NONSENSE' }],
      ['versions that exclude each other', { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }],
      ['a name that no certificate carries', { serverName: 'node b' }],
    ] as const)('refuse %s at once', (_what, options) => {
      expect(() => createOpensslEngineFactory({ role: 'client', credentials: pki.nodeA, ...options })).toThrow(
        expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }),
      )
    })
  })

  describe('the hot path', () => {
    it('hands out one ciphertext for one turn, and one plaintext event for each record at most', async () => {
      const pair = createPair({})
      await pair.handshake()
      await pair.settle()
      const [before, heard] = [pair.client.count('ciphertext'), pair.server.count('plaintext')]
      for (let at = 0; at < 4; at++) pair.client.engine.send(new Uint8Array(16_000))
      await pair.server.untilReceived(64_000)
      expect(pair.client.count('ciphertext') - before).toBe(1)
      expect(pair.server.count('plaintext') - heard).toBeLessThanOrEqual(4)
      pair.destroy()
    })

    it('shows no secret in any event', async () => {
      const pair = createPair({})
      await pair.handshake()
      const secret = pki.nodeA.revealPrivateKeyPem().split('\n')[1] ?? 'missing'
      const shown = inspect([pair.client.engine, ...pair.client.events.filter(({ kind }: TlsEvent) => kind !== 'ciphertext')], {
        depth: 6,
      })
      expect(shown).not.toContain(secret)
      pair.destroy()
    })
  })
})
