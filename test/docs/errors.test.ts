import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { status } from '@grpc/grpc-js'
import { ExitCode } from '../../src/cli/failure.ts'
import * as errors from '../../src/errors.ts'

const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')

/** The rows of the table under a heading, each a list of its cells without back-ticks. */
function rowsUnder(heading: string): string[][] {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`))
  assert.ok(section, `docs/errors.md has no section "${heading}"`)
  const lines = section.split('\n').filter((line) => line.startsWith('|'))
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  )
}

type ErrorClass = new (message: string) => errors.BalsaError | errors.StopError

const classes = Object.values<unknown>(errors).filter(
  (value): value is ErrorClass =>
    typeof value === 'function' && value !== errors.BalsaError && value !== errors.StopError,
)

describe('docs/errors.md', () => {
  const codes = rowsUnder('Codes')
  const balsaErrors = classes
    .map((Class) => new Class(''))
    .filter((error) => error instanceof errors.BalsaError)

  it('has a row for every code, and none for others', () => {
    assert.deepEqual(codes.map(([code]) => code).sort(), Object.keys(errors.GRPC_STATUS).sort())
    assert.deepEqual(balsaErrors.map(({ code }) => code).sort(), Object.keys(errors.GRPC_STATUS).sort())
  })

  for (const error of balsaErrors) {
    it(`describes ${error.code} as it is`, () => {
      const row = codes.find(([code]) => code === error.code)
      assert.ok(row)
      const [, name, meaning, retryable, outcome, grpcStatus] = row
      assert.equal(name, error.constructor.name)
      assert.ok(meaning)
      assert.equal(retryable, error.retryable ? 'yes' : 'no')
      // A session that expired is reported only where the outcome is unknown: see the client's tests.
      const unknown = error.outcomeUnknown || error.code === 'SESSION_EXPIRED'
      assert.equal(outcome, unknown ? 'unknown' : 'did not happen')
      assert.equal(grpcStatus, errors.GRPC_STATUS[error.code])
      assert.ok(errors.GRPC_STATUS[error.code] in status)
    })
  }

  it('has the exit codes of a node', () => {
    const stops = classes.map((Class) => new Class('')).filter((error) => error instanceof errors.StopError)
    stops.sort((one, other) => one.exitCode - other.exitCode)
    assert.deepEqual(
      rowsUnder('Exit codes of a node').map(([exitCode, name]) => [exitCode, name]),
      [['0', ''], ...stops.map((stop) => [String(stop.exitCode), stop.constructor.name])],
    )
  })

  it('has the exit codes of the commands', () => {
    assert.deepEqual(
      rowsUnder('Exit codes of the commands').map(([exitCode]) => Number(exitCode)),
      Object.values(ExitCode),
    )
  })
})
