import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { check, checkEvents, formatHistory, HistoryRecorder, kvModel } from '../../src/check/index.ts'
import { modelFor, parseHistory, toOperations } from '../../src/check/index.ts'
import type { HistoryEvent, KvInput, KvOutput } from '../../src/check/index.ts'

/** A recorder whose clock shows 1, 2, 3 and so on, an event each. */
function recorder(): HistoryRecorder {
  let time = 0
  return new HistoryRecorder({ now: () => ++time })
}

describe('a recorded history', () => {
  it('becomes operations, ordered by the events and timed by the clock', () => {
    const history = recorder()
    history.invoke('a', { op: 'put', key: 'x', value: '1' })
    history.invoke('b', { op: 'get', key: 'x' })
    history.ok('a', { revision: 4 })
    history.ok('b', { entry: null, revision: 3 })
    assert.deepEqual(history.operations(), [
      {
        process: 'a',
        key: 'x',
        input: { op: 'put', value: '1' },
        output: { revision: 4 },
        call: 0,
        return: 2,
        callTime: 1,
        returnTime: 3,
      },
      {
        process: 'b',
        key: 'x',
        input: { op: 'get' },
        output: { entry: null, revision: 3 },
        call: 1,
        return: 3,
        callTime: 2,
        returnTime: 4,
      },
    ])
  })

  it('keeps unknown outcomes open, drops failures, and lets a process go on after both', () => {
    const history = recorder()
    history.invoke(1, { op: 'put', key: 'x', value: '1' })
    history.info(1, 'timed out')
    history.invoke(1, { op: 'put', key: 'x', value: '2' })
    history.fail(1, 'no leader')
    history.invoke(1, { op: 'delete', key: 'x' })
    const operations = history.operations<KvInput, KvOutput>()
    assert.deepEqual(
      operations.map(({ input, output, return: end }) => [input.op, output, end]),
      [
        ['put', undefined, Infinity],
        ['delete', undefined, Infinity],
      ],
    )
  })

  it('takes a request for several keys apart, and knows the parts as one request', () => {
    const history = recorder()
    history.invoke(1, {
      op: 'put',
      pairs: [
        ['x', '1'],
        ['y', '2'],
      ],
    })
    history.ok(1, { revision: 1 })
    history.invoke(2, { op: 'get', keys: ['x', 'y', 'z'] })
    history.ok(2, {
      revision: 1,
      entries: [{ value: '1', modRevision: 1 }, { value: '2', modRevision: 1 }, null],
    })
    const operations = history.operations<KvInput, KvOutput>()
    assert.deepEqual(
      operations.map(({ key }) => key),
      ['x', 'y', 'x', 'y', 'z'],
    )
    assert.equal(check(operations, kvModel).verdict, 'linearizable')
  })

  it('is the same after it was written and read', () => {
    const history = recorder()
    history.invoke(1, { op: 'cas', key: 'x', expected: { absent: true }, value: 'a' })
    history.ok(1, { succeeded: true, revision: 1 })
    history.invoke(2, { op: 'get', key: 'x' })
    history.info(2, 'lost "it"\nall')
    const text = history.toText()
    assert.deepEqual(parseHistory(text), history.events)
    assert.equal(formatHistory(parseHistory(`\n${text}\n`)), text)
  })

  it('tells which model it is for', () => {
    const asked = (...ops: string[]): HistoryEvent[] =>
      ops.map((op, process) => ({ process, type: 'invoke', op, key: 'x' }))
    assert.equal(modelFor(asked('get', 'put', 'cas')), 'kv')
    assert.equal(modelFor(asked('read', 'cas')), 'register')
    assert.equal(modelFor(asked('get', 'append')), 'append')
    assert.equal(modelFor(asked('read', 'append')), undefined)
  })

  it('of a register and of a text is checked as such', () => {
    const register = recorder()
    register.invoke(1, { op: 'write', value: 1 })
    register.ok(1)
    register.invoke(1, { op: 'read' })
    register.ok(1, { value: null })
    assert.equal(checkEvents(register.events, 'register').verdict, 'violation')
    const text = recorder()
    text.invoke(1, { op: 'append', key: 'x', value: 'a' })
    text.ok(1)
    text.invoke(1, { op: 'get', key: 'x' })
    text.ok(1, { value: 'a' })
    assert.equal(checkEvents(text.events, 'append').verdict, 'linearizable')
  })
})

describe('a history that cannot be', () => {
  const lines: readonly (readonly [RegExp, string])[] = [
    [/^line 2: it is not JSON/, '{"process":1,"type":"invoke","op":"get","key":"x"}\nnonsense'],
    [/^line 1: it is not a JSON object/, '7'],
    [/^line 1: "type" is to be/, '{"process":1,"type":"done"}'],
    [/^line 1: "process" is to be/, '{"type":"ok"}'],
  ]
  for (const [message, text] of lines) {
    it(`is refused: ${message.source}`, () =>
      assert.throws(() => parseHistory(text), { name: 'HistoryError', message }))
  }

  const asked = { process: 1, type: 'invoke', op: 'get', key: 'x' } as const
  const ok = { process: 1, type: 'ok' } as const
  const events: readonly (readonly [RegExp, readonly HistoryEvent[]])[] = [
    [/^event 1: process 1 ends what it has not begun/, [ok]],
    [/^event 2: process 1 asks again/, [asked, asked]],
    [/^event 2: the answer to a get needs "entry"/, [asked, ok]],
    [/^event 1: "op" is "gt"/, [{ ...asked, op: 'gt' }]],
    [/^event 1: a put needs "value"/, [{ ...asked, op: 'put' }]],
    [/^event 2: the answer to a cas needs "succeeded"/, [{ ...asked, op: 'cas', expected: 1, value: 2 }, ok]],
    [/^event 1: "expected" is to be/, [{ ...asked, op: 'cas', expected: { valu: 1 }, value: '2' }]],
    [/^event 1: "key" is to be a string/, [{ ...asked, key: 7 as unknown as string }]],
  ]
  for (const [message, history] of events) {
    it(`is refused: ${message.source}`, () =>
      assert.throws(() => toOperations(history), { name: 'HistoryError', message }))
  }
})
