/** Faults, a scenario or a target that cannot be used as they are. The message says how to put it right. */
export class FaultsError extends Error {
  override readonly name = 'FaultsError'
}
