import { expect, it } from 'vitest'
import { describeFailure } from '../../../../src/security/resumption/store-failure.ts'

class ReplyError extends Error {
  override readonly name = 'ReplyError'
}

it.each([
  ['ReplyError OOM', new ReplyError("OOM command not allowed when used memory > 'maxmemory'.")],
  ['ReplyError ERR', new ReplyError("ERR unknown command 'SET', with args beginning with: 'a session'")],
  ['ReplyError', new ReplyError('SECRETSECRET is no word of Redis')],
  ['Error ECONNREFUSED', Object.assign(new Error('a session'), { code: 'ECONNREFUSED', command: { args: ['a session'] } })],
  ['TypeError', new TypeError('a session')],
  ['Error', Object.assign(new Error('x'), { name: 'a session', code: 'a session' })],
  ['threw a string, not an Error', 'a session'],
  ['threw a undefined, not an Error', undefined],
  [
    'threw something unreadable',
    new Proxy(new Error('x'), {
      get: () => {
        throw new Error('no')
      },
    }),
  ],
])('names %s and quotes nothing', (expected, thrown) => {
  expect(describeFailure(thrown)).toBe(expected)
})
