import { describe, expect, it } from 'vitest'
import { assertName, authorityOf, parseAddress } from '../../../src/actors/address.ts'

describe('an address', () => {
  it.each([
    ['szmq://127.0.0.1:7000/shop/c1', { host: '127.0.0.1', port: 7_000, system: 'shop', path: '/c1' }],
    ['szmq://[::1]:65535/shop/c1', { host: '::1', port: 65_535, system: 'shop', path: '/c1' }],
    ['szmq://host-1.example:1/s.h_o-p/a/b', { host: 'host-1.example', port: 1, system: 's.h_o-p', path: '/a/b' }],
  ])('%s is taken apart', (address, parts) => {
    expect(parseAddress(address)).toEqual(parts)
  })

  it.each([
    '',
    'szmq://',
    'tcp://127.0.0.1:7000/shop/c1',
    'szmq://127.0.0.1/shop/c1',
    'szmq://127.0.0.1:0/shop/c1',
    'szmq://127.0.0.1:65536/shop/c1',
    'szmq://127.0.0.1:7000/shop',
    'szmq://127.0.0.1:7000/shop/',
    'szmq://127.0.0.1:7000//c1',
    'szmq://::1:7000/shop/c1',
    'szmq://a b:7000/shop/c1',
    ' szmq://a:7000/shop/c1',
    'szmq://a:7000/shop/c1\n',
    'szmq://u@a:7000/shop/c1',
    'szmq://a:7000/shop/c1?x',
  ])('%j is none', (address) => {
    expect(() => parseAddress(address)).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ENDPOINT' }))
  })

  it('is looked at once, however long it is', () => {
    expect(() => parseAddress(`szmq://${'a.'.repeat(500_000)}`)).toThrowError(
      expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ENDPOINT' }),
    )
  })

  it('has the authority of its endpoint', () => {
    expect(authorityOf('tcp://127.0.0.1:7000')).toBe('127.0.0.1:7000')
    expect(authorityOf('tcp://[::1]:7000')).toBe('[::1]:7000')
  })
})

describe('a name', () => {
  it.each(['a', 'A-b_c.9', 'x'.repeat(64)])('%s is one', (name) => {
    expect(() => {
      assertName(name, 'actor name')
    }).not.toThrow()
  })

  it.each(['', 'x'.repeat(65), 'a/b', 'a b', 'ä', 'a\n'])('%j is none', (name) => {
    expect(() => {
      assertName(name, 'actor name')
    }).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }))
  })
})
