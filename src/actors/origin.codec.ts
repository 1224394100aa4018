import { SzmqError } from '../shared/errors.ts'
import { createMessageCodec } from '../transport/index.ts'
import { Origin, type OriginFacts } from './origin.ts'

/** How the host tells another thread of this process who is at the far end of a link. */
const codec = createMessageCodec()

export function encodeOrigin({ facts }: Origin): Uint8Array {
  return codec.encode([facts])
}

/** @throws ERR_SZMQ_MALFORMED_MESSAGE for bytes that {@link encodeOrigin} does not make */
export function decodeOrigin(bytes: Uint8Array): Origin {
  const [facts] = codec.decode(bytes)
  if (isFacts(facts)) return new Origin(facts)
  throw new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', 'what was said about the far end of a link does not have the expected form')
}

/** As far as {@link Origin} relies on it. */
function isFacts(value: unknown): value is OriginFacts {
  if (!isObject(value)) return false
  const { node, identity, system, grant } = value
  const isGrant = grant === 'everything' || (Array.isArray(grant) && grant.every(isRule))
  return typeof node === 'string' && typeof system === 'string' && isObject(identity) && isTexts(identity['names']) && isGrant
}

function isRule(value: unknown): boolean {
  return isObject(value) && typeof value['path'] === 'string' && (value['messages'] === undefined || isTexts(value['messages']))
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
