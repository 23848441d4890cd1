import { CommanderError } from 'commander'
import { BalsaError, ConfigurationError, DamagedDataError, StopError } from '../errors.ts'

/** Exit codes of the commands that talk to a cluster. */
export const ExitCode = { Ok: 0, NotFound: 1, Usage: 2, Unavailable: 3, Internal: 70 } as const

/** The command line is wrong. The message says how to put it right. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** An error as it is shown. */
export interface Failure {
  readonly exitCode: number
  readonly code: string
  readonly message: string
  readonly outcomeUnknown: boolean
  /** What to do next; empty where the message says it already. */
  readonly advice: string
}

const STATUS_ADVICE = 'See who answers with `balsa status`.'

const ADVICE: Readonly<Partial<Record<BalsaError['code'], string>>> = Object.freeze({
  UNAVAILABLE:
    'Is the cluster running (`balsa cluster start`), and does --endpoints name its nodes? ' + STATUS_ADVICE,
  NOT_LEADER: `Try again in a second. ${STATUS_ADVICE}`,
  TIMEOUT: `Nothing was changed. Try again, or wait longer with --time-out 30s. ${STATUS_ADVICE}`,
  OUTCOME_UNKNOWN: 'The write may have happened: look with `balsa get` before you repeat it.',
  RESOURCE_EXHAUSTED: `Nothing was changed. Try again later. ${STATUS_ADVICE}`,
})

/** Makes of whatever was thrown what the user is told. */
export function explain(error: unknown): Failure {
  if (error instanceof UsageError) return usage(error.message, '')
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, '')
    return usage(message, 'See `balsa help` for how it is used.')
  }
  if (error instanceof BalsaError) {
    return {
      exitCode: error.code === 'INVALID_ARGUMENT' ? ExitCode.Usage : ExitCode.Unavailable,
      code: error.code,
      message: error.message,
      outcomeUnknown: error.outcomeUnknown,
      advice: ADVICE[error.code] ?? '',
    }
  }
  if (error instanceof ConfigurationError) return usage(error.message, '')
  const isStop = error instanceof StopError
  const message = error instanceof Error ? error.message : String(error)
  return {
    exitCode: isStop ? error.exitCode : ExitCode.Internal,
    code: error instanceof DamagedDataError ? 'DAMAGED' : isStop ? 'STOPPED' : 'INTERNAL',
    message: isStop ? message : `Balsa failed in a way that it does not know: ${message}`,
    outcomeUnknown: false,
    advice: isStop ? '' : stackOf(error),
  }
}

function usage(message: string, advice: string): Failure {
  return { exitCode: ExitCode.Usage, code: 'INVALID_ARGUMENT', message, outcomeUnknown: false, advice }
}

function stackOf(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  return `This is a mistake in Balsa; please report it with what follows.\n${stack}`
}

/** A failure as text for standard error: JSON on one line, or words. */
export function formatFailure(failure: Failure, json: boolean): string {
  const { code, message, outcomeUnknown, advice } = failure
  if (json) return `${JSON.stringify({ error: { code, message, outcomeUnknown } })}\n`
  return `balsa: ${message}\n${advice === '' ? '' : `${advice}\n`}`
}
