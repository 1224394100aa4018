import { webcrypto } from 'node:crypto'
import { createRequire } from 'node:module'
import type * as X509 from '@peculiar/x509'

export type X509Library = typeof X509

let library: X509Library | undefined

/**
 * The X.509 library, loaded at first use: it costs some 100 ms that users with certificates of their own don't pay.
 *
 * Its dependency injection refuses to load without the decorator metadata functions that polyfills put on `Reflect`, though it works
 * without any metadata. Functions that know of none stand there while it loads (synchronously, so nobody else sees them).
 */
export function loadX509(): X509Library {
  if (library !== undefined) return library
  const reflect: { [name: string]: unknown } = Reflect as object as { [name: string]: unknown }
  const isLent = reflect['getMetadata'] === undefined
  const lent = { getMetadata: nothing, getOwnMetadata: nothing, defineMetadata: nothing }
  if (isLent) Object.assign(reflect, lent)
  try {
    const loaded = createRequire(import.meta.url)('@peculiar/x509') as X509Library
    loaded.cryptoProvider.set(webcrypto as never)
    library = loaded
    return loaded
  } finally {
    if (isLent) for (const name of Object.keys(lent)) Reflect.deleteProperty(reflect, name)
  }
}

function nothing(): undefined {
  return undefined
}
