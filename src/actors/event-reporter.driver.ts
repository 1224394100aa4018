import { messageOf } from '../shared/errors.ts'
import type { CredentialEvent } from '../transport/index.ts'
import type { CredentialSystemEvent, SystemEvent } from './system.ts'

/**
 * Where the events of a system go: to its user's listener, which may throw without breaking off what goes on; without one, what somebody
 * has to act on goes to `process.emitWarning`.
 */
export function createReporter(
  system: string,
  onEvent: ((event: SystemEvent) => void) | undefined,
): (event: SystemEvent) => void {
  return (event) => {
    if (onEvent === undefined) {
      const text = describeWorry(system, event)
      if (text !== undefined) warn(text)
      return
    }
    try {
      onEvent(event)
    } catch (error) {
      warn(`onEvent of system '${system}' threw at '${event.kind}': ${messageOf(error)}`)
    }
  }
}

export function toSystemEvent(event: CredentialEvent): CredentialSystemEvent {
  switch (event.kind) {
    case 'rotated':
      return { ...event, kind: 'credentials.rotated' }
    case 'refused':
      return { ...event, kind: 'credentials.refused' }
    case 'expiring':
      return { ...event, kind: 'credentials.expiring' }
    case 'expired':
      return { ...event, kind: 'credentials.expired' }
  }
}

function describeWorry(system: string, event: SystemEvent): string | undefined {
  if (event.kind === 'thread.lost') return `thread ${event.thread} of system '${system}' is gone: ${event.reason}`
  if (event.kind === 'actor.failed') return `${event.path} failed on '${event.message}' (${event.decision}): ${event.error}`
  if (event.kind === 'credentials.refused')
    return `system '${system}' goes on with its old credentials, valid until ${event.kept}: ${event.error.message}`
  if (event.kind === 'credentials.expiring') return `the ${event.what} of system '${system}' ends on ${event.validTo}: renew it`
  if (event.kind === 'credentials.expired')
    return `the ${event.what} of system '${system}' ended on ${event.validTo}: no new link can be made until it is renewed`
  if (event.kind === 'door.flooded')
    return `more comes to the door of system '${system}' than it takes, and is refused: ${JSON.stringify(event.refused)}`
  return undefined
}

function warn(text: string): void {
  process.emitWarning(text, { type: 'SzmqWarning' })
}
