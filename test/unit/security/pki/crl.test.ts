import '../../../property/seed.ts'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { createCrl, readCrl, REVOCATION_REASONS } from '../../../../src/security/pki/crl.driver.ts'
import { createDevelopmentCa, type DevelopmentCa } from '../../../../src/security/pki/pki.driver.ts'
import { SzmqError } from '../../../../src/shared/errors.ts'

let ca: DevelopmentCa
beforeAll(async () => {
  ca = await createDevelopmentCa({ name: 'ca' })
})

const revocation = fc.record({
  // As serial numbers are issued: positive, their first byte not zero.
  serialNumber: fc
    .uint8Array({ minLength: 1, maxLength: 16 })
    .map((bytes) => `4A${Buffer.from(bytes).toString('hex').toUpperCase()}`),
  revokedAt: fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => new Date(seconds * 1_000)),
  reason: fc.constantFrom(...REVOCATION_REASONS),
})

describe('revocation lists', () => {
  it('say what they were made to say, whatever number, serials, dates and reasons', async () => {
    const revocations = fc.uniqueArray(revocation, { selector: ({ serialNumber }) => serialNumber, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(revocations, fc.nat({ max: Number.MAX_SAFE_INTEGER }), async (given, number) => {
        const read = await readCrl(await createCrl(ca, { revocations: given, number }), ca.certificatePem)
        expect(read).toMatchObject({ number, revocations: given, issuer: 'CN=ca' })
      }),
      { numRuns: 40 },
    )
  })

  it('count only when this very CA signed them', async () => {
    const namesake = await createDevelopmentCa({ name: 'ca', key: 'ed25519' })
    const crl = await createCrl(ca, { revocations: [] })
    await expect(readCrl(crl, namesake.certificatePem)).rejects.toMatchObject({ code: 'ERR_SZMQ_BAD_CREDENTIALS' })
    await expect(readCrl(crl, ca.certificatePem)).resolves.toMatchObject({ number: 1, revocations: [] })
  })

  it('that are garbage are refused with one kind of error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const pem = `-----BEGIN X509 CRL-----\n${Buffer.from(bytes).toString('base64')}\n-----END X509 CRL-----\n`
        const outcome: unknown = await readCrl(pem, ca.certificatePem).catch((error: unknown) => error)
        expect(outcome).toBeInstanceOf(SzmqError)
      }),
    )
  })

  // Refused or read as signed: of the encoding around what is signed, the library lets some be other than DER.
  it('that were cut or changed anywhere never say anything else than what was signed', async () => {
    const revocations = [{ serialNumber: '4A01', revokedAt: new Date(0), reason: 'superseded' as const }]
    const crl = await createCrl(ca, { revocations, number: 7 })
    const signed = await readCrl(crl, ca.certificatePem)
    const [, base64 = ''] = /CRL-----\n(.*)\n-----END/s.exec(crl) ?? []
    const der = Buffer.from(base64, 'base64')
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: der.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, flip, isCut) => {
          const bytes = Buffer.from(isCut ? der.subarray(0, at) : der)
          if (!isCut) bytes.writeUInt8(bytes.readUInt8(at) ^ flip, at)
          const pem = `-----BEGIN X509 CRL-----\n${bytes.toString('base64')}\n-----END X509 CRL-----\n`
          const outcome: unknown = await readCrl(pem, ca.certificatePem).catch((error: unknown) => error)
          if (!(outcome instanceof SzmqError)) expect(outcome).toEqual(signed)
          const unchecked: unknown = await readCrl(pem).catch((error: unknown) => error)
          if (unchecked instanceof Error) expect(unchecked).toBeInstanceOf(SzmqError)
        },
      ),
    )
  })
})
