import { describe, expect, it } from 'vitest'
import {
  AccessRules,
  judgePeer,
  MAX_ACCESS_MESSAGES,
  MAX_ACCESS_PATH_LENGTH,
  MAX_ACCESS_RULES,
  type Access,
  type AccessRule,
  type Judgement,
} from '../../../src/security/authorization.ts'
import { ANONYMOUS, type PeerIdentity } from '../../../src/security/identity.ts'
import { identityOf } from '../../support/origins.ts'

const PEER = identityOf('node-b')

function judge(answer: unknown): Judgement {
  return judgePeer(PEER, () => answer as Access)
}

function codeOf(judgement: Judgement): string {
  return judgement.kind === 'refused' ? judgement.error.code : 'admitted'
}

describe('a peer', () => {
  it('reaches everything without authorize, when our CA vouches for its certificate', () => {
    expect(judgePeer(PEER)).toEqual({ kind: 'admitted', grant: 'everything' })
  })

  const others: PeerIdentity[] = [
    ANONYMOUS,
    { verifiedBy: 'psk', subject: 'p', names: [] },
    { verifiedBy: 'srp', subject: 'u', names: [] },
    { verifiedBy: 'rawPublicKey', subject: 'AB', names: [] },
    { verifiedBy: 'none', subject: 'node-b', names: [] },
  ]
  it.each(others)('is refused without authorize when verified by $verifiedBy', (identity) => {
    expect(codeOf(judgePeer(identity))).toBe('ERR_SZMQ_NOT_AUTHORIZED')
    expect(judgePeer(identity, () => true).kind).toBe('admitted')
  })

  it('reaches everything, or nothing, as authorize says of its identity', () => {
    const authorize = ({ subject }: PeerIdentity): Access => subject === 'node-b'
    expect(judgePeer(PEER, authorize)).toEqual({ kind: 'admitted', grant: 'everything' })
    expect(codeOf(judgePeer(identityOf('node-c'), authorize))).toBe('ERR_SZMQ_NOT_AUTHORIZED')
  })

  it('is refused with the reason, which names it; an empty string refuses too', () => {
    expect(judge('retired')).toMatchObject({ error: { code: 'ERR_SZMQ_NOT_AUTHORIZED', message: /"node-b".*retired/ } })
    expect(codeOf(judge(''))).toBe('ERR_SZMQ_NOT_AUTHORIZED')
  })

  it('is refused when authorize throws, and the cause is kept', () => {
    const cause = new Error('no database')
    const judgement = judgePeer(PEER, () => {
      throw cause
    })
    expect(judgement).toMatchObject({ error: { code: 'ERR_SZMQ_NOT_AUTHORIZED', message: /no database/, cause } })
  })

  it('gets the rules that authorize gave, as a copy of its own', () => {
    const allow = [{ path: 'shop/counter', messages: ['add'] }, { path: '**' }]
    const judgement = judge({ allow })
    allow[0]?.messages?.push('reset')
    expect(judgement).toEqual({
      kind: 'admitted',
      grant: [{ path: 'shop/counter', messages: ['add'] }, { path: '**' }],
    })
  })

  const nonsense: readonly (readonly [what: string, answer: unknown])[] = [
    ['nothing', undefined],
    ['null', null],
    ['a number', 1],
    ['a list', [{ path: '**' }]],
    ['no list of rules', { allow: 'shop/*' }],
    ['a field that we do not know', { allow: [], deny: [{ path: '**' }] }],
    ['a rule without path', { allow: [{}] }],
    ['a rule that is a text', { allow: ['shop/*'] }],
    ['a hole in the list', { allow: Array.from({ length: 2 }) }],
    ['a misspelt field, which would allow all messages', { allow: [{ path: 'shop/*', message: ['add'] }] }],
    ['messages that are not there, which would allow them all', { allow: [{ path: 'shop/*', messages: undefined }] }],
    ['messages that are a text', { allow: [{ path: 'shop/*', messages: 'add' }] }],
    ['a message that is no text', { allow: [{ path: 'shop/*', messages: [1] }] }],
    ['a message without a name', { allow: [{ path: 'shop/*', messages: [''] }] }],
    ['a message with an endless name', { allow: [{ path: 'shop/*', messages: ['x'.repeat(256)] }] }],
    ...['', '/', '/shop', 'shop/', 'shop//a', 'shop/a*', '**/a', 'shop/***', 'shop/a b', 'shop/\n', 'shop/(a|b)'].map(
      (path) => [`the path '${path}'`, { allow: [{ path }] }] as const,
    ),
    ['an endless path', { allow: [{ path: `shop/${'a/'.repeat(MAX_ACCESS_PATH_LENGTH)}a` }] }],
    ['too many rules', { allow: Array.from({ length: MAX_ACCESS_RULES + 1 }, () => ({ path: '**' })) }],
    [
      'too many messages',
      {
        allow: Array.from({ length: 11 }, () => ({
          path: '**',
          messages: Array.from({ length: MAX_ACCESS_MESSAGES / 10 }, (_, n) => `m${n}`),
        })),
      },
    ],
    ['an object that throws', new Proxy({}, { ownKeys: () => { throw new Error('no keys') } })], // prettier-ignore
  ]
  it.each(nonsense)('is refused when authorize answers with %s', (_what, answer) => {
    expect(codeOf(judge(answer))).toBe('ERR_SZMQ_INVALID_ARGUMENT')
  })

  it('is refused when authorize answers later, also when it then fails', async () => {
    expect(judge(Promise.resolve(true))).toMatchObject({
      error: { code: 'ERR_SZMQ_INVALID_ARGUMENT', message: /promise.*at once/ },
    })
    expect(codeOf(judge(Promise.reject(new Error('unheard'))))).toBe('ERR_SZMQ_INVALID_ARGUMENT')
    await new Promise((resolve) => setImmediate(resolve))
  })

  it('may have as many rules and messages as the limits say', () => {
    const messages = Array.from({ length: MAX_ACCESS_MESSAGES / MAX_ACCESS_RULES }, (_, n) => `m${n}`)
    const allow: AccessRule[] = Array.from({ length: MAX_ACCESS_RULES }, (_, n) => ({ path: `shop/a${n}`, messages }))
    expect(judge({ allow })).toEqual({ kind: 'admitted', grant: allow })
  })
})

describe('rules', () => {
  const reach = (path: string, ...rules: AccessRule[]): unknown => {
    const found = new AccessRules(rules).reachOf(path)
    return found instanceof Set ? [...found] : found
  }

  it('deny what no rule allows', () => {
    expect(reach('shop/counter')).toBeUndefined()
    expect(reach('shop/counter', { path: 'shop/other' }, { path: 'other/counter' })).toBeUndefined()
  })

  it.each([
    ['shop/counter', 'shop/counter', true],
    ['shop/counter', 'shop/counters', false],
    ['shop/counter', 'Shop/counter', false],
    ['shop/counter', 'shop/counter/child', false],
    ['shop.counter', 'shop/counter', false],
    ['shop/*', 'shop/counter', true],
    ['shop/*', 'shop/counter/child', false],
    ['shop/*', 'shop', false],
    ['shop/*', 'shop/', false],
    ['*/counter', 'shop/counter', true],
    ['shop/**', 'shop/counter', true],
    ['shop/**', 'shop/counter/child', true],
    ['shop/**', 'shop', false],
    ['shop/**', 'shopping/counter', false],
    ['**', 'shop/counter', true],
    ['**', '', false],
    ['**', 'shop//counter', false],
    ['**', 'x'.repeat(MAX_ACCESS_PATH_LENGTH + 1), false],
  ])('%s and the actor %s: %s', (pattern, path, isAllowed) => {
    expect(reach(path, { path: pattern })).toBe(isAllowed ? 'all' : undefined)
  })

  it('add up: the messages of all that match, and all messages as soon as one says so', () => {
    const some: AccessRule[] = [
      { path: 'shop/*', messages: ['add'] },
      { path: 'shop/counter', messages: ['total', 'add'] },
      { path: 'shop/other', messages: ['reset'] },
    ]
    expect(reach('shop/counter', ...some)).toEqual(['add', 'total'])
    expect(reach('shop/counter', ...some, { path: '**' })).toBe('all')
    expect(reach('shop/counter', { path: '**', messages: [] })).toEqual([])
  })
})
