import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { SEAL_BYTES, SessionCipher } from '../../../../src/security/resumption/session-cipher.ts'
import { systemRandom } from '../../../../src/shared/system-random.driver.ts'

const secret = new Uint8Array(32).fill(0x41)
const id = Uint8Array.of(1, 2, 3)
const session = new TextEncoder().encode('the master secret')

describe('a session cipher', () => {
  it('opens what it sealed, and what another with the same secret sealed', () => {
    const sealed = new SessionCipher(secret, systemRandom).seal(id, session)
    expect(sealed.length).toBe(session.length + SEAL_BYTES)
    expect(new SessionCipher(secret, systemRandom).open(id, sealed)).toEqual(session)
  })

  it('seals the same session differently each time', () => {
    const cipher = new SessionCipher(secret, systemRandom)
    expect(cipher.seal(id, session)).not.toEqual(cipher.seal(id, session))
  })

  it('opens nothing under another id or secret', () => {
    const sealed = new SessionCipher(secret, systemRandom).seal(id, session)
    expect(new SessionCipher(secret, systemRandom).open(Uint8Array.of(1, 2, 4), sealed)).toBeUndefined()
    expect(new SessionCipher(new Uint8Array(32), systemRandom).open(id, sealed)).toBeUndefined()
  })

  // HKDF and HMAC take keys that differ by zeros at their end for the same.
  it('opens nothing under an id with a zero more or less', () => {
    const cipher = new SessionCipher(secret, systemRandom)
    expect(cipher.open(Uint8Array.of(1, 2, 3, 0), cipher.seal(id, session))).toBeUndefined()
    expect(cipher.open(Uint8Array.of(0), cipher.seal(Uint8Array.of(0, 0), session))).toBeUndefined()
  })

  it('opens nothing that was altered in any bit or cut at any byte', () => {
    const cipher = new SessionCipher(secret, systemRandom)
    const sealed = cipher.seal(id, session)
    for (let at = 0; at < sealed.length; at += 1) {
      const flipped = sealed.slice()
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
      expect(cipher.open(id, flipped)).toBeUndefined()
      expect(cipher.open(id, sealed.subarray(0, at))).toBeUndefined()
    }
  })

  it('keeps its own copy of the secret and shows it nowhere', () => {
    const lent = secret.slice()
    const cipher = new SessionCipher(lent, systemRandom)
    const sealed = cipher.seal(id, session)
    lent.fill(0)
    expect(cipher.open(id, sealed)).toEqual(session)
    expect(inspect(cipher, { showHidden: true, depth: 9 }) + JSON.stringify(cipher)).not.toMatch(/41|65/)
  })

  it('refuses a short secret without showing it', () => {
    expect(() => new SessionCipher(secret.subarray(1), systemRandom)).toThrow(/a secret of 31 bytes: give at least 32/)
  })
})
