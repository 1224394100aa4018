import { SzmqError } from '../shared/errors.ts'

/**
 * The head of each batch on a pipe: where it comes from or goes to beyond the two threads of the pipe.
 * - `local`: from the sending thread to the receiving one.
 * - `toNode`: the receiving thread is the host and puts it on the link to `node`, for its thread `thread`.
 * - `fromNode`: the sending thread is the host, and thread `thread` of `node` sent it.
 */
export type PipeHead =
  { readonly kind: 'local' } | { readonly kind: 'toNode' | 'fromNode'; readonly node: string; readonly thread: number }

const KINDS = ['local', 'toNode', 'fromNode'] as const
/** Names of nodes' incarnations are short and ASCII. */
const MAX_NODE_BYTES = 64

/** One byte for the kind; then a byte for the thread, one for the length of the node's name, and the name. */
export function encodePipeHead(head: PipeHead): Uint8Array {
  if (head.kind === 'local') return LOCAL_HEAD
  const node = Buffer.from(head.node, 'latin1')
  if (node.length > MAX_NODE_BYTES) throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `node id '${head.node}' is too long`)
  return Buffer.concat([Buffer.from([KINDS.indexOf(head.kind), head.thread, node.length]), node])
}

/** @returns the head and the batch behind it, which aliases `bytes`. */
export function decodePipeHead(bytes: Uint8Array): { readonly head: PipeHead; readonly batch: Uint8Array } {
  const kind = KINDS[bytes[0] ?? -1]
  if (kind === 'local') return { head: LOCAL, batch: bytes.subarray(1) }
  const end = 3 + (bytes[2] ?? 0)
  if (kind === undefined || end > bytes.length) throw new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', 'a batch without a head')
  const node = Buffer.from(bytes.buffer, bytes.byteOffset + 3, end - 3).toString('latin1')
  return { head: { kind, node, thread: bytes[1] as number }, batch: bytes.subarray(end) }
}

const LOCAL: PipeHead = { kind: 'local' }
const LOCAL_HEAD = Uint8Array.of(0)
