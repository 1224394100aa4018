import type { NodeCredentials } from 'szmq'

/** What the first process tells the second one. */
export interface SecondNodeOptions {
  readonly tls: NodeCredentials
  /** 0: any free one. */
  readonly port: number
  readonly threads: number | undefined
}

/** … and what that answers. */
export type FromSecondNode =
  { readonly kind: 'listening'; readonly addresses: readonly string[] } | { readonly kind: 'failed'; readonly message: string }
