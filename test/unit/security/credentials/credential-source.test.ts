import '../../../property/seed.ts'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CredentialCandidate } from '../../../../src/security/credentials/credential-candidate.ts'
import { proveCredentials } from '../../../../src/security/credentials/credential-proof.driver.ts'
import {
  MAX_TOLD_PROBLEMS,
  RotatingCredentials,
  type CredentialEvent,
} from '../../../../src/security/credentials/credential-source.ts'
import { createEngineFactorySource } from '../../../../src/security/credentials/engine-factory-source.ts'
import {
  createCrl,
  createDevelopmentCa,
  issueCertificate,
  type CertificateRequest,
} from '../../../../src/security/pki/pki.driver.ts'
import type { TlsEngineFactory } from '../../../../src/security/tls-engine.ts'
import type { X509Credentials, X509CredentialsInput } from '../../../../src/security/credentials/x509-credentials.ts'
import { SzmqError } from '../../../../src/shared/errors.ts'
import { insecureCleartextEngine } from '../../../../src/testing/cleartext-engine.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const start = new Date(Math.floor(Date.now() / 1000) * 1000)
const at = (ms: number): Date => new Date(start.getTime() + ms)

/** Good for 30 days, 60 days, or from tomorrow on, all of one node; and what no node should take. */
let first: X509CredentialsInput
let renewed: X509CredentialsInput
let otherTrust: X509CredentialsInput
let tomorrows: X509CredentialsInput
let expired: X509CredentialsInput
let foreign: X509CredentialsInput
let crls: { readonly good: string; readonly revoking: string; readonly stale: string; readonly early: string }

beforeAll(async () => {
  const [ca, nextCa] = await Promise.all([createDevelopmentCa({ name: 'old CA' }), createDevelopmentCa({ name: 'new CA' })])
  const bundle = ca.certificatePem + nextCa.certificatePem
  const issue = async (trusted: string, request: Partial<CertificateRequest> = {}): Promise<X509CredentialsInput> => {
    const { certificatePem, privateKeyPem } = await issueCertificate(ca, { name: 'node-a', notBefore: start, ...request })
    return { ca: trusted, certificate: certificatePem, privateKey: privateKeyPem }
  }
  ;[first, renewed, otherTrust, tomorrows, expired, foreign] = await Promise.all([
    issue(ca.certificatePem, { notAfter: at(30 * DAY_MS) }),
    issue(ca.certificatePem, { notAfter: at(60 * DAY_MS) }),
    issue(bundle, { notAfter: at(60 * DAY_MS) }),
    issue(ca.certificatePem, { notBefore: at(DAY_MS), notAfter: at(60 * DAY_MS) }),
    issue(ca.certificatePem, { notBefore: at(-2 * DAY_MS), notAfter: at(-DAY_MS) }),
    issue(ca.certificatePem, { name: 'node-b' }),
  ])
  const crl = (from: number, to: number, revoked: readonly string[] = []) =>
    createCrl(ca, { thisUpdate: at(from), nextUpdate: at(to), revoked })
  crls = {
    good: await crl(-DAY_MS, 9 * DAY_MS),
    revoking: await crl(-HOUR_MS, 10 * DAY_MS, [String(foreign.certificate)]),
    stale: await crl(-2 * DAY_MS, -DAY_MS),
    early: await crl(DAY_MS, 2 * DAY_MS),
  }
})

const found = (input: X509CredentialsInput): CredentialCandidate => ({ kind: 'read', input })
const unreadable = (text: string): CredentialCandidate => ({
  kind: 'unreadable',
  error: new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', text),
})

function holding(input: X509CredentialsInput, now = start): { source: RotatingCredentials; events: CredentialEvent[] } {
  const events: CredentialEvent[] = []
  const source = new RotatingCredentials(found(input), {
    now,
    prove: proveCredentials,
    origin: 'files of node-a',
    listener: (event) => events.push(event),
  })
  return { source, events }
}

const kindsOf = (events: readonly CredentialEvent[]): readonly string[] => events.map(({ kind }) => kind)
const refusals = (events: readonly CredentialEvent[]): readonly string[] =>
  events.flatMap((event) => (event.kind === 'refused' ? [event.error.message] : []))

describe('RotatingCredentials', () => {
  it('takes renewed credentials and tells from what to what', () => {
    const { source, events } = holding(first)
    const from = source.current
    source.offer(found(renewed), start)
    expect(source.current.certificatePem).toBe(renewed.certificate)
    expect(events).toEqual([{ kind: 'rotated', from: from.identity, to: source.current.identity, trustChanged: false }])
    expect(from.identity.fingerprint256).not.toBe(source.current.identity.fingerprint256)
  })

  it('says when those who are trusted changed: another CA bundle, another revocation list', () => {
    const { source, events } = holding(first)
    source.offer(found(otherTrust), start)
    source.offer(found({ ...otherTrust, crl: crls.good }), start)
    source.offer(found({ ...otherTrust, crl: crls.revoking }), start)
    source.offer(found({ ...renewed, ca: otherTrust.ca, crl: crls.revoking }), start)
    expect(events.map((event) => event.kind === 'rotated' && event.trustChanged)).toEqual([true, true, true, false])
  })

  it('keeps the last good ones, and says what is wrong, what to do and until when they are valid', () => {
    const cases: readonly (readonly [CredentialCandidate, RegExp])[] = [
      [
        found({ ...first, privateKey: renewed.privateKey }),
        /private key does not belong to the certificate of CN=node-a.*give/,
      ],
      [found({ ...first, certificate: renewed.certificate }), /private key does not belong/],
      [found(expired), /expired on .*issued anew/],
      [found(tomorrows), /not valid before .*wait/],
      [found(foreign), /names changed from "node-a" \(DNS:node-a\).* to "node-b" \(DNS:node-b\).*restart the node/],
      [found({ ...renewed, ca: 'garbage' }), /the ca holds no PEM block/],
      [found({ ...renewed, certificate: '' }), /the certificate is empty/],
      [found({ ...renewed, crl: crls.stale }), /the crl of .*old CA was to be replaced before .*issue a new one/],
      [found({ ...renewed, crl: crls.early }), /the crl of .*old CA is not valid before/],
      [found({ ...renewed, crl: crls.good.replace(/\n.{30}/, '\n') }), /crl|CRL/],
      [unreadable('the CA file is not there: put it back'), /^the CA file is not there: put it back$/],
    ]
    for (const [candidate, text] of cases) {
      const { source, events } = holding(first)
      const good = source.current
      source.offer(candidate, start)
      expect(source.current).toBe(good)
      expect(kindsOf(events)).toEqual(['refused'])
      expect(refusals(events)[0]).toMatch(text)
      expect(events[0]).toMatchObject({ kept: good.identity.validTo, error: { code: 'ERR_SZMQ_BAD_CREDENTIALS' } })
      expect(source.problem?.message).toMatch(text)
      if (candidate.kind === 'read') expect(refusals(events)[0]).toMatch(/\(files of node-a\)$/)
    }
  })

  // A bundle without its end is a shorter bundle to every TLS library: it would lock out whoever the rest stands for.
  it('refuses each text that lost its end', () => {
    const whole = { ...otherTrust, crl: crls.good }
    const { source, events } = holding(whole)
    const good = source.current
    for (const part of ['ca', 'certificate', 'privateKey', 'crl'] as const) {
      const text = String(whole[part])
      for (let length = text.trimEnd().length - 1; length > 0; length -= 13) {
        // At the end of a block it is a shorter text that is whole: only time can tell, see the watch.
        if (/-----END [A-Z0-9 ]+-----\n?$/.test(text.slice(0, length))) continue
        source.offer(found({ ...whole, [part]: text.slice(0, length) }), start)
        expect(source.problem, `${part} cut to ${length}`).toBeDefined()
        source.offer(found(whole), start)
        expect(source.problem).toBeUndefined()
      }
    }
    expect(source.current).toBe(good)
    expect(kindsOf(events)).not.toContain('rotated')
  })

  it('tells each distinct problem once, and again after all was well in between', () => {
    const { source, events } = holding(first)
    for (let poll = 0; poll < 3; poll++) {
      source.offer(found(expired), start)
      source.offer(unreadable('gone: put it back'), start)
    }
    expect(refusals(events)).toHaveLength(2)
    source.offer(found(first), start)
    expect(source.problem).toBeUndefined()
    source.offer(found(expired), start)
    expect(refusals(events)).toHaveLength(3)
    expect(kindsOf(events)).not.toContain('rotated')
  })

  it('remembers a bounded number of problems', () => {
    const { source, events } = holding(first)
    const offerAll = (): void => {
      for (let index = 0; index < MAX_TOLD_PROBLEMS; index++) source.offer(unreadable(`problem ${index}`), start)
    }
    offerAll()
    offerAll()
    expect(refusals(events)).toHaveLength(MAX_TOLD_PROBLEMS)
    source.offer(unreadable('one more'), start)
    offerAll()
    expect(refusals(events).length).toBeGreaterThan(MAX_TOLD_PROBLEMS + 1)
  })

  it('takes a certificate that was too early once its time has come', () => {
    const { source, events } = holding(first)
    source.offer(found(tomorrows), start)
    source.offer(found(tomorrows), at(DAY_MS + 1))
    expect(kindsOf(events)).toEqual(['refused', 'rotated'])
    expect(source.current.certificatePem).toBe(tomorrows.certificate)
  })

  it('throws for first credentials that are not good', () => {
    expect(() => holding(expired)).toThrow(/expired on .*\(files of node-a\)/)
    expect(() => holding({ ...first, crl: crls.stale })).toThrow(/to be replaced/)
    expect(() => new RotatingCredentials(unreadable('gone'), { now: start })).toThrow(SzmqError)
  })

  it('tells at a third and at a tenth of its life, at the end, and never twice', () => {
    const { source, events } = holding(first)
    const told: string[] = []
    for (let hour = 0; hour <= 31 * 24; hour++) {
      source.onTime(at(hour * HOUR_MS))
      for (const event of events.splice(0)) told.push(`${event.kind} in hour ${hour}`)
      source.offer(found(first), at(hour * HOUR_MS))
    }
    expect(told).toEqual(['expiring in hour 480', 'expiring in hour 648', 'expired in hour 720'])
    expect(source.nextDeadline).toBeUndefined()
  })

  it('says how long is left, when to call again, and tells of the renewed one anew', () => {
    const { source, events } = holding(first)
    expect(source.nextDeadline).toBe(at(20 * DAY_MS).getTime())
    source.onTime(at(28 * DAY_MS))
    expect(events.splice(0)).toEqual([
      { kind: 'expiring', what: 'certificate', validTo: at(30 * DAY_MS).toISOString(), remainingMs: 2 * DAY_MS },
    ])
    source.offer(found(renewed), at(28 * DAY_MS))
    expect(source.nextDeadline).toBe(at(40 * DAY_MS).getTime())
    source.onTime(at(60 * DAY_MS + 1))
    expect(kindsOf(events)).toEqual(['rotated', 'expired'])
  })

  it('tells of a revocation list that is about to end, once though the certificate is renewed', () => {
    const { source, events } = holding({ ...first, crl: crls.good })
    source.onTime(at(7 * DAY_MS))
    source.offer(found({ ...renewed, crl: crls.good }), at(7 * DAY_MS))
    source.onTime(at(9 * DAY_MS))
    expect(events).toMatchObject([
      { kind: 'expiring', what: 'crl', remainingMs: 2 * DAY_MS },
      { kind: 'rotated' },
      { kind: 'expired', what: 'crl' },
    ])
  })

  it('is not harmed by a listener that throws, nor are the others', () => {
    const thrown: unknown[] = []
    const source = new RotatingCredentials(found(first), { now: start, onListenerFailure: (error) => thrown.push(error) })
    const heard: string[] = []
    source.subscribe(() => {
      throw new Error('no')
    })
    const end = source.subscribe(({ kind }) => heard.push(kind))
    source.offer(found(renewed), start)
    end()
    source.offer(found(first), start)
    expect(heard).toEqual(['rotated'])
    expect(thrown).toHaveLength(2)
  })

  it('shows no key in events, problems or itself', () => {
    const { source, events } = holding(first)
    const broken = String(renewed.privateKey).replace(/\n.{5}/, '\n*****')
    source.offer(found({ ...renewed, privateKey: broken }), start)
    source.offer(found({ ...renewed, privateKey: first.privateKey }), start)
    source.offer(found({ ...renewed, privateKey: String(renewed.privateKey).slice(0, 100) }), start)
    source.offer(found(renewed), start)
    expect(events).toHaveLength(4)
    const shown = inspect([events, source, source.problem], { depth: 12, showHidden: true }) + JSON.stringify([events, source])
    for (const { privateKey } of [first, renewed]) {
      for (const line of String(privateKey).split('\n').slice(1, -2)) expect(shown).not.toContain(line.slice(10, 30))
    }
  })

  it('model: in use is the last good one, whatever comes in whatever order', () => {
    const good = (): readonly X509CredentialsInput[] => [
      first,
      renewed,
      otherTrust,
      { ...first, crl: crls.good },
      { ...renewed, crl: crls.revoking },
    ]
    const bad = (): readonly CredentialCandidate[] => [
      found(expired),
      found(tomorrows),
      found(foreign),
      found({ ...first, privateKey: renewed.privateKey }),
      found({ ...renewed, crl: crls.stale }),
      found({ ...renewed, ca: String(otherTrust.ca).slice(0, -40) }),
      unreadable('gone'),
    ]
    const step = fc.oneof(
      fc.record({ kind: fc.constant('good' as const), index: fc.nat({ max: 4 }) }),
      fc.record({ kind: fc.constant('bad' as const), index: fc.nat({ max: 6 }) }),
      fc.record({
        kind: fc.constant('cut' as const),
        index: fc.nat({ max: 4 }),
        part: fc.double({ max: 0.99, min: 0, noNaN: true }),
      }),
      fc.record({ kind: fc.constant('noise' as const), bytes: fc.uint8Array({ maxLength: 40 }) }),
      fc.record({ kind: fc.constant('time' as const), ms: fc.nat({ max: DAY_MS / 50 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { source, events } = holding(first)
        let lastGood = first
        let nowMs = 0
        const told = new Set<string>()
        const offer = (candidate: CredentialCandidate): readonly string[] => {
          events.length = 0
          source.offer(candidate, at(nowMs))
          return kindsOf(events)
        }
        const offerBad = (candidate: CredentialCandidate): void => {
          const kinds = offer(candidate)
          expect(source.problem).toBeDefined()
          const text = source.problem?.message ?? ''
          expect(kinds).toEqual(told.has(text) ? [] : ['refused'])
          told.add(text)
        }
        for (const each of steps) {
          const whole = 'index' in each ? (good()[each.index] ?? first) : lastGood
          if (each.kind === 'time') source.onTime(at((nowMs += each.ms)))
          else if (each.kind === 'noise') offerBad(found({ ...whole, certificate: each.bytes }))
          else if (each.kind === 'bad') offerBad(bad()[each.index] ?? unreadable('gone'))
          else if (each.kind === 'cut')
            offerBad(found({ ...whole, ca: String(whole.ca).slice(0, Math.floor(each.part * String(first.ca).length)) }))
          else {
            expect(offer(found(whole))).toEqual(isSame(whole, lastGood) ? [] : ['rotated'])
            expect(source.problem).toBeUndefined()
            lastGood = whole
            told.clear()
          }
          expect(inputOf(source.current)).toEqual({ crl: undefined, ...lastGood })
        }
      }),
    )
  })
})

function inputOf(credentials: X509Credentials): X509CredentialsInput {
  const { caPem, crlPem } = credentials.trust
  return { ca: caPem, crl: crlPem, certificate: credentials.certificatePem, privateKey: credentials.revealPrivateKeyPem() }
}

function isSame(one: X509CredentialsInput, other: X509CredentialsInput): boolean {
  return one.ca === other.ca && one.crl === other.crl && one.certificate === other.certificate
}

describe('createEngineFactorySource', () => {
  const engine = insecureCleartextEngine({ role: 'client', name: 'node-a' })

  function building(source: RotatingCredentials, refuses?: (credentials: X509Credentials) => boolean) {
    const built: X509Credentials[] = []
    const used: X509Credentials[] = []
    const factory = createEngineFactorySource(source, (credentials): TlsEngineFactory => {
      if (refuses?.(credentials) === true) throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', 'the library says no')
      built.push(credentials)
      return (listener) => {
        used.push(credentials)
        return engine(listener)
      }
    })
    return { factory, built, used }
  }

  it('builds once for each credentials, and gives each new engine the newest', () => {
    const { source } = holding(first)
    const { factory, built, used } = building(source)
    for (const input of [first, first, renewed, renewed, first]) {
      source.offer(found(input), start)
      factory(() => {})
    }
    expect(built.map(({ certificatePem }) => certificatePem)).toEqual([first, renewed, first].map((each) => each.certificate))
    expect(used.map(({ certificatePem }) => certificatePem)).toEqual(
      [first, first, renewed, renewed, first].map((each) => each.certificate),
    )
  })

  it('goes on with the last credentials that the library took, and has the others withdrawn', () => {
    const { source, events } = holding(first)
    const good = source.current
    const { factory, used } = building(source, ({ certificatePem }) => certificatePem === renewed.certificate)
    source.offer(found(renewed), start)
    factory(() => {})
    expect(used).toEqual([good])
    expect(source.current).toBe(good)
    expect(source.problem?.message).toMatch(/the library says no/)
    // They are still on disk at the next look.
    source.offer(found(renewed), start)
    expect(source.current).toBe(good)
    expect(kindsOf(events)).toEqual(['rotated', 'refused'])
    source.offer(found(otherTrust), start)
    factory(() => {})
    expect(used.at(-1)?.certificatePem).toBe(otherTrust.certificate)
    expect(source.problem).toBeUndefined()
  })

  it('throws at once for credentials that the library does not take', () => {
    const { source } = holding(first)
    expect(() => building(source, () => true)).toThrow(/the library says no/)
  })
})
