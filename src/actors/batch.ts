import { SzmqError } from '../shared/errors.ts'

/** Far above every selector that can be: what lies beyond is no operation. */
const MAX_OPERATION = 0xffff

/**
 * Reads a batch as `Outbox` writes it, message by message. Any list of values may be given: it may come from another node.
 * @throws ERR_SZMQ_MALFORMED_MESSAGE at the first fault; what stood in front of it was used.
 */
export function readBatch(
  values: readonly unknown[],
  source: string,
  use: (target: number, selector: number, payload: unknown, askId: number | undefined) => void,
): void {
  for (let at = 0; at < values.length;) {
    const target = values[at]
    const operation = values[at + 1]
    if (!isId(target) || !isId(operation) || operation > MAX_OPERATION) throw malformed(source)
    const hasAskId = (operation & 1) === 1
    const askId = hasAskId ? values[at + 3] : undefined
    const next = at + (hasAskId ? 4 : 3)
    if (next > values.length || (hasAskId && !isId(askId))) throw malformed(source)
    use(target, operation >> 1, values[at + 2], askId as number | undefined)
    at = next
  }
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function malformed(source: string): SzmqError {
  return new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', `a batch from ${source} does not have the expected form`)
}
