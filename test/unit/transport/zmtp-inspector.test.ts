import { describe, expect, it } from 'vitest'
import { DEFAULT_GATE_LIMITS } from '../../../src/transport/gate-limits.ts'
import { ZmtpInspector } from '../../../src/transport/zmtp-inspector.ts'
import { zmtpGreeting, zmtpPart, zmtpReady } from '../../support/raw-zmtp.ts'

const LIMITS = { ...DEFAULT_GATE_LIMITS, maxParts: 3, maxMessageBytes: 100 }
const OPENING = Buffer.concat([zmtpGreeting(), zmtpReady('DEALER')])
const part = (length: number, hasMore: boolean) => zmtpPart(new Uint8Array(length), hasMore)
/** The same verdict however the bytes are sliced. */
const judge = (...bytes: readonly Uint8Array[]) => {
  const whole = Buffer.concat(bytes)
  const verdicts = [1, 7, whole.length].map((slice) => {
    const inspector = new ZmtpInspector(LIMITS)
    for (let at = 0; at < whole.length; at += slice) {
      const violation = inspector.inspect(whole.subarray(at, at + slice))
      if (violation !== undefined) return violation
    }
    return 'passed'
  })
  expect(new Set(verdicts).size).toBe(1)
  return verdicts[0]
}

describe('a ZMTP inspector', () => {
  it.each([
    ['a greeting that is not whole yet', zmtpGreeting().subarray(0, 11)],
    ['a DEALER', OPENING],
    ['messages of every size', Buffer.concat([OPENING, part(0, false), part(50, true), part(50, false), part(100, false)])],
    ['a short frame', Buffer.concat([OPENING, Buffer.of(1, 3, 1, 2, 3, 0, 1, 9)])],
    ['a PING between', Buffer.concat([OPENING, part(50, true), Buffer.of(4, 7, 4, 80, 73, 78, 71, 0, 0), part(50, false)])],
  ])('lets %s pass', (_what, bytes) => {
    expect(judge(bytes)).toBe('passed')
  })

  it.each([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['a TLS ClientHello', Buffer.of(22, 3, 1, 2, 0)],
    ['ZMTP 1', Buffer.of(1, 0)],
    ['ZMTP 2', Buffer.concat([zmtpGreeting().subarray(0, 10), Buffer.of(1)])],
    ['CURVE', zmtpGreeting('CURVE')],
    ['PLAIN', zmtpGreeting('PLAIN')],
    ['NULL with more behind it', zmtpGreeting('NULLS')],
    ['a message before READY', Buffer.concat([zmtpGreeting(), part(1, false)])],
    ['another command before READY', Buffer.concat([zmtpGreeting(), Buffer.of(4, 5, 4, 80, 73, 78, 71)])],
    ['an empty command', Buffer.concat([zmtpGreeting(), Buffer.of(4, 0)])],
    ['a READY of a megabyte', Buffer.concat([zmtpGreeting(), Buffer.of(6, 0, 0, 0, 0, 0, 0x10, 0, 0)])],
    ['a READY whose property is longer than it', Buffer.concat([zmtpGreeting(), Buffer.of(4, 7, 5, 82, 69, 65, 68, 89, 200)])],
    ['reserved flags', Buffer.concat([OPENING, Buffer.of(8, 0)])],
    ['a command with more', Buffer.concat([OPENING, Buffer.of(5, 0)])],
  ])('calls %s no greeting', (_what, bytes) => {
    expect(judge(bytes)).toBe('greeting')
  })

  it.each([Buffer.of(0, 1, 2, 3, 4), Buffer.from('me'), Buffer.alloc(255)])('cuts who names itself', (identity) => {
    expect(judge(zmtpGreeting(), zmtpReady('DEALER', identity))).toBe('identity')
  })

  it.each([
    ['parts', [part(1, true), part(1, true), part(1, true), part(1, false)]],
    ['parts without a byte', [part(0, true), part(0, true), part(0, true), part(0, true)]],
    ['bytes', [part(60, true), part(41, false)]],
    ['announced bytes', [zmtpPart(new Uint8Array(), false, 2 ** 32)]],
    ['announced bytes, beyond 2^53', [Buffer.from([2, 255, 255, 255, 255, 255, 255, 255, 255])]],
    ['a command', [Buffer.from([6, 0, 0, 0, 0, 0, 1, 0, 0])]],
  ])('cuts at too many %s', (_what, bytes) => {
    expect(judge(OPENING, ...bytes)).toBe('oversized')
  })
})
