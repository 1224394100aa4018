import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import './seed.ts'
import { AccessRules, judgePeer, type Access, type AccessRule } from '../../src/security/authorization.ts'
import { SzmqError } from '../../src/shared/errors.ts'
import { identityOf } from '../support/origins.ts'

/** Few names, so that rules and paths meet. */
const name = fc.constantFrom('shop', 'a', 'b', 'a.b', 'a-1')
const path = fc.array(fc.oneof({ weight: 9, arbitrary: name }, { weight: 1, arbitrary: fc.string({ maxLength: 3 }) }), {
  maxLength: 5,
})
const message = fc.constantFrom('add', 'total', 'reset')
const rule: fc.Arbitrary<AccessRule> = fc
  .tuple(
    fc.array(fc.oneof(name, fc.constant('*')), { maxLength: 3 }),
    fc.oneof(name, fc.constant('*'), fc.constant('**')),
    fc.option(fc.array(message, { maxLength: 3 }), { nil: undefined }),
  )
  .map(([front, last, messages]) => ({ path: [...front, last].join('/'), ...(messages === undefined ? {} : { messages }) }))

/** The same language as one regular expression for each rule. */
function modelOf(pattern: string): RegExp {
  const source = pattern
    .split('/')
    .map((segment) => {
      if (segment === '**') return '[^/]+(?:/[^/]+)*'
      return segment === '*' ? '[^/]+' : segment.replaceAll('.', '\\.')
    })
    .join('/')
  return new RegExp(`^(?:${source})$`, 's')
}

describe('rules about actors', () => {
  it('allow what a simple model allows, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 6 }), path, message, (rules, segments, sent) => {
        const target = segments.join('/')
        const reach = new AccessRules(rules).reachOf(target)
        const matching = rules.filter((one) => modelOf(one.path).test(target))
        expect(reach !== undefined).toBe(matching.length > 0)
        const isAllowed = reach === 'all' || reach?.has(sent) === true
        expect(isAllowed).toBe(matching.some(({ messages }) => messages === undefined || messages.includes(sent)))
      }),
      { numRuns: 2_000 },
    )
  })

  it('allow no less when there are more of them, in whatever order', () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 5 }), rule, path, (rules, more, segments) => {
        const target = segments.join('/')
        const before = new AccessRules(rules).reachOf(target)
        const after = new AccessRules([more, ...rules]).reachOf(target)
        if (before === 'all') expect(after).toBe('all')
        else if (after !== 'all') expect([...(after ?? [])]).toEqual(expect.arrayContaining([...(before ?? [])]))
        expect(new AccessRules([...rules, more].toReversed()).reachOf(target)).toEqual(after)
      }),
    )
  })

  it('are taken as they were given', () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 20 }), (allow) => {
        expect(judgePeer(identityOf('b'), () => ({ allow }))).toEqual({ kind: 'admitted', grant: allow })
      }),
    )
  })
})

describe('whatever authorize answers', () => {
  it('admits, or refuses with an error that has a code; it never throws', () => {
    const anyRule = fc.record({ path: fc.anything(), messages: fc.anything() }, { requiredKeys: [] })
    const answer = fc.oneof(fc.anything(), fc.record({ allow: fc.anything() }), fc.record({ allow: fc.array(anyRule) }))
    fc.assert(
      fc.property(answer, (value) => {
        const judgement = judgePeer(identityOf('b'), () => value as Access)
        if (judgement.kind === 'refused') expect(judgement.error).toBeInstanceOf(SzmqError)
        else expect(value === true || typeof value === 'object').toBe(true)
      }),
    )
  })
})
