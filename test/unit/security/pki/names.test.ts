import '../../../property/seed.ts'
import { join, resolve, sep } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { requireDnsName, requireNodeName, requireUri } from '../../../../src/security/pki/names.ts'
import { SzmqError } from '../../../../src/shared/errors.ts'

describe('names in a PKI', () => {
  it('stay files of its folder, whatever is typed', () => {
    const pieces = fc.array(
      fc.constantFrom('.', '..', '/', '\\', 'a', 'Z', '-', '_', '\u0000', '\n', ' ', 'ca', 'é', '~', '%2e'),
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          pieces.map((some) => some.join('')),
        ),
        (name) => {
          if (!isTaken(requireNodeName, name)) return
          const file = resolve(join('/pki', `${name}.pem`))
          expect(file).toBe(`/pki${sep}${name}.pem`)
          expect(file.toLowerCase()).not.toBe('/pki/ca.pem')
        },
      ),
    )
  })

  it.each(['a', 'node-a', 'www.example.org', '*.example.org', 'xn--bcher-kva.example', 'a_b', 'x'.repeat(63)])(
    'take DNS %s',
    (name) => {
      expect(isTaken(requireDnsName, name)).toBe(true)
    },
  )

  it.each([
    '',
    '.',
    'a.',
    'a..b',
    '-a',
    'a-',
    'b*.example',
    '*',
    'bücher.example',
    '1.2.3.4',
    'x'.repeat(64),
    'a\u0000.b',
    'a.b'.repeat(90),
  ])('refuse DNS %j', (name) => {
    expect(isTaken(requireDnsName, name)).toBe(false)
  })

  it.each(['spiffe://szmq/node-a', 'spiffe://example.org', 'https://example.org/a?b', 'urn:uuid:1-2'])('take URI %s', (uri) => {
    expect(isTaken(requireUri, uri)).toBe(true)
  })

  it.each([
    '',
    'node-a',
    '//a',
    'http://',
    'a: b',
    'spiffe://A/b',
    'spiffe://a/',
    'spiffe://a//b',
    'spiffe://a/../b',
    'spiffe://a?x',
    'SPIFFE://a',
    'é:b',
    `a:${'x'.repeat(3_000)}`,
  ])('refuse URI %j', (uri) => {
    expect(isTaken(requireUri, uri)).toBe(false)
  })
})

function isTaken(check: (name: string) => void, name: string): boolean {
  try {
    check(name)
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(SzmqError)
    expect(error).toMatchObject({ code: 'ERR_SZMQ_INVALID_ARGUMENT' })
    return false
  }
}
