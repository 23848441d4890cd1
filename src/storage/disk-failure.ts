import { DamagedDataError, DiskError, DiskFullError, StopError, WrongDirectoryError } from '../errors.ts'

/** What an operating system or LevelDB error says: its code and, where abstract-level wrapped it, its cause. */
interface Failure {
  readonly code: string
  readonly message: string
}

/**
 * Why a write failed, as the error that stops the node: DiskFullError where no space is left, DiskError
 * for everything else. What was being written counts as unknown.
 */
export function writeFailure(error: unknown, what: string): StopError {
  if (error instanceof StopError) return error
  const failure = failureOf(error)
  if (isFull(failure)) {
    return new DiskFullError(`${what}: no space is left on the device. Free some space, then start again.`, {
      cause: error,
    })
  }
  return new DiskError(`${what}: ${failure.message}`, { cause: error })
}

/** Why a read failed: DamagedDataError where LevelDB found its files broken or gone, else DiskError. */
export function readFailure(error: unknown, what: string): StopError {
  if (error instanceof StopError) return error
  const failure = failureOf(error)
  if (isDamage(failure)) return damaged(`${what}: ${failure.message}`, error)
  return new DiskError(`${what}: ${failure.message}`, { cause: error })
}

/**
 * Why a database did not open: WrongDirectoryError where another process holds it, DamagedDataError where
 * its files are broken or gone, DiskFullError (LevelDB writes when it opens), else DiskError.
 */
export function openFailure(error: unknown, location: string): StopError {
  if (error instanceof StopError) return error
  const failure = failureOf(error)
  if (failure.code === 'LEVEL_LOCKED') {
    return new WrongDirectoryError(
      `${location}: another process uses this directory. Stop that node first, or give this one a directory of its own.`,
      { cause: error },
    )
  }
  const what = `${location} does not open`
  if (isFull(failure)) return writeFailure(error, what)
  return readFailure(error, what)
}

/** DamagedDataError with what is wrong (and where), and what to do about it. */
export function damaged(whatAndWhere: string, cause?: unknown): DamagedDataError {
  return new DamagedDataError(
    `${whatAndWhere}. Nothing of it is served. ` +
      '`balsa recover --data DIR` says what that means and what can be done; keep the directory for inspection ' +
      'until then.',
    { cause },
  )
}

function isFull(failure: Failure): boolean {
  return failure.code === 'ENOSPC' || failure.code === 'EDQUOT' || /no space left/i.test(failure.message)
}

function isDamage(failure: Failure): boolean {
  if (failure.code === 'LEVEL_CORRUPTION') return true
  return /no such file|does not exist/i.test(failure.message)
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: '', message: String(error) }
  // abstract-level says only "Database failed to open": LevelDB's own words are the cause.
  if (error.cause instanceof Error) return failureOf(error.cause)
  const code: unknown = 'code' in error ? error.code : undefined
  return { code: typeof code === 'string' ? code : '', message: error.message }
}
