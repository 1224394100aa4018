/** Closes an exhaustive `switch`: does not compile while a case is missing, and throws if one arrives all the same. */
export function assertNever(unexpected: never): never {
  throw new TypeError(`unexpected variant: ${JSON.stringify(unexpected)}`)
}
