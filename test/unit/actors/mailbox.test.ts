import { describe, expect, it } from 'vitest'
import { Mailbox } from '../../../src/actors/mailbox.ts'
import { identityOf } from '../../support/origins.ts'

describe('a mailbox', () => {
  it('gives back what was put in, first in first out', () => {
    const mailbox = new Mailbox()
    const answerer = { answer: () => {}, fail: () => {} }
    mailbox.put(16, 'a', undefined)
    mailbox.put(17, undefined, answerer, identityOf('b'))
    expect(mailbox.size).toBe(2)
    expect(mailbox.take((...message) => message)).toEqual([16, 'a', undefined, undefined])
    expect(mailbox.take((...message) => message)).toEqual([17, undefined, answerer, identityOf('b')])
    expect(mailbox.take((...message) => message)).toBeUndefined()
    expect(mailbox.size).toBe(0)
  })

  it('keeps the order over any number of messages that come and go', () => {
    const mailbox = new Mailbox()
    let put = 0
    let taken = 0
    for (let round = 0; round < 200; round += 1) {
      for (let n = 0; n < 50 + (round % 7); n += 1) mailbox.put(16, (put += 1), undefined)
      for (let n = 0; n < 50; n += 1) expect(mailbox.take((_selector, payload) => payload)).toBe((taken += 1))
      expect(mailbox.size).toBe(put - taken)
    }
    while (mailbox.size > 0) expect(mailbox.take((_selector, payload) => payload)).toBe((taken += 1))
    expect(taken).toBe(put)
  })

  it('takes a message that is put in while one is taken out', () => {
    const mailbox = new Mailbox()
    mailbox.put(16, 1, undefined)
    mailbox.take((_selector, payload) => {
      mailbox.put(16, (payload as number) + 1, undefined)
    })
    expect(mailbox.size).toBe(1)
    expect(mailbox.take((_selector, payload) => payload)).toBe(2)
  })
})
