/** A rule of the algorithm does not hold: a bug, or a disk that lied. The node must stop. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation'
}

/** Throws an `InvariantViolation` unless `condition` holds. On in production. */
export function assert(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new InvariantViolation(rule)
}
