import { assertNever } from '../shared/assert-never.ts'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { systemClock } from '../shared/system-clock.driver.ts'
import { Board, Doorbell, Mesh, openPair, type BoardShare } from '../transport/index.ts'
import type { ActorFailure } from './cell.ts'
import type { DeadLetter } from './dead-letters.ts'
import { importModule } from './import-module.driver.ts'
import { decodePipeHead, encodePipeHead } from './pipe-head.codec.ts'
import { decodeOrigin } from './origin.codec.ts'
import type { Origin } from './origin.ts'
import type { ActorAddress } from './ref.ts'
import { createRefCodec } from './ref.codec.ts'
import { Runtime, type Peer, type RuntimeDependencies } from './runtime.ts'
import { eventLoopTurns } from './turns.driver.ts'

/** The thread that started the system: it owns the links to other nodes. */
export const HOST_THREAD = 0

export interface ThreadEndOptions {
  /** Unique in this process: names the inproc addresses. */
  readonly system: string
  readonly node: string
  readonly thread: number
  readonly board: BoardShare
}

/** What differs between the host and the other threads. */
export interface ThreadEndHooks {
  /** Puts a batch of thread `from` on the link to a node. Only the host has links; the others hand it to the host. */
  readonly forward: ((peer: Peer & { readonly node: string }, from: number, batch: Uint8Array) => boolean) | undefined
  /** May batches of that thread be taken, as far as forwarding them goes? */
  readonly mayForward?: (from: number) => boolean
  readonly onRoom?: (to: number) => void
  readonly onCaughtUp?: () => void
  readonly onThreadLost?: (thread: number) => void
  readonly onForeignRequest?: RuntimeDependencies['onForeignRequest']
  /** Another node sent what cannot be read. */
  readonly onViolation: (node: string, error: SzmqError) => void
  readonly onFailure: (failure: ActorFailure) => void
  readonly onActorStopped?: (address: ActorAddress) => void
  readonly onDeadLetter: (letter: DeadLetter) => void
  /** Says why a thread was lost. */
  readonly describeLoss: (thread: number) => string
}

export interface ThreadEnd {
  readonly runtime: Runtime
  readonly mesh: Mesh
  close(): void
}

/** Takes in what another node sent. Whatever it is, it costs that node its link and nobody else anything. */
export function deliverForeign(
  runtime: Runtime,
  batch: Uint8Array,
  origin: Origin,
  thread: number,
  onViolation: ThreadEndHooks['onViolation'],
): void {
  const { node } = origin
  try {
    runtime.deliver(batch, { node, thread, origin })
  } catch (error) {
    onViolation(node, error instanceof SzmqError ? error : new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', messageOf(error)))
  }
}

/** One thread of a system: its runtime, and the pipes to the other threads. */
export function openThreadEnd({ system, node, thread, board: share }: ThreadEndOptions, hooks: ThreadEndHooks): ThreadEnd {
  const board = new Board(share)
  /** By number of the link, as the host says. */
  const origins = new Map<number, Origin>()
  const pipeHead = encodePipeHead({ kind: 'local' })
  const carry = (peer: Peer, batch: Uint8Array): boolean => {
    if (peer.node === undefined) {
      if (peer.thread < board.slots) return mesh.send(peer.thread, pipeHead, batch)
      // A ref in a message may name any thread. Not within the call that sends: the outbox is just being emptied.
      queueMicrotask(() => {
        runtime.loseThread(peer.thread, `this node has ${board.slots} threads`)
      })
      runtime.bury(batch, 'thread-lost', `thread ${peer.thread}`)
      return true
    }
    if (hooks.forward !== undefined) return hooks.forward({ node: peer.node, thread: peer.thread }, thread, batch)
    return mesh.send(HOST_THREAD, encodePipeHead({ kind: 'toNode', node: peer.node, thread: peer.thread }), batch)
  }
  const runtime: Runtime = new Runtime(
    { node, thread },
    {
      clock: systemClock,
      turns: eventLoopTurns,
      createCodec: createRefCodec,
      carry,
      importModule,
      onCaughtUp: () => {
        mesh.wake()
        hooks.onCaughtUp?.()
      },
      onFailure: hooks.onFailure,
      ...(hooks.onActorStopped === undefined ? {} : { onActorStopped: hooks.onActorStopped }),
      onDeadLetter: hooks.onDeadLetter,
      ...(hooks.onForeignRequest === undefined ? {} : { onForeignRequest: hooks.onForeignRequest }),
    },
  )
  const mesh: Mesh = new Mesh({
    self: thread,
    system,
    board,
    doorbell: new Doorbell(board, thread),
    openPair,
    listener: {
      mayTake: (from) => runtime.canTake() && (hooks.mayForward?.(from) ?? true),
      onBatch: (from, bytes) => {
        const { head, batch } = decodePipeHead(bytes)
        switch (head.kind) {
          case 'local':
            runtime.deliver(batch, { node: undefined, thread: from })
            return
          case 'toNode':
            hooks.forward?.({ node: head.node, thread: head.thread }, from, batch)
            return
          case 'origin':
            origins.set(head.link, decodeOrigin(batch))
            return
          case 'originGone':
            origins.delete(head.link)
            return
          case 'fromLink': {
            const origin = origins.get(head.link)
            // Cannot be: nobody reaches anything without having been introduced.
            if (origin === undefined) runtime.bury(batch, 'node-lost', `thread ${thread}`)
            else deliverForeign(runtime, batch, origin, head.thread, hooks.onViolation)
            return
          }
          default:
            assertNever(head)
        }
      },
      onRoom: (to) => {
        runtime.resumeTo({ node: undefined, thread: to })
        if (to === HOST_THREAD) runtime.resumeToNodes()
        hooks.onRoom?.(to)
      },
      onLost: (slot) => {
        runtime.loseThread(slot, hooks.describeLoss(slot))
        hooks.onThreadLost?.(slot)
      },
    },
  })
  mesh.start()
  return {
    runtime,
    mesh,
    close: () => {
      runtime.close()
      mesh.close()
    },
  }
}
