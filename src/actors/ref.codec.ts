import { SzmqError } from '../shared/errors.ts'
import { createMessageCodec, REF_EXTENSION, registerMessageExtension, type MessageCodec } from '../transport/index.ts'
import { ActorRef } from './ref.ts'
import { decodeShape, encodeShape } from './ref-shape.ts'
import type { Runtime } from './runtime.ts'

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
  if (typeof node !== 'string' || typeof path !== 'string' || !isIndex(thread) || thread > 255 || !isIndex(id))
    throw malformedRef()
  return receiver.createRef({ node, thread, id, path }, decodeShape(shape))
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function malformedRef(cause?: unknown): SzmqError {
  return new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', 'a ref in a message does not have the expected form', { cause })
}
