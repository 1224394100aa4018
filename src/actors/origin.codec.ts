import { createMessageCodec } from '../transport/index.ts'
import { Origin, type OriginFacts } from './origin.ts'

/** How the host tells another thread of this process who is at the far end of a link. */
const codec = createMessageCodec()

export function encodeOrigin({ facts }: Origin): Uint8Array {
  return codec.encode([facts])
}

export function decodeOrigin(bytes: Uint8Array): Origin {
  const [facts] = codec.decode(bytes)
  return new Origin(facts as OriginFacts)
}
