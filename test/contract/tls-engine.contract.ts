import { beforeAll, describe, expect, it } from 'vitest'
import type { X509Credentials } from '../../src/security/credentials/x509-credentials.ts'
import type { TlsEngineFactory, TlsEvent } from '../../src/security/tls-engine.ts'
import { isSzmqErrorCode, SzmqError, type SzmqErrorCode } from '../../src/shared/errors.ts'
import { EnginePair } from './engine-pair.ts'
import { createTestPki, type TestPki } from './test-pki.ts'

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** What the suite asks of a factory. Both ends verify: a server asks for a certificate always. */
export interface ContractEngineOptions {
  readonly role: 'client' | 'server'
  readonly credentials: X509Credentials
  readonly serverName?: string
  readonly minVersion?: TlsVersion
  readonly maxVersion?: TlsVersion
  readonly alpn?: string
}

export interface TlsEngineContractOptions {
  readonly client: (options: ContractEngineOptions) => TlsEngineFactory
  readonly server: (options: ContractEngineOptions) => TlsEngineFactory
  readonly versions?: readonly TlsVersion[]
  /** Does a refused peer always learn so, by an alert? If not, it may stay silent until its deadline, which its session owns. */
  readonly tellsRefusedPeer?: boolean
}

/** What every pair of TLS engines does. Also for two different ones. */
export function describeTlsEngineContract(title: string, options: TlsEngineContractOptions): void {
  const { versions = ['TLSv1.2', 'TLSv1.3'], tellsRefusedPeer = true } = options

  describe(title, () => {
    let pki: TestPki
    beforeAll(async () => {
      pki = await createTestPki()
    })

    for (const version of versions) describe(version, () => describeVersion(version))

    function createPair(
      version: TlsVersion,
      given: { client?: Partial<ContractEngineOptions>; server?: Partial<ContractEngineOptions> } = {},
    ): EnginePair {
      const shared = { minVersion: version, maxVersion: version }
      return new EnginePair({
        client: options.client({ role: 'client', credentials: pki.nodeA, serverName: 'node-b', ...shared, ...given.client }),
        server: options.server({ role: 'server', credentials: pki.nodeB, ...shared, ...given.server }),
      })
    }

    function describeVersion(version: TlsVersion): void {
      describe('handshake', () => {
        it('tells both sides what was agreed and who the other is', async () => {
          const pair = createPair(version, { client: { alpn: 'szmq/1' }, server: { alpn: 'szmq/1' } })
          pair.start()
          const [atClient, atServer] = await Promise.all([pair.client.untilSecure(), pair.server.untilSecure()])
          for (const facts of [atClient, atServer]) {
            expect(facts).toMatchObject({ version, alpn: 'szmq/1', isResumed: false })
            expect(facts.cipherSuite).toMatch(version === 'TLSv1.3' ? /^TLS_(AES|CHACHA20)/ : /^TLS_ECDHE_ECDSA_WITH_/)
            if (facts.peer.verifiedBy !== 'x509') expect.unreachable('an X.509 identity was expected')
            expect(facts.peer.issuer).toBe('test CA')
            expect(facts.peer.fingerprint256).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
            expect(new Date(facts.peer.validTo).toISOString()).toBe(facts.peer.validTo)
            expect(Date.parse(facts.peer.validFrom)).toBeLessThan(Date.parse(facts.peer.validTo))
          }
          expect(atClient.cipherSuite).toBe(atServer.cipherSuite)
          expect(atClient.group).toBe(atServer.group)
          expect(atClient.group).not.toBe('unknown')
          expect(atClient.peer.subject).toBe('node-b')
          expect(atClient.peer.names).toEqual([
            'DNS:node-b',
            'DNS:localhost',
            'IP Address:127.0.0.1',
            'URI:spiffe://szmq/node-b',
          ])
          expect(atServer.peer.subject).toBe('node-a')
          pair.destroy()
        })

        it('names the messages that pass in plain text, in order', async () => {
          const pair = createPair(version)
          await pair.handshake()
          await pair.settle()
          for (const end of [pair.client, pair.server]) {
            const [ours, theirs] = end === pair.client ? (['sent', 'received'] as const) : (['received', 'sent'] as const)
            expect(end.messages(ours)[0]).toBe('ClientHello')
            expect(end.messages(theirs)[0]).toBe('ServerHello')
            if (version === 'TLSv1.2') {
              expect(end.messages(theirs)).toEqual(
                expect.arrayContaining(['Certificate', 'ServerKeyExchange', 'CertificateRequest', 'ServerHelloDone']),
              )
              expect(end.messages(ours)).toEqual(
                expect.arrayContaining(['Certificate', 'ClientKeyExchange', 'CertificateVerify', 'ChangeCipherSpec']),
              )
            }
          }
          pair.destroy()
        })

        for (const name of ['node-b', 'localhost', '127.0.0.1', 'spiffe://szmq/node-b']) {
          it(`accepts a server by its alternative name ${name}`, async () => {
            const pair = createPair(version, { client: { serverName: name } })
            await pair.handshake()
            pair.destroy()
          })
        }
      })

      describe('data', () => {
        it('carries bytes of any size both ways', async () => {
          const pair = createPair(version)
          await pair.handshake()
          for (const length of [1, 16_383, 16_384, 16_385, 1_000_000]) {
            const up = patterned(length, 7)
            const down = patterned(length, 11)
            const before = [pair.server.plaintextLength, pair.client.plaintextLength] as const
            pair.client.engine.send(up)
            pair.server.engine.send(down)
            await Promise.all([pair.server.untilReceived(before[0] + length), pair.client.untilReceived(before[1] + length)])
            expect(Buffer.compare(pair.server.plaintext.subarray(before[0]), up)).toBe(0)
            expect(Buffer.compare(pair.client.plaintext.subarray(before[1]), down)).toBe(0)
          }
          pair.destroy()
        })

        it('accepts ciphertext one byte at a time, from the first to the last', async () => {
          const pair = createPair(version)
          pair.client.way = byteByByte
          pair.server.way = byteByByte
          await pair.handshake()
          pair.client.engine.send(patterned(20_000, 3))
          expect(Buffer.compare(await pair.server.untilReceived(20_000), patterned(20_000, 3))).toBe(0)
          pair.client.engine.close()
          await pair.server.until('peer.closeNotify')
          pair.destroy()
        })

        it('puts what is sent in one turn into one record', async () => {
          const pair = createPair(version)
          await pair.handshake()
          await pair.settle()
          const before = pair.client.count('ciphertext')
          for (let at = 0; at < 100; at++) pair.client.engine.send(patterned(10, at))
          await pair.server.untilReceived(1_000)
          await pair.settle()
          expect(pair.client.count('ciphertext') - before).toBe(1)
          pair.destroy()
        })

        it('asks to hold back when it holds too much, and says when to go on', async () => {
          const pair = createPair(version)
          await pair.handshake()
          const sent = 4 * 1024 * 1024
          expect(pair.client.engine.send(new Uint8Array(sent))).toBe(false)
          await pair.client.until('drain')
          await pair.server.untilReceived(sent)
          pair.destroy()
        })

        it('delivers what is sent as soon as the handshake is done', async () => {
          const pair = createPair(version)
          for (const end of [pair.client, pair.server]) {
            end.onEvent = (event) => {
              if (event.kind === 'secure') end.engine.send(patterned(10, 1))
            }
          }
          pair.start()
          await Promise.all([pair.client.untilReceived(10), pair.server.untilReceived(10)])
          pair.destroy()
        })
      })

      describe('close', () => {
        it('arrives behind everything that was sent, and says when it has left', async () => {
          const pair = createPair(version)
          await pair.handshake()
          pair.client.engine.send(patterned(100_000, 5))
          pair.client.engine.close()
          await pair.server.until('peer.closeNotify')
          expect(pair.server.plaintextLength).toBe(100_000)
          await pair.client.until('closeNotify.sent')
          pair.server.engine.close()
          await Promise.all([pair.client.until('peer.closeNotify'), pair.server.until('closeNotify.sent')])
          expectSound(pair)
          pair.destroy()
        })

        it('is said to have left only after its ciphertext was handed out', async () => {
          const pair = createPair(version)
          await pair.handshake()
          await pair.settle()
          const before = pair.client.count('ciphertext')
          let atSent = -1
          pair.client.onEvent = (event) => {
            if (event.kind === 'closeNotify.sent') atSent = pair.client.count('ciphertext')
          }
          pair.client.engine.close()
          await pair.client.until('closeNotify.sent')
          expect(atSent).toBeGreaterThan(before)
          pair.destroy()
        })

        it('works on both sides at once', async () => {
          const pair = createPair(version)
          await pair.handshake()
          pair.client.engine.close()
          pair.server.engine.close()
          await Promise.all(
            [pair.client, pair.server].flatMap((end) => [end.until('peer.closeNotify'), end.until('closeNotify.sent')]),
          )
          expectSound(pair)
          pair.destroy()
        })

        it('does nothing the second time', async () => {
          const pair = createPair(version)
          await pair.handshake()
          pair.client.engine.close()
          pair.client.engine.close()
          await pair.server.until('peer.closeNotify')
          pair.server.engine.close()
          await pair.settle()
          pair.client.engine.close()
          await pair.settle()
          expect(pair.client.count('closeNotify.sent')).toBe(1)
          expect(pair.server.count('peer.closeNotify')).toBe(1)
          pair.destroy()
        })

        it('is not what a cut looks like: no bytes, no event', async () => {
          const pair = createPair(version)
          await pair.handshake()
          await pair.settle()
          pair.client.way = () => []
          pair.client.engine.close()
          pair.client.engine.destroy()
          await pair.settle()
          expect(pair.server.has('peer.closeNotify')).toBe(false)
          expect(pair.server.has('failed')).toBe(false)
          pair.destroy()
        })
      })

      describe('a peer that is not accepted', () => {
        const cases: readonly {
          readonly seen: string
          readonly code: SzmqErrorCode
          readonly shown: (pki: TestPki, verifier: 'client' | 'server') => X509Credentials
          readonly verifying?: (pki: TestPki) => X509Credentials
        }[] = [
          { seen: 'an expired certificate', code: 'ERR_SZMQ_CERTIFICATE_EXPIRED', shown: (given) => given.expired },
          {
            seen: 'one that is not yet valid',
            code: 'ERR_SZMQ_CERTIFICATE_NOT_YET_VALID',
            shown: (given) => given.notYetValid,
          },
          { seen: 'one of an unknown CA', code: 'ERR_SZMQ_UNKNOWN_CA', shown: (given) => given.unknownCa },
          { seen: 'a self-signed one', code: 'ERR_SZMQ_UNKNOWN_CA', shown: (given) => given.selfSigned },
          {
            seen: 'a revoked one',
            code: 'ERR_SZMQ_CERTIFICATE_REVOKED',
            shown: (given) => given.revoked,
            verifying: (given) => given.withCrl,
          },
          {
            seen: 'a good one while our revocation list is stale',
            code: 'ERR_SZMQ_BAD_CREDENTIALS',
            shown: (given) => given.nodeB,
            verifying: (given) => given.withStaleCrl,
          },
          {
            seen: 'one for the other side of TLS',
            code: 'ERR_SZMQ_WRONG_KEY_USAGE',
            shown: (given, verifier) => (verifier === 'client' ? given.clientUseOnly : given.serverUseOnly),
          },
        ]
        for (const { seen, code, shown, verifying = (given: TestPki) => given.nodeA } of cases) {
          for (const verifier of ['client', 'server'] as const) {
            it(`fails with ${code} when the ${verifier} sees ${seen}`, async () => {
              const serverName = 'localhost'
              const [mine, theirs] = [
                { credentials: verifying(pki), serverName },
                { credentials: shown(pki, verifier), serverName },
              ]
              const pair = createPair(
                version,
                verifier === 'client' ? { client: mine, server: theirs } : { client: theirs, server: mine },
              )
              await expectRefusal(pair, verifier, code)
            })
          }
        }

        it('fails with ERR_SZMQ_WRONG_NAME when the client meets another node than it wanted', async () => {
          const pair = createPair(version, { client: { serverName: 'node-c' } })
          const error = await expectRefusal(pair, 'client', 'ERR_SZMQ_WRONG_NAME')
          expect(error.message).toContain('node-c')
          expect(error.message).toContain('DNS:node-b')
        })

        it.each(['10.0.0.1', 'spiffe://szmq/node-c', 'node-b.example', 'xnode-b'])(
          'does not take it for %s',
          async (serverName) => {
            await expectRefusal(createPair(version, { client: { serverName } }), 'client', 'ERR_SZMQ_WRONG_NAME')
          },
        )

        it('fails with ERR_SZMQ_WRONG_NAME when only the common name fits', async () => {
          const pair = createPair(version, { server: { credentials: pki.commonNameOnly } })
          await expectRefusal(pair, 'client', 'ERR_SZMQ_WRONG_NAME')
        })

        async function expectRefusal(pair: EnginePair, verifier: 'client' | 'server', code: SzmqErrorCode): Promise<SzmqError> {
          const refused = verifier === 'client' ? pair.server : pair.client
          // A client is done before the server judges it, in TLS 1.3: it may already speak. Nobody must hear it.
          pair.client.onEvent = (event) => {
            if (event.kind === 'secure') pair.client.engine.send(patterned(10, 1))
          }
          pair.start()
          const error = await pair[verifier].untilFailed()
          await pair.settle()
          expect(error.code, error.message).toBe(code)
          expect(pair[verifier].has('secure')).toBe(false)
          expect(pair[verifier].has('plaintext')).toBe(false)
          if (tellsRefusedPeer) expect((await refused.untilFailed()).code).toBe('ERR_SZMQ_REFUSED_BY_PEER')
          expectSound(pair)
          pair.destroy()
          return error
        }
      })

      describe('hostile bytes', () => {
        const openings: readonly (readonly [string, Uint8Array])[] = [
          ['garbage', Uint8Array.from({ length: 64 }, (_, at) => (at * 89 + 131) & 0xff)],
          ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: node-b\r\n\r\n')],
          ['zeros', new Uint8Array(64)],
          ['a record of a giant length', Uint8Array.of(22, 3, 3, 0xff, 0xff, 1)],
          ['an unknown record type', Uint8Array.of(99, 3, 3, 0, 1, 1)],
          ['application data', Uint8Array.of(23, 3, 3, 0, 1, 1)],
        ]
        for (const [what, bytes] of openings) {
          it(`fails once, with a typed error, when a client opens with ${what}`, async () => {
            const pair = createPair(version)
            pair.server.engine.start()
            pair.server.engine.receive(bytes)
            const { code, blame } = await pair.server.untilFailed()
            expect(isSzmqErrorCode(code)).toBe(true)
            expect(blame).toBe('peer')
            pair.server.engine.receive(bytes)
            await pair.settle()
            expectSound(pair)
            pair.destroy()
          })
        }

        it('fails once, with a typed error, when a server answers with garbage', async () => {
          const pair = createPair(version)
          pair.client.way = () => []
          pair.client.engine.start()
          pair.client.engine.receive(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))
          expect((await pair.client.untilFailed()).blame).toBe('peer')
          expectSound(pair)
          pair.destroy()
        })

        for (const direction of ['client', 'server'] as const) {
          it(`fails with ERR_SZMQ_BAD_RECORD when one bit of what the ${direction} sends is flipped`, async () => {
            const pair = createPair(version)
            await pair.handshake()
            await pair.settle()
            const [sender, reader] = direction === 'client' ? [pair.client, pair.server] : [pair.server, pair.client]
            sender.engine.send(patterned(100, 1))
            await reader.untilReceived(100)
            sender.way = flipLastBit
            sender.engine.send(patterned(100, 2))
            const error = await reader.untilFailed()
            expect(error.code).toBe('ERR_SZMQ_BAD_RECORD')
            expect(reader.plaintextLength).toBe(100)
            // The alert reached the sender, which learns that its stream is broken.
            expect((await sender.untilFailed()).code).toBe('ERR_SZMQ_STREAM_BROKEN')
            expectSound(pair)
            pair.destroy()
          })
        }

        it('hands out the alert before it fails, even while it is sending itself', async () => {
          const pair = createPair(version)
          await pair.handshake()
          await pair.settle()
          pair.client.way = flipLastBit
          pair.server.engine.send(new Uint8Array(100_000))
          pair.client.engine.send(patterned(100, 1))
          expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_BAD_RECORD')
          expect((await pair.client.untilFailed()).code).toBe('ERR_SZMQ_STREAM_BROKEN')
          pair.destroy()
        })
      })

      describe('misuse', () => {
        it('throws ERR_SZMQ_INVALID_STATE for send before secure, after close and after the end', async () => {
          const pair = createPair(version)
          const send = (): unknown => pair.client.engine.send(patterned(1, 1))
          expect(codeOf(send)).toBe('ERR_SZMQ_INVALID_STATE')
          pair.start()
          expect(codeOf(send)).toBe('ERR_SZMQ_INVALID_STATE')
          await Promise.all([pair.client.untilSecure(), pair.server.untilSecure()])
          pair.client.engine.close()
          expect(codeOf(send)).toBe('ERR_SZMQ_INVALID_STATE')
          pair.client.engine.destroy()
          expect(codeOf(send)).toBe('ERR_SZMQ_INVALID_STATE')
          pair.destroy()
        })

        it('throws ERR_SZMQ_INVALID_STATE for a second start', () => {
          const pair = createPair(version)
          pair.client.engine.start()
          expect(
            codeOf(() => {
              pair.client.engine.start()
            }),
          ).toBe('ERR_SZMQ_INVALID_STATE')
          pair.destroy()
        })
      })

      describe('destroy', () => {
        it('is allowed before start and twice', async () => {
          const pair = createPair(version)
          pair.destroy()
          pair.destroy()
          pair.client.engine.receive(Uint8Array.of(22, 3, 3))
          pair.client.engine.close()
          await pair.settle()
          expect(pair.client.events).toEqual([])
        })

        it('silences an engine at each step of its life', async () => {
          const rehearsal = await liveThrough(createPair(version))
          const steps = rehearsal.client.events.length
          for (let step = 1; step <= steps; step++) {
            const pair = createPair(version)
            let heard = 0
            pair.client.onEvent = () => {
              heard += 1
              if (heard === step) pair.client.engine.destroy()
            }
            await liveThrough(pair)
            expect(pair.client.events.length, `destroyed at event ${step}`).toBe(Math.min(step, heard))
            expect(heard).toBeLessThanOrEqual(step)
            expectSound(pair)
            pair.destroy()
          }
        })

        it('silences an engine in the middle of what it sends', async () => {
          const pair = createPair(version)
          await pair.handshake()
          await pair.settle()
          pair.client.engine.send(new Uint8Array(1_000_000))
          const before = pair.client.events.length
          pair.client.engine.destroy()
          pair.server.engine.send(new Uint8Array(10))
          await pair.settle()
          expect(pair.client.events.length).toBe(before)
          pair.destroy()
        })
      })
    }

    /** Handshake, data both ways, close both ways, as far as the pair gets. */
    async function liveThrough(pair: EnginePair): Promise<EnginePair> {
      pair.start()
      await pair.settle()
      for (const end of [pair.client, pair.server]) ignoreState(() => end.engine.send(patterned(1_000, 1)))
      await pair.settle()
      for (const end of [pair.client, pair.server]) end.engine.close()
      await pair.settle()
      return pair
    }
  })
}

/** At most one end, and nothing after it. */
function expectSound(pair: EnginePair): void {
  for (const { events } of [pair.client, pair.server]) {
    const kinds = events.map((event: TlsEvent) => event.kind)
    expect(kinds.filter((kind) => kind === 'failed').length).toBeLessThanOrEqual(1)
    if (kinds.includes('failed')) expect(kinds.at(-1)).toBe('failed')
    expect(kinds.filter((kind) => kind === 'secure').length).toBeLessThanOrEqual(1)
    if (kinds.includes('plaintext')) expect(kinds.indexOf('secure')).toBeLessThan(kinds.indexOf('plaintext'))
    if (kinds.includes('peer.closeNotify'))
      expect(kinds.lastIndexOf('plaintext')).toBeLessThan(kinds.indexOf('peer.closeNotify'))
  }
}

function patterned(length: number, salt: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + salt) & 0xff)
}

function* byteByByte(ciphertext: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < ciphertext.length; at++) yield ciphertext.subarray(at, at + 1)
}

function flipLastBit(ciphertext: Uint8Array): Uint8Array[] {
  const flipped = ciphertext.slice()
  const last = flipped.length - 1
  flipped[last] = (flipped[last] ?? 0) ^ 1
  return [flipped]
}

function codeOf(action: () => unknown): SzmqErrorCode | 'nothing was thrown' {
  try {
    action()
  } catch (error) {
    if (error instanceof SzmqError) return error.code
    throw error
  }
  return 'nothing was thrown'
}

function ignoreState(action: () => unknown): void {
  const code = codeOf(action)
  if (code !== 'nothing was thrown' && code !== 'ERR_SZMQ_INVALID_STATE') throw new Error(`unexpected ${code}`)
}
