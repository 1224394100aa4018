import { messageOf, SzmqError } from '../shared/errors.ts'
import { ignoreRejection } from './ignore-rejection.ts'
import { describeIdentity, type PeerIdentity } from './identity.ts'
import type { Authorize } from './tls-options.ts'

/** Asks the user about a verified peer. @returns ERR_SZMQ_NOT_AUTHORIZED unless the answer is exactly `true` */
export function findRefusal(identity: PeerIdentity, authorize: Authorize | undefined): SzmqError | undefined {
  if (authorize === undefined) return undefined
  try {
    const answer: unknown = authorize(identity)
    if (answer === true) return undefined
    ignoreRejection(answer)
    return refuse(identity, typeof answer === 'string' ? answer : 'authorize did not say true')
  } catch (cause) {
    return refuse(identity, `authorize threw: ${messageOf(cause)}`, cause)
  }
}

function refuse(identity: PeerIdentity, reason: string, cause?: unknown): SzmqError {
  const text = `${describeIdentity(identity)} proved who it is and may not connect: ${reason}`
  return new SzmqError('ERR_SZMQ_NOT_AUTHORIZED', text, cause === undefined ? undefined : { cause })
}
