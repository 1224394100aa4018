import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSelfSignedCertificate, type IssuedCertificate } from '../../../../src/security/pki/pki.driver.ts'
import {
  createTicketKeys,
  generateTicketSecret,
  toNodeTicketKeys,
  type TicketKeysOptions,
} from '../../../../src/security/resumption/ticket-keys.ts'
import { systemRandom } from '../../../../src/shared/system-random.driver.ts'

const secret = new Uint8Array(32).fill(0x41)
const HOUR_MS = 3_600_000
const options = { secret, rotateEveryMs: HOUR_MS, clockSkewMs: 60_000 }
/** Where a period begins. */
const start = 1_000_000 * HOUR_MS

/** The names of the accepted keys at that moment, as numbers of periods relative to `start`. */
function acceptedAt(moment: number, given: Partial<TicketKeysOptions> = {}): readonly number[] {
  const keys = createTicketKeys({ ...options, ...given })
  const names = new Map<string, number>()
  for (let period = -20; period <= 2; period += 1) {
    names.set(JSON.stringify(keys.keysAt(start + period * HOUR_MS).current), period)
  }
  return keys.keysAt(moment).accepted.map((key) => names.get(JSON.stringify(key)) ?? Number.NaN)
}

describe('ticket keys', () => {
  it('are the same on all servers of one secret, and after a restart', () => {
    const [one, other] = [createTicketKeys(options), createTicketKeys(options)]
    expect(toNodeTicketKeys(one.keysAt(start).current)).toEqual(toNodeTicketKeys(other.keysAt(start + HOUR_MS - 1).current))
    expect(one.revealGnutlsMasterKey()).toEqual(other.revealGnutlsMasterKey())
  })

  it('are others with another secret, context, period or period length', () => {
    const keys = [
      createTicketKeys(options).keysAt(start),
      createTicketKeys(options).keysAt(start + HOUR_MS),
      createTicketKeys({ ...options, secret: new Uint8Array(33).fill(0x41) }).keysAt(start),
      createTicketKeys({ ...options, context: Uint8Array.of(0) }).keysAt(start),
      createTicketKeys({ ...options, rotateEveryMs: 2 * HOUR_MS }).keysAt(start * 2),
    ].map(({ current }) => [current.name, current.revealHmacKey(), current.revealAesKey()].map(String))
    expect(new Set(keys.flat()).size).toBe(15)
  })

  it('differ for GnuTLS by secret and context too', () => {
    const keys = [{}, { secret: new Uint8Array(32) }, { context: Uint8Array.of(0) }].map((given) =>
      createTicketKeys({ ...options, ...given })
        .revealGnutlsMasterKey()
        .toString('hex'),
    )
    expect(keys.map(({ length }) => length)).toEqual([128, 128, 128])
    expect(new Set(keys).size).toBe(3)
  })

  it('open tickets of the period before, and near a rotation those of the period after', () => {
    expect(acceptedAt(start)).toEqual([0, -1])
    expect(acceptedAt(start + HOUR_MS - 60_001)).toEqual([0, -1])
    expect(acceptedAt(start + HOUR_MS - 60_000)).toEqual([0, -1, 1])
    expect(acceptedAt(start + HOUR_MS)).toEqual([1, 0])
  })

  it('open tickets of previous periods for acceptPreviousForMs, but at least for the clocks to differ', () => {
    expect(acceptedAt(start + 30 * 60_000, { acceptPreviousForMs: 3 * HOUR_MS })).toEqual([0, -1, -2, -3])
    expect(acceptedAt(start + 59_999, { acceptPreviousForMs: 0 })).toEqual([0, -1])
    expect(acceptedAt(start + 60_000, { acceptPreviousForMs: 0 })).toEqual([0])
    expect(acceptedAt(start, { acceptPreviousForMs: 16 * HOUR_MS })).toHaveLength(17)
  })

  it('say when they change', () => {
    const keys = createTicketKeys({ ...options, acceptPreviousForMs: 10 * 60_000 })
    const seen: number[] = []
    for (let moment = start; moment < start + HOUR_MS; moment = keys.keysAt(moment).changesAt) seen.push(moment - start)
    expect(seen).toEqual([0, 10 * 60_000, HOUR_MS - 60_000])
  })

  it('are found by the name that a ticket begins with', () => {
    const keys = createTicketKeys(options)
    const { current, accepted } = keys.keysAt(start)
    for (const key of accepted) expect(keys.find(Buffer.concat([key.name, Buffer.alloc(100)]), start)).toBe(key)
    expect(keys.find(current.name, start + 3 * HOUR_MS)).toBeUndefined()
    expect(keys.find(current.name.subarray(1), start)).toBeUndefined()
    expect(keys.find(new Uint8Array(200), start)).toBeUndefined()
  })

  it('have the layout of node:tls: name, HMAC key, AES key', () => {
    const { current } = createTicketKeys(options).keysAt(start)
    const laidOut = toNodeTicketKeys(current)
    expect(laidOut.length).toBe(48)
    const parts = [current.name, current.revealHmacKey(), current.revealAesKey()]
    expect(parts).toEqual([0, 16, 32].map((at) => new Uint8Array(laidOut.subarray(at, at + 16))))
  })

  it('show no secret in util.inspect or JSON', () => {
    const lent = secret.slice()
    const keys = createTicketKeys({ ...options, secret: lent })
    const set = keys.keysAt(start)
    const key = set.current
    const shown = inspect([keys, set], { depth: 9, showHidden: true, getters: true }) + JSON.stringify([keys, set])
    const bytes = [lent, key.revealAesKey(), key.revealHmacKey(), keys.revealGnutlsMasterKey()].map((each) => Buffer.from(each))
    for (const hidden of bytes) {
      expect(shown).not.toContain(hidden.toString('hex').slice(0, 16))
      expect(shown).not.toContain([...hidden.subarray(0, 6)].join(','))
      expect(shown).not.toContain([...hidden.subarray(0, 6)].join(', '))
      expect(shown).not.toContain((hidden.toString('hex').match(/../g) ?? []).slice(0, 6).join(' '))
    }
    lent.fill(0)
    expect(toNodeTicketKeys(keys.keysAt(start + 50 * HOUR_MS).current)).toEqual(
      toNodeTicketKeys(createTicketKeys(options).keysAt(start + 50 * HOUR_MS).current),
    )
  })

  it.each([
    [{ secret: new Uint8Array(31) }, /a secret of 31 bytes/],
    [{ rotateEveryMs: 0 }, /rotateEveryMs is 0/],
    [{ rotateEveryMs: Number.NaN }, /rotateEveryMs is NaN/],
    [{ acceptPreviousForMs: 17 * HOUR_MS }, /acceptPreviousForMs is/],
    [{ clockSkewMs: HOUR_MS }, /clockSkewMs is/],
  ])('refuse %o', (given, text) => {
    expect(() => createTicketKeys({ ...options, ...given })).toThrow(
      expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT', message: expect.stringMatching(text) }),
    )
  })

  it.each([-1, Number.NaN, Infinity])('refuse %d for a time', (moment) => {
    expect(() => createTicketKeys(options).keysAt(moment)).toThrow(
      expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }),
    )
  })

  it('have secrets that are long enough', () => {
    expect(createTicketKeys({ secret: generateTicketSecret(systemRandom) }).rotateEveryMs).toBe(12 * HOUR_MS)
  })
})

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('two %s servers of node:tls with the keys of one secret', (version) => {
  let issued: IssuedCertificate
  const open: { close: () => void }[] = []
  beforeAll(async () => {
    issued = await createSelfSignedCertificate({ name: 'localhost' })
  })
  afterAll(() => {
    for (const server of open) server.close()
  })

  async function serve(keys: Buffer): Promise<number> {
    const server = createServer({
      cert: issued.certificatePem,
      key: issued.privateKeyPem,
      ticketKeys: keys,
      maxVersion: version,
    })
    server.on('secureConnection', (socket) => socket.end('hello'))
    open.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  interface Meeting {
    readonly isResumed: boolean
    /** The last that was given. */
    readonly session: Buffer | undefined
    readonly ticket: Buffer | undefined
  }

  async function meet(port: number, session?: Buffer): Promise<Meeting> {
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: issued.certificatePem, session })
    const meeting = { isResumed: false, session, ticket: socket.getTLSTicket() }
    socket.on('secureConnect', () => (meeting.isResumed = socket.isSessionReused()))
    socket.on('session', (given: Buffer) => Object.assign(meeting, { session: given, ticket: socket.getTLSTicket() }))
    socket.resume()
    await once(socket, 'close')
    return meeting
  }

  it('resume each other’s sessions, and the ticket names its key', async () => {
    const keys = createTicketKeys(options)
    const current = toNodeTicketKeys(createTicketKeys(options).keysAt(start).current)
    const [one, other] = [await serve(current), await serve(current)]
    const stranger = await serve(
      toNodeTicketKeys(createTicketKeys({ ...options, context: Uint8Array.of(1) }).keysAt(start).current),
    )
    const first = await meet(one)
    expect(first.isResumed).toBe(false)
    expect((await meet(other, first.session)).isResumed).toBe(true)
    const again = await meet(one)
    expect((await meet(stranger, again.session)).isResumed).toBe(false)
    expect(keys.find(first.ticket ?? Buffer.alloc(0), start)).toBe(keys.keysAt(start).current)
  })
})
