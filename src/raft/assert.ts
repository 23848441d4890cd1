/** A rule of the algorithm does not hold: a bug, or a disk that lied. The node must stop. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation'
}

/**
 * Throws an `InvariantViolation` unless `condition` holds. On in production: a rule that names what it found is
 * given as a function where every message passes, so that words are made only for what is broken.
 */
export function assert(condition: boolean, rule: string | (() => string)): asserts condition {
  if (!condition) throw new InvariantViolation(typeof rule === 'string' ? rule : rule())
}
