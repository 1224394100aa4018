import { Option, type Command } from 'commander'
import { DEFAULT_CRL_DAYS, REVOCATION_REASONS, type RevocationReason } from '../security/pki/crl.driver.ts'
import { DEFAULT_CA_NAME, DEFAULT_PKI_CA_DAYS, initPki } from '../security/pki/init.driver.ts'
import { DEFAULT_PKI_NODE_DAYS, issueInPki } from '../security/pki/issue.driver.ts'
import { KEY_KINDS, type KeyKind } from '../security/pki/keys.driver.ts'
import { revokeInPki } from '../security/pki/revoke.driver.ts'
import { CERTIFICATE_USAGES, type CertificateUsage } from '../security/pki/pki.driver.ts'
import { SzmqError } from '../shared/errors.ts'
import { collect, parseChoice, parseDays, parseFolder, parseList } from './option-values.ts'
import { showPki } from './pki-show.ts'
import { viewInit, viewIssued, viewRevoked } from './pki-view.ts'
import { createPainter, type Terminal } from './terminal.ts'

const DEFAULT_FOLDER = 'pki'

/** `szmq pki`: a CA for development, the certificates of nodes, and their revocation. */
export function addPkiCommand(program: Command, terminal: Terminal): void {
  const pki = program
    .command('pki')
    .description('Make a CA for development, issue certificates to nodes, revoke them.')
    .helpCommand(false)
    .addHelpText('after', '\nExample:\n  szmq pki init && szmq pki issue node-a && szmq pki show')
  addInit(pki, terminal)
  addIssue(pki, terminal)
  addShow(pki, terminal)
  addRevoke(pki, terminal)
}

interface InitOptions {
  readonly folder: string
  readonly name: string
  readonly days: number
  readonly key?: KeyKind
  readonly force?: true
}

function addInit(pki: Command, terminal: Terminal): void {
  pki
    .command('init')
    .description('Make a CA: its certificate, its key, and a revocation list that is empty yet.')
    .addOption(folderOption())
    .option('--name <text>', 'name of the CA', DEFAULT_CA_NAME)
    .addOption(daysOption('how long the CA lives', DEFAULT_PKI_CA_DAYS))
    .addOption(keyOption('ecdsa-p256'))
    .option('--force', 'replace a CA that is there: what it issued counts no more')
    .addHelpText('after', '\nExample:\n  szmq pki init --folder pki --name "Shop CA" --days 365 --key ed25519')
    .action(async (options: InitOptions) => {
      terminal.out(viewInit(await initPki(options), createPainter(terminal.isColourful)))
    })
}

interface IssueOptions {
  readonly folder: string
  readonly dns?: readonly string[]
  readonly ip?: readonly string[]
  readonly uri?: readonly string[]
  readonly days: number
  readonly usage?: readonly CertificateUsage[]
  readonly key?: KeyKind
  readonly force?: true
}

function addIssue(pki: Command, terminal: Terminal): void {
  pki
    .command('issue')
    .description(
      'Issue a certificate to a node. It carries NAME and the names given here; without any, localhost, 127.0.0.1 and ::1.',
    )
    .argument('<name>', 'of the node, and of its files NAME.pem and NAME.key')
    .addOption(folderOption())
    .option('--dns <name>', 'one more DNS name (repeat for more)', collect)
    .option('--ip <address>', 'an IP address (repeat for more)', collect)
    .option('--uri <uri>', 'a URI, such as a SPIFFE ID (repeat for more)', collect)
    .addOption(daysOption('how long it is valid', DEFAULT_PKI_NODE_DAYS))
    .addOption(
      new Option('--usage <sides>', 'what it may be shown as (default: server,client)').argParser(
        parseList(CERTIFICATE_USAGES),
      ),
    )
    .addOption(keyOption('as the CA'))
    .option('--force', 'replace the certificate and key of this name')
    .addHelpText('after', '\nExample:\n  szmq pki issue node-a --dns shop-a.example --uri spiffe://shop.example/node-a')
    .action(async (name: string, { dns, ip, uri, usage, ...options }: IssueOptions) => {
      const issued = await issueInPki({ name, dnsNames: dns, ipAddresses: ip, uris: uri, usages: usage, ...options })
      terminal.out(viewIssued(issued, createPainter(terminal.isColourful)))
    })
}

interface ShowOptions {
  readonly folder: string
  readonly json?: true
}

function addShow(pki: Command, terminal: Terminal): void {
  pki
    .command('show')
    .description('List the CA and its certificates; or tell all about one of them, or about a PEM file.')
    .argument('[name-or-file]', 'name or serial number of a certificate, or the path of a PEM file')
    .addOption(folderOption())
    .option('--json', 'for machines')
    .addHelpText('after', '\nExample:\n  szmq pki show node-a')
    .action(async (target: string | undefined, { folder, json }: ShowOptions) => {
      const { data, text } = await showPki(folder, target)
      terminal.out(json === true ? `${JSON.stringify(data, null, 2)}\n` : text(createPainter(terminal.isColourful)))
    })
}

interface RevokeOptions {
  readonly folder: string
  readonly reason?: RevocationReason
  readonly days: number
  readonly refresh?: true
}

function addRevoke(pki: Command, terminal: Terminal): void {
  pki
    .command('revoke')
    .description('Revoke the certificates of a name, or one by its serial number: write a new revocation list.')
    .argument('[name-or-serial]', 'name, or at least 8 digits of a serial number')
    .addOption(folderOption())
    .addOption(
      new Option('--reason <reason>', `one of ${REVOCATION_REASONS.join(', ')}`).argParser(parseChoice(REVOCATION_REASONS)),
    )
    .addOption(daysOption('how long the list is current', DEFAULT_CRL_DAYS))
    .option('--refresh', 'revoke nothing more, only sign the list anew')
    .addHelpText('after', '\nExample:\n  szmq pki revoke node-a --reason keyCompromise')
    .action(async (target: string | undefined, { refresh, ...options }: RevokeOptions) => {
      requireOne(target, refresh)
      terminal.out(viewRevoked(await revokeInPki({ target, ...options }), createPainter(terminal.isColourful)))
    })
}

function requireOne(target: string | undefined, refresh: true | undefined): void {
  if ((target === undefined) === (refresh === true)) return
  const seen = target === undefined ? 'nothing to revoke' : 'both a certificate and --refresh'
  throw new SzmqError(
    'ERR_SZMQ_INVALID_ARGUMENT',
    `${seen}: give a name, a serial number, or --refresh (see szmq pki revoke --help)`,
  )
}

function folderOption(): Option {
  return new Option('--folder <path>', 'of the PKI').argParser(parseFolder).default(DEFAULT_FOLDER)
}

function daysOption(what: string, days: number): Option {
  return new Option('--days <days>', what).argParser(parseDays).default(days)
}

function keyOption(standard: string): Option {
  return new Option('--key <kind>', `${KEY_KINDS.join(' or ')} (default: ${standard})`).argParser(parseChoice(KEY_KINDS))
}
