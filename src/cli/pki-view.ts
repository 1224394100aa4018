import type { CertificateFacts } from '../security/pki/certificate.ts'
import type { CrlFacts } from '../security/pki/crl.driver.ts'
import type { PemBlock } from '../security/pki/file.driver.ts'
import type { PkiInitialised } from '../security/pki/init.driver.ts'
import type { PkiIssued } from '../security/pki/issue.driver.ts'
import type { ListedCertificate, ListedCrl, PkiListing } from '../security/pki/listing.driver.ts'
import type { PkiRevoked } from '../security/pki/revoke.driver.ts'
import { assertNever } from '../shared/assert-never.ts'
import { layOutFields, layOutTable, type Cell } from './layout.ts'
import { printable, type Painter } from './terminal.ts'

/** A certificate that ends sooner is painted as a warning. */
const SOON_DAYS = 14
/** Enough to tell certificates apart, and to revoke by. */
const SHORT_SERIAL = 16
const SHORT_FINGERPRINT = 23

export function viewInit({ folder, ca, caKeyFile, crl, isOpenToOthers }: PkiInitialised, paint: Painter): string {
  return [
    done(`CA "${ca.name}", ${untilText(ca)}`, paint),
    layOutFields(
      [
        ['certificate', ca.certFile],
        ['private key', `${caKeyFile} (keep it secret, out of version control too)`],
        ['revocations', crl?.file],
        ['next', `szmq pki issue NAME${folder === 'pki' ? '' : ` --folder ${folder}`}`],
      ],
      paint,
    ),
    isOpenToOthers ? warning(`${folder} was there and others may look into it; keys in it are for you only (0600)`, paint) : '',
  ].join('')
}

export function viewIssued(issued: PkiIssued, paint: Painter): string {
  return [
    done(`${issued.name}, ${untilText(issued)}${issued.isCutToCa ? ', as long as its CA' : ''}`, paint),
    layOutFields(
      [
        ['names', issued.names.join(' ')],
        ['use', issued.usages.join(', ')],
        ['certificate', issued.certFile],
        ['private key', issued.keyFile],
        ['CA', issued.caFile],
        ['revocations', issued.crlFile],
        ['serial', issued.serialNumber],
      ],
      paint,
    ),
  ].join('')
}

export function viewRevoked({ revoked, listing }: PkiRevoked, paint: Painter): string {
  const { crl } = listing
  const serials = revoked.map(({ name, serialNumber }) => done(`${name} revoked, serial ${serialNumber}`, paint))
  return [
    ...serials,
    revoked.length === 0 ? done('the revocation list is signed anew', paint) : '',
    layOutFields([['revocations', crl === undefined ? undefined : `${crl.file}, ${crlText(crl)}`]], paint),
    `  ${paint('dim', 'Give the list to every node that shall know.')}\n`,
  ].join('')
}

export function viewListing({ ca, crl, certificates, problems }: PkiListing, paint: Painter): string {
  const isOver = crl?.daysLeft !== undefined && crl.daysLeft <= 0
  return [
    layOutFields(
      [
        ['CA', `${ca.name}, ${ca.key}, ${untilText(ca)}`],
        ['CRL', crl === undefined ? 'none' : crlText(crl)],
      ],
      paint,
    ),
    '\n',
    certificates.length === 0
      ? '  No certificates yet: szmq pki issue NAME\n'
      : layOutTable(['NAME', 'STATUS', 'UNTIL', 'SERIAL', 'SHA-256'], certificates.map(toRow), paint),
    ...(isOver ? [warning(`${crl.file} is over, nodes refuse everybody by it: szmq pki revoke --refresh`, paint)] : []),
    ...problems.map((problem) => warning(problem, paint)),
  ].join('')
}

/** All there is to know of some of a PKI's certificates. */
export function viewCertificates(certificates: readonly ListedCertificate[], paint: Painter): string {
  return certificates
    .map((one) => {
      const revoked = one.revokedAt === undefined ? undefined : `${one.revokedAt}, ${one.reason ?? 'unspecified'}`
      const inPlace = one.isInPlace ? '' : ' (not the one in use)'
      return viewFacts(
        one,
        statusCell(one),
        [
          ['file', `${one.certFile}${inPlace}`],
          ['revoked', revoked],
        ],
        paint,
      )
    })
    .join('\n')
}

export function viewPemFile(blocks: readonly PemBlock[], paint: Painter): string {
  return blocks.map((block) => viewBlock(block, paint)).join('\n')
}

function viewBlock(block: PemBlock, paint: Painter): string {
  switch (block.kind) {
    case 'certificate':
      return viewFacts(block.certificate, validityCell(block.certificate), [], paint)
    case 'crl':
      return viewCrl(block.crl, paint)
    case 'private-key':
      return `${paint('bold', 'private key')}  ${printable(block.key)}\n`
    case 'other':
      return `${paint('bold', printable(block.label.toLowerCase()))}\n`
    default:
      return assertNever(block)
  }
}

function viewFacts(
  facts: CertificateFacts,
  status: Cell,
  more: readonly (readonly [name: string, value: Cell | undefined])[],
  paint: Painter,
): string {
  return [
    `${paint('bold', printable(facts.name))}\n`,
    layOutFields(
      [
        ['status', status],
        ['names', facts.names.join(' ')],
        ['use', facts.isCa ? 'CA' : facts.usages.join(', ')],
        ['issuer', facts.issuer],
        ['key', facts.key],
        ['valid', `${facts.validFrom} to ${facts.validTo}`],
        ['serial', facts.serialNumber],
        ['SHA-256', facts.fingerprint256],
        ...more,
      ],
      paint,
    ),
  ].join('')
}

function viewCrl({ issuer, number, thisUpdate, nextUpdate, revocations }: CrlFacts, paint: Painter): string {
  const rows = revocations.map(({ serialNumber, revokedAt, reason }) => [serialNumber, revokedAt.toISOString(), reason])
  return [
    `${paint('bold', 'revocation list')}\n`,
    layOutFields(
      [
        ['issuer', issuer.replace(/^CN=/, '')],
        ['number', number?.toString()],
        ['current', `${thisUpdate.toISOString()} to ${nextUpdate?.toISOString() ?? 'any time'}`],
        ['revoked', String(revocations.length)],
      ],
      paint,
    ),
    rows.length === 0 ? '' : layOutTable(['SERIAL', 'REVOKED', 'REASON'], rows, paint),
  ].join('')
}

function toRow(one: ListedCertificate): readonly Cell[] {
  return [
    one.name,
    statusCell(one),
    day(one.validTo),
    one.serialNumber.slice(0, SHORT_SERIAL),
    one.fingerprint256.slice(0, SHORT_FINGERPRINT),
  ]
}

function statusCell(one: ListedCertificate): Cell {
  if (one.status === 'revoked') return { text: `revoked ${day(one.revokedAt)}`, paint: 'red' }
  const cell = validityCell(one)
  return one.isInPlace || one.status !== 'valid' ? cell : { text: `${textOf(cell)}, replaced`, paint: 'dim' }
}

function validityCell({ validity, daysLeft, validFrom, validTo }: CertificateFacts): Cell {
  switch (validity) {
    case 'valid':
      return { text: `valid, ${days(daysLeft)} left`, paint: daysLeft > SOON_DAYS ? 'green' : 'yellow' }
    case 'expired':
      return { text: `expired ${day(validTo)}`, paint: 'red' }
    case 'not-yet-valid':
      return { text: `not before ${day(validFrom)}`, paint: 'yellow' }
    default:
      return assertNever(validity)
  }
}

function untilText({ validity, daysLeft, validTo }: CertificateFacts): string {
  return validity === 'expired' ? `expired ${day(validTo)}` : `valid until ${day(validTo)} (${days(daysLeft)})`
}

function crlText({ number, revoked, nextUpdate, daysLeft }: ListedCrl): string {
  const until = nextUpdate === undefined ? '' : `, current until ${day(nextUpdate)} (${days(Math.max(0, daysLeft ?? 0))})`
  return `number ${number ?? 'none'}, ${revoked} revoked${until}`
}

function textOf(cell: Cell): string {
  return typeof cell === 'object' ? cell.text : cell
}

function days(count: number): string {
  return count === 1 ? '1 day' : `${count} days`
}

function day(iso: string | undefined): string {
  return (iso ?? '').slice(0, 10)
}

function done(text: string, paint: Painter): string {
  return `${paint('green', '✓')} ${printable(text)}\n`
}

function warning(text: string, paint: Painter): string {
  return `${paint('yellow', '!')} ${printable(text)}\n`
}
