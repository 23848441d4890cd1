import { BrokenInvariantError, StopError } from '../errors.ts'

/** Why the node stops: what is no failure of its disk or data is a mistake of ours, a broken invariant. */
export function stopErrorOf(error: unknown): StopError {
  if (error instanceof StopError) return error
  return new BrokenInvariantError(error instanceof Error ? error.message : String(error), { cause: error })
}
