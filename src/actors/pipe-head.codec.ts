import { SzmqError } from '../shared/errors.ts'

/**
 * The head of each batch on a pipe: where it comes from or goes to beyond the two threads of the pipe.
 * - `local`: from the sending thread to the receiving one.
 * - `toNode`: the receiving thread is the host and puts it on the link to `node`, for its thread `thread`.
 *
 * Only from the host, about one of its links, by its number:
 * - `origin`: no batch, but who is at the far end. Comes before the first batch of the link, and again when it changes.
 * - `fromLink`: thread `thread` of that node sent it.
 * - `originGone`: no batch; none will come of that link any more.
 */
export type PipeHead =
  | { readonly kind: 'local' }
  | { readonly kind: 'toNode'; readonly node: string; readonly thread: number }
  | { readonly kind: 'fromLink'; readonly link: number; readonly thread: number }
  | { readonly kind: 'origin' | 'originGone'; readonly link: number }

const KINDS = ['local', 'toNode', 'fromLink', 'origin', 'originGone'] as const
/** Names of nodes' incarnations are short and ASCII. */
const MAX_NODE_BYTES = 64
/** Kind, thread, u48 number of the link. */
const LINK_HEAD_BYTES = 8

/** One byte for the kind, one for the thread (0 where there is none); then the number of the link, or the length of the node's name and the name. */
export function encodePipeHead(head: PipeHead): Uint8Array {
  if (head.kind === 'local') return LOCAL_HEAD
  const kind = KINDS.indexOf(head.kind)
  if (head.kind === 'toNode') {
    const node = Buffer.from(head.node, 'latin1')
    if (node.length > MAX_NODE_BYTES) throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `node id '${head.node}' is too long`)
    return Buffer.concat([Buffer.from([kind, head.thread, node.length]), node])
  }
  const bytes = Buffer.alloc(LINK_HEAD_BYTES)
  bytes[0] = kind
  bytes[1] = head.kind === 'fromLink' ? head.thread : 0
  bytes.writeUIntBE(head.link, 2, 6)
  return bytes
}

/**
 * @returns the head and the batch behind it, which aliases `bytes`.
 * @throws ERR_SZMQ_MALFORMED_MESSAGE
 */
export function decodePipeHead(bytes: Uint8Array): { readonly head: PipeHead; readonly batch: Uint8Array } {
  const kind = KINDS[bytes[0] ?? -1]
  if (kind === 'local') return { head: LOCAL, batch: bytes.subarray(1) }
  const nodeBytes = kind === 'toNode' ? (bytes[2] ?? 0) : 0
  const end = kind === 'toNode' ? 3 + nodeBytes : LINK_HEAD_BYTES
  if (kind === undefined || end > bytes.length || nodeBytes > MAX_NODE_BYTES)
    throw new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', 'a batch without a head')
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, end)
  const batch = bytes.subarray(end)
  const thread = bytes[1] as number
  if (kind === 'toNode') return { head: { kind, node: view.toString('latin1', 3), thread }, batch }
  const link = view.readUIntBE(2, 6)
  return { head: kind === 'fromLink' ? { kind, link, thread } : { kind, link }, batch }
}

const LOCAL: PipeHead = { kind: 'local' }
const LOCAL_HEAD = Uint8Array.of(0)
