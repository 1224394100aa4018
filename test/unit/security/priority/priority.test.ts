import { describe, expect, it } from 'vitest'
import { MAX_PRIORITY_CHARACTERS, MAX_PRIORITY_TOKENS } from '../../../../src/security/priority/priority-token.ts'
import {
  canonicalPriority,
  DEFAULT_HYBRID_PRIORITY,
  DEFAULT_PRIORITY,
  parsePriority,
} from '../../../../src/security/priority/priority.ts'
import { SzmqError } from '../../../../src/shared/errors.ts'

// What strings mean is compared with GnuTLS itself in test/property/priority.test.ts.

function refusal(text: string): string {
  try {
    parsePriority(text)
  } catch (error) {
    if (error instanceof SzmqError && error.code === 'ERR_SZMQ_INVALID_ARGUMENT') return error.message
    throw error
  }
  throw new Error(`${text} was accepted`)
}

describe('a priority string', () => {
  it('puts suites together by key exchange, then cipher, then MAC, those of TLS 1.3 first', () => {
    const { suites } = parsePriority(
      'NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-128-CBC:+AES-256-GCM:+RSA:+ECDHE-RSA:+SHA1:+AEAD:+SIGN-ALL:+GROUP-ALL',
    )
    expect(suites.map(({ name }) => name)).toEqual([
      'TLS_AES_256_GCM_SHA384',
      'TLS_RSA_AES_128_CBC_SHA1',
      'TLS_RSA_AES_256_GCM_SHA384',
      'TLS_ECDHE_RSA_AES_128_CBC_SHA1',
      'TLS_ECDHE_RSA_AES_256_GCM_SHA384',
    ])
  })

  it('has static RSA in NORMAL, as GnuTLS 3.7 has, and not in PFS', () => {
    expect(parsePriority('NORMAL').keyExchanges).toContain('RSA')
    expect(parsePriority('PFS').keyExchanges).not.toContain('RSA')
  })

  it('remembers what it asks for by name, until that is removed again', () => {
    const asked = (text: string) => parsePriority(text).asked.map(({ list, member }) => `${list} ${member}`)
    expect(asked('NORMAL:+CIPHER-ALL:+SECURE256')).toEqual([])
    expect(asked('NORMAL:+RSA:+GROUP-X25519')).toEqual(['keyExchanges RSA', 'groups X25519'])
    expect(asked('NORMAL:+SRP:+DHE-DSS:-SRP')).toEqual(['keyExchanges DHE-DSS'])
    expect(asked('NORMAL:+DHE-DSS:-KX-ALL:+ECDHE-RSA')).toEqual(['keyExchanges ECDHE-RSA'])
    expect(asked('NORMAL:+CTYPE-RAWPK')).toEqual(['clientCertificateTypes RAWPK', 'serverCertificateTypes RAWPK'])
  })

  it('keeps the weakest profile of its keywords, and the last that is set by name', () => {
    expect(parsePriority('SECURE256').profile).toBe('HIGH')
    expect(parsePriority('SECURE256:+NORMAL').profile).toBe('LOW')
    expect(parsePriority('NORMAL:+SECURE256').profile).toBe('LOW')
    expect(parsePriority('NORMAL:%PROFILE_ULTRA').profile).toBe('ULTRA')
    expect(parsePriority('NONE:+VERS-TLS1.3:+AES-256-GCM:+AEAD:+GROUP-ALL:+SIGN-ALL').profile).toBeUndefined()
  })

  it('says what becomes of tickets', () => {
    expect(parsePriority('NORMAL').tickets).toBe('allowed')
    expect(parsePriority('PFS').tickets).toBe('notInTls12')
    expect(parsePriority('NORMAL:%NO_TICKETS_TLS12').tickets).toBe('notInTls12')
    expect(parsePriority('PFS:%NO_TICKETS').tickets).toBe('none')
  })

  it('leaves TLS 1.3 out where it cannot be had, and tells why', () => {
    const reason = (text: string) => parsePriority(text).droppedVersions.get('TLS1.3')
    expect(reason('NORMAL')).toBeUndefined()
    expect(reason('NORMAL:+SRP')).toMatch(/SRP/)
    expect(reason('NORMAL:%NO_EXTENSIONS')).toMatch(/NO_EXTENSIONS/)
    expect(reason('NORMAL:-GROUP-ALL')).toMatch(/no group/)
    expect(reason('NORMAL:-VERS-TLS1.2')).toMatch(/TLS 1.2 is missing/)
    expect(refusal('NORMAL:-VERS-ALL:+VERS-TLS1.3:+SRP')).toMatch(/leaves no version of TLS \(TLS1.3: key exchange SRP/)
  })

  it('knows the names of newer GnuTLS: hybrid groups, ML-DSA', () => {
    const priority = parsePriority('NORMAL:-GROUP-ALL:+GROUP-X25519-MLKEM768:+SIGN-ML-DSA-65:%FORCE_SESSION_HASH')
    expect(priority.groups).toEqual(['X25519-MLKEM768'])
    expect(priority.signatures.at(-1)).toBe('ML-DSA-65')
  })

  it.each([
    ['NORMAL:+AES-256-GCMM', '"+AES-256-GCMM" at character 8', '+AES-256-GCM'],
    ['NORMAL:  -AES_128_GCM', '"-AES_128_GCM" at character 10', '-AES-128-GCM'],
    ['NORML', '"NORML" at character 1', 'NORMAL'],
    ['NORMAL:RSA', '"RSA" at character 8', '+RSA'],
    ['NORMAL:TLS1.2', '"TLS1.2" at character 8', '+VERS-TLS1.2'],
    ['NORMAL:+VERS-TLSv1.2', '"+VERS-TLSv1.2" at character 8', '+VERS-TLS1.2'],
    ['NORMAL:!X25519', '"!X25519" at character 8', '!GROUP-X25519'],
    ['NORMAL:+P-256', '"+P-256" at character 8', '+GROUP-SECP256R1'],
    ['NORMAL:+GROUP-X25519MLKEM768', '"+GROUP-X25519MLKEM768" at character 8', '+GROUP-X25519-MLKEM768'],
    ['NORMAL:+SIGN-ED25519', '"+SIGN-ED25519" at character 8', '+SIGN-EdDSA-Ed25519'],
    ['NORMAL:%no_tickets', '"%no_tickets" at character 8', '%NO_TICKETS'],
    ['NORMAL:NO_TICKETS', '"NO_TICKETS" at character 8', '%NO_TICKETS'],
    ['NORMAL:+SECURE265', '"+SECURE265" at character 8', '+SECURE256'],
  ])('%s: names the token, its place, and what was meant', (text, place, meant) => {
    expect(refusal(text)).toContain(`priority token ${place}`)
    expect(refusal(text)).toContain(`did you mean "${meant}"?`)
  })

  it.each([
    ['', 'is nothing that a priority string can hold'],
    ['NORMAL::+RSA', '"" at character 8'],
    ['NORMAL:+BLOWFISH', 'see "Priority strings" in the GnuTLS manual'],
    ['NORMAL:NONE', 'NONE stands in front of all else'],
    ['NORMAL:-SECURE128', 'a keyword can be added, not removed'],
    ['@SYSTEM', 'stands for settings of the system'],
    ['NORMAL:+CIPHER-FOO', '"+CIPHER-FOO" at character 8'],
    ['NONE', 'leaves no version of TLS'],
    ['NORMAL:-VERS-TLS-ALL', 'leaves no version of TLS'],
    ['NORMAL:-CIPHER-ALL', 'leaves no cipher suite (no cipher'],
    ['NORMAL:-VERS-TLS1.3:-KX-ALL', 'leaves no cipher suite (no key exchange'],
    ['NORMAL:-MAC-ALL', 'leaves no cipher suite (no MAC'],
    ['NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-CBC', 'do not go together'],
  ])('%s is refused: %s', (text, part) => {
    expect(refusal(text)).toContain(part)
  })

  it('is bounded in characters and tokens, and so is what an error shows of it', () => {
    expect(refusal('x'.repeat(MAX_PRIORITY_CHARACTERS + 1))).toMatch(/4097 characters/)
    expect(refusal(['NORMAL', ...Array<string>(MAX_PRIORITY_TOKENS).fill('+RSA')].join(':'))).toMatch(/129 tokens/)
    expect(
      parsePriority(['NORMAL', ...Array<string>(MAX_PRIORITY_TOKENS - 1).fill('+RSA')].join(':')).suites.length,
    ).toBeGreaterThan(0)
    expect(refusal(`NORMAL:+${'A'.repeat(4_000)}`).length).toBeLessThan(250)
  })
})

describe('the default', () => {
  it('is TLS 1.2 and 1.3 with authenticated encryption and forward secrecy, and nothing of SHA-1', () => {
    const { versions, macs, keyExchanges, signatures, specials, suites } = parsePriority(DEFAULT_PRIORITY)
    expect(versions).toEqual(['TLS1.3', 'TLS1.2'])
    expect(macs).toEqual(['AEAD'])
    expect(keyExchanges).toEqual(['ECDHE-ECDSA', 'ECDHE-RSA'])
    expect(signatures.filter((name) => name.endsWith('SHA1'))).toEqual([])
    expect(specials).toEqual([])
    expect(suites).toHaveLength(9)
  })

  it('differs with hybrid groups in the first group only', () => {
    const [plain, hybrid] = [parsePriority(DEFAULT_PRIORITY), parsePriority(DEFAULT_HYBRID_PRIORITY)]
    expect(hybrid.groups).toEqual(['X25519-MLKEM768', ...plain.groups])
    expect({ ...hybrid, groups: plain.groups, asked: plain.asked }).toEqual(plain)
  })
})

describe('the canonical form', () => {
  it('shows every list by name', () => {
    expect(canonicalPriority(parsePriority('SUITEB192:%SERVER_PRECEDENCE'))).toBe(
      'NONE:+VERS-TLS1.2:+AES-256-GCM:+AEAD:+ECDHE-ECDSA:+GROUP-SECP384R1:+SIGN-ECDSA-SHA384:+SIGN-ECDSA-SECP384R1-SHA384' +
        ':+CTYPE-CLI-X509:+CTYPE-SRV-X509:%SERVER_PRECEDENCE:%PROFILE_SUITEB192',
    )
  })
})
