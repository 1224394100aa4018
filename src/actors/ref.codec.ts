import { SzmqError } from '../shared/errors.ts'
import { createMessageCodec, REF_EXTENSION, registerMessageExtension, type MessageCodec } from '../transport/index.ts'
import { ActorRef } from './ref.ts'
import { decodeShape, encodeShape } from './ref-shape.ts'
import type { Runtime } from './runtime.ts'
import { RUNTIME_ID } from './signal.ts'

const MAX_PATH_LENGTH = 1_024

/** Whose batch is being unpacked. Unpacking is synchronous, so one variable a thread is enough. */
let receiver: Runtime | undefined

registerMessageExtension(REF_EXTENSION, ActorRef, {
  pack: ({ address: { node, thread, id, path }, shape }) =>
    Buffer.from(JSON.stringify([node, thread, id, path, encodeShape(shape)])),
  unpack: (bytes) => decodeRef(bytes),
})

/** The message codec of one runtime: refs in messages come out as refs that send through it. */
export function createRefCodec(runtime: Runtime): MessageCodec {
  const codec = createMessageCodec()
  return {
    encode: (values) => codec.encode(values),
    decode: (bytes) => {
      receiver = runtime
      try {
        return codec.decode(bytes)
      } finally {
        receiver = undefined
      }
    },
  }
}

function decodeRef(bytes: Uint8Array): ActorRef {
  let parts: unknown
  try {
    parts = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString())
  } catch (error) {
    throw malformedRef(error)
  }
  if (receiver === undefined || !Array.isArray(parts) || parts.length !== 5) throw malformedRef()
  const [node, thread, id, path, shape] = parts as unknown[]
  if (!isNode(node) || !isPath(path) || !isIndex(thread) || thread > 255 || !isIndex(id) || id === RUNTIME_ID)
    throw malformedRef()
  return receiver.createRef({ node, thread, id, path }, decodeShape(shape))
}

/** As a node calls itself; anything else could pass for another destination, or not fit the head of a batch. */
function isNode(value: unknown): value is string {
  return typeof value === 'string' && /^[\w.-]{1,64}$/.test(value)
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_PATH_LENGTH
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function malformedRef(cause?: unknown): SzmqError {
  return new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', 'a ref in a message does not have the expected form', { cause })
}
