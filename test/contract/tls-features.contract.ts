import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { ClientSessions } from '../../src/security/resumption/client-sessions.ts'
import { guardSessionStore } from '../../src/security/resumption/guarded-session-store.ts'
import { createMemorySessionStore } from '../../src/security/resumption/memory-session-store.ts'
import { createCrl, createDevelopmentCa, issueCertificate } from '../../src/security/pki/pki.driver.ts'
import { PskCredentials } from '../../src/security/credentials/psk-credentials.ts'
import type { SessionStore } from '../../src/security/resumption/session-store.ts'
import { createTicketKeys } from '../../src/security/resumption/ticket-keys.ts'
import type { TlsEngineFactory, TlsFacts } from '../../src/security/tls-engine.ts'
import type { TlsOptions } from '../../src/security/tls-options.ts'
import { parseX509Credentials, type X509Credentials } from '../../src/security/credentials/x509-credentials.ts'
import { X509Trust } from '../../src/security/credentials/x509-trust.ts'
import { systemClock } from '../../src/shared/system-clock.driver.ts'
import { EnginePair } from './engine-pair.ts'
import { createChain } from './openssl-pki.ts'
import { createTestPki, type TestPki } from './test-pki.ts'
import type { TlsVersion } from './tls-engine.contract.ts'

export interface TlsFeaturesOptions {
  readonly client: (options: TlsOptions) => TlsEngineFactory
  readonly server: (options: TlsOptions) => TlsEngineFactory
}

/** What engines do beyond mutual X.509: each row of the table in docs/security.md. Also for two different ones. */
export function describeTlsFeatures(title: string, make: TlsFeaturesOptions): void {
  describe(title, () => {
    let pki: TestPki
    beforeAll(async () => {
      pki = await createTestPki()
    })

    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) describe(version, () => describeVersion(version))

    function describeVersion(version: TlsVersion): void {
      type Given = { client?: Partial<TlsOptions>; server?: Partial<TlsOptions> }

      /** Factories that may be used for several handshakes. */
      function factories({ client, server }: Given): { client: TlsEngineFactory; server: TlsEngineFactory } {
        const versions = { minVersion: version, maxVersion: version }
        return {
          client: make.client({ role: 'client', credentials: pki.nodeA, serverName: 'node-b', ...versions, ...client }),
          server: make.server({ role: 'server', credentials: pki.nodeB, ...versions, ...server }),
        }
      }

      function createPair(given: Given = {}): EnginePair {
        return new EnginePair(factories(given))
      }

      async function agree(pair: EnginePair): Promise<{ client: TlsFacts; server: TlsFacts }> {
        pair.start()
        const [client, server] = await Promise.all([pair.client.untilSecure(), pair.server.untilSecure()])
        return { client, server }
      }

      describe('who proves what', () => {
        it('a client that has only a CA verifies its server and stays anonymous, if the server allows it', async () => {
          const credentials = X509Trust.parse({ ca: pki.ca.certificatePem })
          for (const clientCertificate of ['optional', 'none'] as const) {
            const pair = createPair({ client: { credentials }, server: { clientCertificate } })
            const { client, server } = await agree(pair)
            expect(client.peer).toMatchObject({ verifiedBy: 'x509', subject: 'node-b' })
            expect(server.peer).toEqual({ verifiedBy: 'nothing', subject: 'anonymous', names: [] })
            pair.destroy()
          }
        })

        it('a client without a certificate is refused by default', async () => {
          const credentials = X509Trust.parse({ ca: pki.ca.certificatePem })
          const pair = createPair({ client: { credentials } })
          pair.start()
          expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_NO_CLIENT_CERTIFICATE')
          expect(pair.server.has('secure')).toBe(false)
          pair.destroy()
        })

        it('a certificate that is shown though it need not be must be good', async () => {
          const pair = createPair({ client: { credentials: pki.unknownCa }, server: { clientCertificate: 'optional' } })
          pair.start()
          expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_UNKNOWN_CA')
          expect(pair.server.has('secure')).toBe(false)
          pair.destroy()
        })

        it('a server with a CA alone is refused at once', () => {
          const credentials = X509Trust.parse({ ca: pki.ca.certificatePem })
          expect(() => make.server({ role: 'server', credentials })).toThrow(
            expect.objectContaining({ code: 'ERR_SZMQ_BAD_CREDENTIALS' }),
          )
        })

        it('a server that does not ask sees nobody', async () => {
          const pair = createPair({ server: { clientCertificate: 'none' } })
          expect((await agree(pair)).server.peer.verifiedBy).toBe('nothing')
          pair.destroy()
        })
      })

      describe('chains and lists', () => {
        it('a chain through an intermediate CA is followed to the root, and is not without it, at either side', async () => {
          const { rootPem, intermediatePem, certificatePem, privateKeyPem } = await createChain('node-b')
          const credentialsOf = (certificate: string): X509Credentials =>
            parseX509Credentials({ ca: rootPem, certificate, privateKey: privateKeyPem }, { now: new Date() })
          const whole = credentialsOf(certificatePem + intermediatePem)
          const pair = createPair({ client: { credentials: whole }, server: { credentials: whole } })
          const { client } = await agree(pair)
          expect(client.peer).toMatchObject({ verifiedBy: 'x509', issuer: 'intermediate' })
          pair.destroy()
          for (const side of ['client', 'server'] as const) {
            const broken = createPair({
              client: { credentials: whole },
              server: { credentials: whole },
              [side]: { credentials: credentialsOf(certificatePem) },
            })
            broken.start()
            const verifier = side === 'client' ? broken.server : broken.client
            expect((await verifier.untilFailed()).code).toBe('ERR_SZMQ_UNKNOWN_CA')
            broken.destroy()
          }
        })

        // Node reads only the first list of a text: a roll-over from one CA to another failed with both.
        it('several CAs may have a list each', async () => {
          const cas = await Promise.all(['old CA', 'new CA'].map((name) => createDevelopmentCa({ name })))
          const trust = {
            ca: cas.map(({ certificatePem }) => certificatePem).join(''),
            crl: (await Promise.all(cas.map((each) => createCrl(each, { revoked: [] })))).join(''),
          }
          const nodes = await Promise.all(
            cas.map(async (each) => {
              const { certificatePem, privateKeyPem } = await issueCertificate(each, { name: 'node-b' })
              return parseX509Credentials(
                { ...trust, certificate: certificatePem, privateKey: privateKeyPem },
                { now: new Date() },
              )
            }),
          )
          for (const [credentials, others] of [nodes, nodes.toReversed()]) {
            if (credentials === undefined || others === undefined) throw new Error('two CAs make two nodes')
            const pair = createPair({ client: { credentials }, server: { credentials: others } })
            await agree(pair)
            pair.destroy()
          }
        })
      })

      describe('authorize', () => {
        it('is asked by both sides about a verified peer, and lets it in with true', async () => {
          const asked: string[] = []
          const authorize = ({ subject }: { readonly subject: string }): true => {
            asked.push(subject)
            return true
          }
          const pair = createPair({ client: { authorize }, server: { authorize } })
          await agree(pair)
          expect(asked.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['node-a', 'node-b'])
          pair.destroy()
        })

        for (const side of ['client', 'server'] as const) {
          it(`refuses with ERR_SZMQ_NOT_AUTHORIZED and tells the peer, at the ${side}`, async () => {
            const pair = createPair({ [side]: { authorize: () => 'not on the guest list' } })
            pair.start()
            const error = await pair[side].untilFailed()
            expect(error.code).toBe('ERR_SZMQ_NOT_AUTHORIZED')
            expect(error.message).toMatch(/not on the guest list/)
            expect(pair[side].has('secure')).toBe(false)
            const other = side === 'client' ? pair.server : pair.client
            const told = await other.untilFailed()
            expect(told.code).toBe('ERR_SZMQ_REFUSED_BY_PEER')
            expect(told.message).not.toMatch(/guest list/)
            pair.destroy()
          })
        }

        it('refuses when it throws, or says anything else than true', async () => {
          const answers: readonly (() => unknown)[] = [
            () => {
              throw new Error('the list is lost')
            },
            () => undefined,
            () => Promise.resolve(true),
            () => 1,
          ]
          for (const authorize of answers) {
            const pair = createPair({ server: { authorize: authorize as () => true } })
            pair.start()
            expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_NOT_AUTHORIZED')
            pair.destroy()
          }
        })

        it('is not asked about a peer that is not verified', async () => {
          let asked = 0
          const authorize = (): true => {
            asked += 1
            return true
          }
          const pair = createPair({ client: { credentials: pki.expired }, server: { authorize } })
          pair.start()
          await pair.server.untilFailed()
          expect(asked).toBe(0)
          pair.destroy()
        })
      })

      describe('pre-shared keys', () => {
        const key = randomBytes(32)
        const keyOf = (identity: string): Uint8Array | undefined => (identity === 'till-7' ? key : undefined)
        const server = { credentials: PskCredentials.server({ keyOf }) }
        const clientOf = (identity: string, ownKey: Uint8Array): Partial<TlsOptions> => ({
          credentials: PskCredentials.client({ identity, key: ownKey }),
        })

        it('prove both sides without certificates', async () => {
          const pair = createPair({ client: clientOf('till-7', key), server })
          const facts = await agree(pair)
          for (const { peer, isResumed } of [facts.client, facts.server]) {
            expect(peer).toEqual({ verifiedBy: 'psk', subject: 'till-7', names: [] })
            expect(isResumed).toBe(false)
          }
          if (version === 'TLSv1.2') expect(facts.server.cipherSuite).toMatch(/^TLS_(EC)?DHE_PSK_/)
          pair.client.engine.send(Uint8Array.of(1, 2, 3))
          expect([...(await pair.server.untilReceived(3))]).toEqual([1, 2, 3])
          pair.destroy()
        })

        it('fail with ERR_SZMQ_WRONG_PASSWORD when they differ', async () => {
          const pair = createPair({ client: clientOf('till-7', randomBytes(32)), server })
          pair.start()
          expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_WRONG_PASSWORD')
          expect((await pair.client.untilFailed()).blame).toBe('peer')
          for (const end of [pair.client, pair.server]) expect(end.has('secure')).toBe(false)
          pair.destroy()
        })

        it('fail with ERR_SZMQ_UNKNOWN_IDENTITY for a stranger', async () => {
          const pair = createPair({ client: clientOf('till-8', key), server })
          pair.start()
          const error = await pair.server.untilFailed()
          expect(error.code).toBe('ERR_SZMQ_UNKNOWN_IDENTITY')
          expect(error.message).toMatch(/till-8/)
          await pair.client.untilFailed()
          pair.destroy()
        })

        it('fail when the server cannot look them up, and do not end the process', async () => {
          const broken = PskCredentials.server({
            keyOf: () => {
              throw new Error('the database is gone')
            },
          })
          const pair = createPair({ client: clientOf('till-7', key), server: { credentials: broken } })
          pair.start()
          const error = await pair.server.untilFailed()
          expect(error.code).toBe('ERR_SZMQ_BAD_CREDENTIALS')
          pair.destroy()
        })

        it('can be refused by authorize', async () => {
          const pair = createPair({ client: clientOf('till-7', key), server: { ...server, authorize: () => 'closed today' } })
          pair.start()
          expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_NOT_AUTHORIZED')
          expect(pair.server.has('secure')).toBe(false)
          pair.destroy()
        })

        it('stand beside certificates at one server', async () => {
          const both = factories({ server: { credentials: [pki.nodeB, PskCredentials.server({ keyOf })] } })
          const versions = { minVersion: version, maxVersion: version }
          const byKey = new EnginePair({
            server: both.server,
            client: make.client({ role: 'client', ...clientOf('till-7', key), ...versions } as TlsOptions),
          })
          expect((await agree(byKey)).server.peer).toMatchObject({ verifiedBy: 'psk', subject: 'till-7' })
          const byCertificate = new EnginePair({ server: both.server, client: both.client })
          expect((await agree(byCertificate)).server.peer).toMatchObject({ verifiedBy: 'x509', subject: 'node-a' })
          for (const pair of [byKey, byCertificate]) pair.destroy()
        })
      })

      describe('keying material', () => {
        it('is equal at both ends, and another for each label, context and connection', async () => {
          const pair = createPair()
          await agree(pair)
          const ends = [pair.client.engine, pair.server.engine] as const
          const seen = new Set<string>()
          for (const context of [undefined, Uint8Array.of(1), Uint8Array.of(2)]) {
            for (const label of ['EXPORTER-Channel-Binding', 'EXPERIMENTAL szmq']) {
              const [a, b] = ends.map((end) => Buffer.from(end.exportKeyingMaterial(label, 32, context)).toString('hex'))
              expect(a).toBe(b)
              expect(a).toHaveLength(64)
              seen.add(a ?? '')
            }
          }
          expect(seen.size).toBe(6)
          const other = createPair()
          await agree(other)
          seen.add(Buffer.from(other.client.engine.exportKeyingMaterial('EXPORTER-Channel-Binding', 32)).toString('hex'))
          expect(seen.size).toBe(7)
          for (const used of [pair, other]) used.destroy()
        })

        it('is not there before the handshake is done, nor after the end', async () => {
          const pair = createPair()
          const ask = (): unknown => pair.client.engine.exportKeyingMaterial('EXPORTER-Channel-Binding', 32)
          expect(ask).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_STATE' }))
          await agree(pair)
          for (const length of [0, -1, 1.5, 8_161]) {
            expect(() => pair.client.engine.exportKeyingMaterial('x', length)).toThrow(
              expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }),
            )
          }
          pair.destroy()
          expect(ask).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_STATE' }))
        })
      })

      describe('the key log', () => {
        it('gets lines that Wireshark reads, and only when asked for', async () => {
          const lines: string[] = []
          const pair = createPair({ server: { insecureKeyLog: (line) => lines.push(line) } })
          await agree(pair)
          const labels = lines.map((line) => line.split(' ')[0])
          expect(labels).toContain(version === 'TLSv1.2' ? 'CLIENT_RANDOM' : 'SERVER_TRAFFIC_SECRET_0')
          for (const line of lines) expect(line).toMatch(/^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]+$/)
          pair.destroy()
        })
      })

      describe('resumption', () => {
        /** One handshake and some bytes both ways, after which tickets have arrived; then bye. */
        async function meet(both: {
          client: TlsEngineFactory
          server: TlsEngineFactory
        }): Promise<readonly [boolean, boolean]> {
          const pair = new EnginePair(both)
          const { client, server } = await agree(pair)
          expect(client.peer).toMatchObject({ verifiedBy: 'x509', subject: 'node-b' })
          expect(server.peer).toMatchObject({ verifiedBy: 'x509', subject: 'node-a' })
          pair.server.engine.send(Uint8Array.of(1))
          await pair.client.untilReceived(1)
          pair.client.engine.send(Uint8Array.of(2))
          await pair.server.untilReceived(1)
          pair.client.engine.close()
          await pair.server.until('peer.closeNotify')
          await pair.settle()
          pair.destroy()
          return [client.isResumed, server.isResumed]
        }

        const secret = randomBytes(32)
        const FULL = [false, false]
        const RESUMED = [true, true]

        it('happens by itself from the second handshake of one factory on', async () => {
          const both = factories({})
          expect(await meet(both)).toEqual(FULL)
          for (let times = 0; times < 3; times++) expect(await meet(both)).toEqual(RESUMED)
        })

        it('can be switched off at either side', async () => {
          for (const side of ['client', 'server'] as const) {
            const both = factories({ [side]: { resumption: false } })
            for (let times = 0; times < 2; times++) expect(await meet(both)).toEqual(FULL)
          }
        })

        it('works across servers that share a ticket secret, and not with one that has another', async () => {
          const sessions = new ClientSessions({ clock: systemClock })
          const keysOf = (bytes: Uint8Array): Given => ({
            client: { resumption: { sessions } },
            server: { resumption: { ticketKeys: createTicketKeys({ secret: bytes }) } },
          })
          expect(await meet(factories(keysOf(secret)))).toEqual(FULL)
          expect(await meet(factories(keysOf(secret)))).toEqual(RESUMED)
          expect(await meet(factories(keysOf(randomBytes(32))))).toEqual(FULL)
        })

        it('does not outlive the trust it began under, at either side', async () => {
          const sessions = new ClientSessions({ clock: systemClock })
          const resumption = { ticketKeys: createTicketKeys({ secret }), sessions }
          const given: Given = { client: { resumption }, server: { resumption } }
          expect(await meet(factories(given))).toEqual(FULL)
          expect(await meet(factories({ ...given, server: { ...given.server, credentials: pki.nodeBWithCrl } }))).toEqual(FULL)
          expect(await meet(factories({ ...given, client: { ...given.client, credentials: pki.withCrl } }))).toEqual(FULL)
        })

        it('asks authorize again, each time', async () => {
          const both = factories({})
          let isWelcome = true
          const server = make.server({
            role: 'server',
            credentials: pki.nodeB,
            minVersion: version,
            maxVersion: version,
            authorize: () => isWelcome || 'no longer',
          })
          expect(await meet({ client: both.client, server })).toEqual(FULL)
          expect(await meet({ client: both.client, server })).toEqual(RESUMED)
          isWelcome = false
          const pair = new EnginePair({ client: both.client, server })
          pair.start()
          expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_NOT_AUTHORIZED')
          expect(pair.server.has('secure')).toBe(false)
          await pair.settle()
          pair.destroy()
        })

        // What a client keeps may be damaged, wherever it keeps it: then a handshake may fail, the next one does not.
        it('survives a session that was damaged anywhere', async () => {
          const sessions = new DamagingSessions({ clock: systemClock })
          const both = factories({ client: { resumption: { sessions } } })
          await meet(both)
          for (let part = 0; part < 1; part += 0.04) {
            sessions.damageAt = part
            const pair = new EnginePair(both)
            pair.start()
            await pair.settle()
            const facts = pair.server.events.find(({ kind }) => kind === 'secure')
            if (facts?.kind === 'secure') expect(facts.facts.peer.subject).toBe('node-a')
            pair.destroy()
            sessions.damageAt = undefined
            await meet(both)
          }
        })

        if (version === 'TLSv1.2') {
          const withStore = (store: SessionStore, timeoutMs = 500): Given => ({
            server: { resumption: { ticketKeys: false, store: guardSessionStore(store, { clock: systemClock, timeoutMs }) } },
          })

          it('works by a database, also at another server that shares it', async () => {
            const store = createMemorySessionStore({ clock: systemClock })
            const sessions = new ClientSessions({ clock: systemClock })
            const given = (): Given => ({ ...withStore(store), client: { resumption: { sessions } } })
            expect(await meet(factories(given()))).toEqual(FULL)
            expect(await meet(factories(given()))).toEqual(RESUMED)
          })

          it('is a full handshake when the database is silent, fails, or gives nonsense', async () => {
            const answers: readonly (() => Promise<Uint8Array | undefined>)[] = [
              () => new Promise(() => {}),
              () => Promise.reject(new Error('gone')),
              () => Promise.resolve(randomBytes(300)),
              () => Promise.resolve(undefined),
            ]
            for (const get of answers) {
              const store: SessionStore = { get, set: () => Promise.resolve(), delete: () => Promise.resolve() }
              const both = factories(withStore(store, 20))
              for (let times = 0; times < 2; times++) expect(await meet(both)).toEqual(FULL)
            }
          })

          it('lets an engine be destroyed while its database is still asked', async () => {
            let answer: (session: undefined) => void = () => {}
            const store: SessionStore = {
              get: () =>
                new Promise((resolve) => {
                  answer = resolve
                }),
              set: () => Promise.resolve(),
              delete: () => Promise.resolve(),
            }
            const both = factories(withStore(store))
            expect(await meet(both)).toEqual(FULL)
            const pair = new EnginePair(both)
            pair.start()
            await pair.settle()
            pair.destroy()
            answer(undefined)
            await pair.settle()
            expect(pair.server.has('secure')).toBe(false)
          })
        }
      })
    }
  })
}

/** Gives sessions out with one byte changed, once told where: 0 is the first, 1 behind the last. */
class DamagingSessions extends ClientSessions {
  damageAt: number | undefined

  override take(key: string): ReturnType<ClientSessions['take']> {
    const session = super.take(key)
    if (session === undefined || this.damageAt === undefined) return session
    const data = session.data.slice()
    const at = Math.floor(data.length * this.damageAt)
    data[at] = (data[at] ?? 0) ^ 0xff
    return { ...session, data }
  }
}
