import './seed.ts'
import { execFile } from 'node:child_process'
import { createSecureContext } from 'node:tls'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SzmqError } from '../../src/shared/errors.ts'
import { toOpensslOptions, type OpensslOptions } from '../../src/security/openssl/priority.ts'
import { LIST_NAMES, listNames } from '../../src/security/priority/priority-names.ts'
import { canonicalPriority, DEFAULT_PRIORITY, parsePriority, type Priority } from '../../src/security/priority/priority.ts'

const run = promisify(execFile)

const KEYWORDS = [
  'NORMAL',
  'PFS',
  'SECURE128',
  'SECURE192',
  'SECURE256',
  'SUITEB128',
  'SUITEB192',
  'LEGACY',
  'PERFORMANCE',
  'NONE',
]
/** GnuTLS 3.7 does not know these yet. */
const NEWER = /MLKEM|KYBER|ML-DSA/
const SPECIALS = ['%SERVER_PRECEDENCE', '%NO_TICKETS', '%COMPAT', '%NO_EXTENSIONS', '%PROFILE_HIGH', '%SAFE_RENEGOTIATION']

const name = fc.constantFrom(...listNames().filter((each) => !NEWER.test(each)))
const bulk = fc.constantFrom(...listNames().filter((each) => each.endsWith('ALL') && !each.startsWith('COMP')))
const signed = fc.tuple(fc.constantFrom('+', '+', '-', '!'), fc.oneof(name, name, name, bulk)).map((parts) => parts.join(''))
const addition = fc.constantFrom(...KEYWORDS.filter((keyword) => keyword !== 'NONE')).map((keyword) => `+${keyword}`)
const token = fc.oneof(
  { weight: 12, arbitrary: signed },
  { weight: 1, arbitrary: addition },
  { weight: 1, arbitrary: fc.constantFrom(...SPECIALS) },
)
const anyCase = (text: string) =>
  fc.constantFrom(
    text,
    text,
    text.replace(/^[^%]*$/, (plain) => plain.toLowerCase()),
  )
const priorityText = fc
  .tuple(fc.constantFrom(...KEYWORDS), fc.array(token, { maxLength: 14 }))
  .chain(([first, rest]) => fc.tuple(...[first, ...rest].map(anyCase)))
  .map((tokens) => tokens.join(':'))

const FIXED = [
  ...KEYWORDS.slice(0, -1),
  DEFAULT_PRIORITY,
  'NORMAL:-VERS-TLS1.3',
  'NORMAL:-VERS-ALL:+VERS-TLS1.3',
  'NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA',
  'NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305',
  'NORMAL:-VERS-ALL:+VERS-TLS1.3:+PSK',
  'NORMAL:-KX-ALL:+PSK:+DHE-PSK:+ECDHE-PSK',
  'NORMAL:+RSA-PSK',
  'NORMAL:+SRP:+SRP-RSA:+SRP-DSS',
  'NORMAL:+ANON-ECDH:+ANON-DH',
  'NORMAL:+NULL:+MD5',
  'NORMAL:+ARCFOUR-128:+3DES-CBC:+MD5',
  'NORMAL:+SHA256:+SHA384:+CAMELLIA-128-CBC:+CAMELLIA-256-GCM',
  'NORMAL:-SHA1:+SHA1',
  'NORMAL:-GROUP-ALL:+GROUP-X25519',
  'NORMAL:-CURVE-ALL:+CURVE-SECP384R1',
  'NORMAL:-GROUP-DH-ALL:!GROUP-SECP256R1',
  'NORMAL:-SIGN-ALL:+SIGN-ECDSA-SHA256:+SIGN-EdDSA-Ed25519',
  'NORMAL:-SIGN-ALL',
  'NORMAL:-GROUP-ALL',
  'NORMAL:-VERS-TLS1.2',
  'NORMAL:-VERS-TLS-ALL:+VERS-TLS1.2',
  'NORMAL:-VERS-DTLS-ALL',
  'NORMAL:+GOST',
  'NORMAL:-SIGN-GOST-ALL:+SIGN-RSA-SHA256',
  'NORMAL:+CTYPE-RAWPK:+CTYPE-CLI-X509',
  'SECURE256:+SECURE128',
  'NORMAL:SECURE256',
  '+RSA:NORMAL',
  '+SECURE256:NORMAL',
  ' NORMAL: +SRP:  -RSA',
  'normal:-vers-tls1.2:+vers-tls1.2:%SERVER_PRECEDENCE',
  'NONE:+CIPHER-ALL:+MAC-ALL:+KX-ALL:+VERS-ALL:+SIGN-ALL:+GROUP-ALL',
  'NONE:+VERS-TLS-ALL:+AES-128-CBC:+ECDHE-RSA:+SHA1:+COMP-NULL:+SIGN-RSA-SHA1:+CURVE-SECP256R1',
  // What GnuTLS refuses.
  '',
  'NORMAL:',
  'NORMAL::+RSA',
  'NORMAL:NONE',
  'NORMAL:-NORMAL',
  'NORMAL:+NONE',
  'NORMAL:+FOO',
  'NORMAL :+RSA',
  'NORMAL:%no_tickets',
  'NORMAL:%FOO',
  'NORMAL:+GROUP-FOO',
  'NORMAL:+VERS-TLS1.4',
  '+RSA',
  'NONE',
  'NONE:+VERS-TLS1.3',
]

interface Listed {
  readonly suites: readonly { readonly name: string; readonly since: string }[]
  readonly lists: Readonly<Record<string, readonly string[]>>
}

async function hasGnutlsCli(): Promise<boolean> {
  const { stdout } = await run('gnutls-cli', ['--version']).catch(() => ({ stdout: '' }))
  return stdout.startsWith('gnutls-cli 3.7.')
}

/** What `gnutls-cli --list` makes of a priority string. `undefined`: it refuses it. */
async function listByGnutls(text: string): Promise<Listed | undefined> {
  const { stdout } = await run('gnutls-cli', ['--priority', text, '--list']).catch((error: unknown) => {
    if (error instanceof Error && 'stdout' in error && 'code' in error && typeof error.code === 'number') {
      return { stdout: String(error.stdout) }
    }
    throw error
  })
  if (!stdout.includes('\nProtocols: ')) return undefined
  const read = (title: string) => {
    const line = stdout.split('\n').find((each) => each.startsWith(`${title}: `)) ?? ''
    const members = line.slice(title.length + 2).split(', ')
    return members[0] === 'none' || members[0] === '' ? [] : members.map((member) => member.replace(/^(VERS|GROUP|SIGN)-/, ''))
  }
  return {
    suites: [...stdout.matchAll(/^(TLS_\S+)\s+0x.., 0x..\s+(\S+)$/gm)].map(([, suite = '', since = '']) => ({
      name: suite,
      since,
    })),
    lists: {
      versions: read('Protocols'),
      ciphers: read('Ciphers'),
      macs: read('MACs'),
      keyExchanges: read('Key Exchange Algorithms'),
      groups: read('Groups'),
      signatures: read('PK-signatures'),
    },
  }
}

/** What GnuTLS lists less what cannot be negotiated over TLS: it lists suites for DTLS as well, and those of TLS 1.2 for TLS 1.3 alone with PSK. */
function suitesOverTls({ suites, lists }: Listed): readonly string[] {
  const has = (...versions: readonly string[]) => versions.some((version) => lists['versions']?.includes(version))
  const isOn: Readonly<Record<string, boolean>> = {
    'TLS1.3': has('TLS1.3'),
    'TLS1.2': has('TLS1.2'),
    'TLS1.0': has('TLS1.0', 'TLS1.1', 'TLS1.2'),
  }
  return suites.filter(({ since }) => isOn[since] === true).map((suite) => suite.name)
}

async function compareWithGnutls(text: string): Promise<void> {
  const [ours, theirs] = [tryToParse(text), await listByGnutls(text)]
  const isUseful = theirs !== undefined && suitesOverTls(theirs).length > 0
  if (!isUseful) {
    expect(ours, `GnuTLS makes nothing of ${JSON.stringify(text)}`).toBeUndefined()
    return
  }
  if (ours === undefined) throw new Error(`we refuse ${JSON.stringify(text)}, GnuTLS does not`)
  const lists = Object.fromEntries(Object.keys(theirs.lists).map((list) => [list, ours[toListName(list)]]))
  expect({ text, lists, suites: ours.suites.map((suite) => suite.name) }).toEqual({
    text,
    lists: theirs.lists,
    suites: suitesOverTls(theirs),
  })
}

function toListName(text: string): (typeof LIST_NAMES)[number] {
  const found = LIST_NAMES.find((list) => list === text)
  if (found === undefined) throw new Error(`no list ${text}`)
  return found
}

function tryToTranslate(text: string): OpensslOptions | undefined {
  return unlessRefused(() => toOpensslOptions(parsePriority(text), process.versions.openssl))
}

function tryToParse(text: string): Priority | undefined {
  return unlessRefused(() => parsePriority(text))
}

function unlessRefused<T>(attempt: () => T): T | undefined {
  try {
    return attempt()
  } catch (error) {
    if (error instanceof SzmqError && error.code === 'ERR_SZMQ_INVALID_ARGUMENT') return undefined
    throw error
  }
}

describe('a priority string', () => {
  it('means to us what it means to GnuTLS 3.7 (gnutls-cli --list), in content and order', async () => {
    if (!(await hasGnutlsCli())) throw new Error('gnutls-cli 3.7 is missing here: apt-get install gnutls-bin')
    const texts = [...FIXED, ...fc.sample(priorityText, 100)]
    const rest = texts.values()
    const worker = async () => {
      for (const text of rest) await compareWithGnutls(text)
    }
    await Promise.all([worker(), worker(), worker(), worker()])
  })

  it('becomes a priority or an ERR_SZMQ_INVALID_ARGUMENT, whatever it is', () => {
    const noise = fc.oneof(
      fc.string({ maxLength: 80 }),
      fc.array(fc.oneof(token, fc.string({ maxLength: 12 }))).map((parts) => parts.join(':')),
    )
    fc.assert(
      fc.property(noise, (text) => {
        const priority = tryToParse(text)
        expect(priority === undefined || priority.suites.length > 0).toBe(true)
      }),
    )
  })

  it('becomes options that this OpenSSL takes, or an ERR_SZMQ_INVALID_ARGUMENT', () => {
    fc.assert(
      fc.property(priorityText, (text) => {
        const options = tryToTranslate(text)
        if (options === undefined) return
        const { groups, dhparam, ...rest } = options
        createSecureContext({ ...rest, ...(dhparam && { dhparam }), ...(groups !== undefined && { ecdhCurve: groups }) })
      }),
    )
  })

  it('says the same again in its canonical form', () => {
    fc.assert(
      fc.property(priorityText, (text) => {
        const priority = tryToParse(text)
        // What GnuTLS leaves out for want of another thing may draw more with it when the rest is read alone.
        if (priority === undefined || priority.droppedVersions.size > 0) return
        const again = parsePriority(canonicalPriority(priority))
        for (const list of LIST_NAMES) expect(again[list]).toEqual(priority[list])
        expect(again.suites).toEqual(priority.suites)
        expect([again.profile, again.tickets]).toEqual([priority.profile, priority.tickets])
        expect(canonicalPriority(again)).toBe(canonicalPriority(priority))
      }),
    )
  })
})
