import { Origin } from '../../src/actors/origin.ts'
import type { Grant, PeerIdentity } from '../../src/transport/index.ts'

/** Who shows a certificate of that name. */
export function identityOf(subject: string): PeerIdentity {
  return {
    verifiedBy: 'x509',
    subject,
    names: [`DNS:${subject}`],
    issuer: 'a CA for tests',
    fingerprint256: subject.toUpperCase(),
    validFrom: '2026-01-01T00:00:00.000Z',
    validTo: '2027-01-01T00:00:00.000Z',
  }
}

/** The far end of a link to `node`, whose certificate carries the same name; `grant` is about system `shop`. */
export function originOf(node: string, grant: Grant = 'everything'): Origin {
  return new Origin({ node, identity: identityOf(node), system: 'shop', grant })
}
