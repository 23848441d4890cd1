import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as errors from '../../src/errors.ts'
import { decodeErrorDetail, encodeErrorDetail, toError, toErrorDetail } from '../../src/wire/error-detail.ts'
import { WireError } from '../../src/wire/protobuf.ts'
import { oracleOf } from './oracle.ts'

const leader = { id: 'n2', clientAddress: 'localhost:7002', term: 5 }

const classes: (new (message: string, options?: errors.BalsaErrorOptions) => errors.BalsaError)[] = [
  errors.UnavailableError,
  errors.NotLeaderError,
  errors.TimeoutError,
  errors.OutcomeUnknownError,
  errors.InvalidArgumentError,
  errors.ResourceExhaustedError,
  errors.SessionExpiredError,
  errors.CompactedError,
  errors.DamagedError,
  errors.AbortedError,
]

describe('errors over the wire', () => {
  for (const ErrorClass of classes) {
    for (const outcomeUnknown of [true, false]) {
      const sent = new ErrorClass('in words', { outcomeUnknown })
      it(`${sent.name} comes back as itself, its outcome ${outcomeUnknown ? 'unknown' : 'known'}`, () => {
        const got = toError(decodeErrorDetail(encodeErrorDetail(toErrorDetail(sent))), { write: true })
        assert.ok(got instanceof ErrorClass)
        assert.equal(got.code, sent.code)
        assert.equal(got.message, 'in words')
        assert.equal(got.retryable, sent.retryable)
        assert.equal(got.outcomeUnknown, sent.outcomeUnknown)
      })
    }
  }

  it('have the numbers of the .proto', () => {
    for (const ErrorClass of classes) {
      const { code } = new ErrorClass('')
      const detail = { code, message: '', notExecuted: false, leader: undefined }
      const theirs = oracleOf('ErrorDetail').deserialize(encodeErrorDetail(detail)) as { code: string }
      assert.equal(theirs.code, code)
    }
  })

  it('of NOT_LEADER carry the leader', () => {
    const detail = toErrorDetail(new errors.NotLeaderError('not me', { leader }))
    const got = toError(decodeErrorDetail(encodeErrorDetail(detail)), { write: true })
    assert.ok(got instanceof errors.NotLeaderError)
    assert.deepEqual(got.leader, leader)
  })

  it('leave the outcome of a write unknown unless they say that it was not executed, of a read never', () => {
    const detail = { code: 'UNAVAILABLE' as const, message: '', notExecuted: false, leader: undefined }
    assert.equal(toError(detail, { write: true }).outcomeUnknown, true)
    assert.equal(toError({ ...detail, notExecuted: true }, { write: true }).outcomeUnknown, false)
    assert.equal(toError(detail, { write: false }).outcomeUnknown, false)
  })

  it('of a code that is not known yet are UNAVAILABLE, and keep what they say of the outcome', () => {
    for (const notExecuted of [true, false]) {
      const bytes = oracleOf('ErrorDetail').serialize({ code: 77, message: 'the future', notExecuted })
      const got = toError(decodeErrorDetail(bytes), { write: true })
      assert.equal(got.code, 'UNAVAILABLE')
      assert.match(got.message, /error code 77, which this version does not know: the future/)
      assert.equal(got.outcomeUnknown, !notExecuted)
    }
  })

  it('that are not ours are told without their words, and leave the outcome open', () => {
    const detail = toErrorDetail(new TypeError('secrets'))
    assert.equal(detail.code, 'UNAVAILABLE')
    assert.equal(detail.notExecuted, false)
    assert.doesNotMatch(detail.message, /secrets/)
  })

  it('are the request’s fault only where it is certain that nothing was done', () => {
    const error = new WireError('not a request')
    assert.deepEqual(toErrorDetail(error, { notExecuted: true }), {
      code: 'INVALID_ARGUMENT',
      message: 'not a request',
      notExecuted: true,
      leader: undefined,
    })
    assert.equal(toErrorDetail(error).code, 'UNAVAILABLE')
    assert.equal(toErrorDetail(error).notExecuted, false)
  })
})
