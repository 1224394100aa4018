import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  ask,
  defineActor,
  DEFAULT_MAILBOX,
  DEFAULT_SUPERVISION,
  tell,
  type ActorOptions,
  type Protocol,
} from '../../../src/index.ts'
import { findDefinition } from '../../../src/actors/define-actor.ts'

/** Past the compiler, as JavaScript would call it. */
function define(name: string, protocol: Protocol, on: object, more: object = {}, url = import.meta.url) {
  return defineActor({ url }, { name, protocol, state: () => ({}), on, ...more } as ActorOptions<Protocol, object>)
}

const refused = expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' })

describe('defineActor', () => {
  it('makes a definition with the defaults, found by the module without its query', () => {
    const made = define('plain', { go: tell(z.void()) }, { go: () => {} }, {}, 'file:///m.js?v=1#x')
    expect(made).toMatchObject({ moduleUrl: 'file:///m.js', supervision: DEFAULT_SUPERVISION, mailbox: DEFAULT_MAILBOX })
    expect(findDefinition('file:///m.js', 'plain')).toBe(made)
    expect(findDefinition('file:///other.js', 'plain')).toBeUndefined()
  })

  it('fills in what supervision and mailbox leave open', () => {
    const made = define('partly', {}, {}, { supervise: { intensity: 9 }, mailbox: { policy: 'drop-old' } })
    expect(made.supervision).toEqual({ ...DEFAULT_SUPERVISION, intensity: 9 })
    expect(made.mailbox).toEqual({ ...DEFAULT_MAILBOX, policy: 'drop-old' })
  })

  it.each([
    ['a message without handler', { go: tell(z.void()), stay: tell(z.void()) }, { go: () => {} }],
    ['a handler without message', { go: tell(z.void()) }, { go: () => {}, stay: () => {} }],
    ['a message that every object seems to handle', { toString: tell(z.void()) }, {}],
    ['a handler that every protocol seems to have', {}, { constructor: () => {} }],
  ])('refuses %s', (_what, protocol, on) => {
    expect(() => define('unmatched', protocol as Protocol, on)).toThrowError(refused)
  })

  it.each(['', 'a b', 'a/b', 'x'.repeat(65)])('refuses the name %j', (name) => {
    expect(() => define(name, {}, {})).toThrowError(refused)
  })

  it.each([0, -1, NaN])('refuses a mailbox for %s messages', (capacity) => {
    expect(() => define('no-room', {}, {}, { mailbox: { capacity } })).toThrowError(refused)
  })

  it('replaces a definition of the same module when it is evaluated again, but not by another actor', () => {
    const protocol = { go: tell(z.void()) }
    const first = define('again', protocol, { go: () => {} })
    const second = define('again', protocol, { go: () => {} })
    expect(second).not.toBe(first)
    expect(findDefinition(first.moduleUrl, 'again')).toBe(second)
    expect(() =>
      define('again', { ...protocol, more: ask(z.void(), z.void()) }, { go: () => {}, more: () => {} }),
    ).toThrowError(refused)
  })
})
