/**
 * A callback of the user's that must answer at once gave `answer` instead. If it is a promise, its rejection belongs to nobody, and would end
 * the process: at a peer's will, who decides when the callback runs.
 */
export function ignoreRejection(answer: unknown): void {
  if (answer instanceof Promise) answer.catch(() => {})
}
