import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { check } from '../../src/check/check.ts'
import { appendModel } from '../../src/check/models/append.ts'
import type { AppendInput, AppendOutput } from '../../src/check/models/append.ts'
import { kvModel } from '../../src/check/models/kv.ts'
import type { KvEntry, KvInput, KvOutput } from '../../src/check/models/kv-types.ts'
import { registerModel } from '../../src/check/models/register.ts'
import type { RegisterInput, RegisterOutput } from '../../src/check/models/register.ts'
import type { Operation } from '../../src/check/types.ts'
import { op } from './support/builder.ts'

type Register = Operation<RegisterInput, RegisterOutput>
type Kv = Operation<KvInput, KvOutput>
type Append = Operation<AppendInput, AppendOutput>
type Span = readonly [number, number]

const read = (who: number, span: Span, value: number | null): Register =>
  op(who, span, { op: 'read' }, { value })
const write = (who: number, span: Span, value: number): Register => op(who, span, { op: 'write', value }, {})
const lost = (who: number, call: number, value: number): Register =>
  op<RegisterInput, RegisterOutput>(who, [call, Infinity], { op: 'write', value }, undefined)
const swap = (who: number, span: Span, expected: number, value: number, succeeded: boolean): Register =>
  op(who, span, { op: 'cas', expected, value }, { succeeded })

/** Name, whether it is linearizable, operations. */
type Table<T> = readonly (readonly [string, boolean, readonly T[]])[]

const REGISTER: Table<Register> = [
  ['nothing', true, []],
  ['a read of what was never written', false, [write(1, [0, 1], 1), read(2, [2, 3], 9)]],
  ['a first read of something', false, [read(1, [0, 1], 5)]],
  ['a stale read', false, [write(1, [0, 1], 1), write(1, [2, 3], 2), read(2, [4, 5], 1)]],
  ['an old value while the write runs', true, [write(1, [0, 1], 1), write(1, [2, 9], 2), read(2, [4, 5], 1)]],
  [
    'a read that goes back on another that has ended',
    false,
    [write(1, [0, 1], 1), write(1, [2, 9], 2), read(2, [3, 4], 2), read(3, [5, 6], 1)],
  ],
  [
    'a lost update',
    false,
    [write(1, [0, 1], 1), write(2, [2, 3], 2), read(1, [4, 5], 1), read(2, [6, 7], 2)],
  ],
  [
    'one compare-and-swap applied twice',
    false,
    [write(1, [0, 1], 0), swap(1, [2, 9], 0, 1, true), swap(2, [3, 9], 0, 1, true)],
  ],
  [
    'an unknown write that is never seen',
    true,
    [lost(1, 0, 1), read(2, [2, 3], null), read(2, [9, 10], null)],
  ],
  ['an unknown write that is seen late', true, [lost(1, 0, 1), read(2, [2, 3], null), read(2, [90, 91], 1)]],
  ['an unknown write seen before it was asked', false, [read(2, [0, 1], 1), lost(1, 2, 1)]],
  [
    'an unknown write that happens twice',
    false,
    [lost(1, 0, 1), read(2, [1, 2], 1), write(2, [3, 4], 2), read(2, [5, 6], 1)],
  ],
  ['a refused cas that should have been done', false, [write(1, [0, 1], 1), swap(2, [2, 3], 1, 2, false)]],
  ['a cas that should have been refused', false, [write(1, [0, 1], 1), swap(2, [2, 3], 3, 2, true)]],
  [
    'a refused cas that says that the value had changed',
    true,
    [write(1, [0, 1], 1), write(1, [2, 9], 2), swap(2, [3, 4], 1, 3, false), read(3, [5, 6], 2)],
  ],
  [
    'a refused cas that contradicts a later read',
    false,
    [write(1, [0, 1], 1), write(1, [2, 9], 2), swap(2, [3, 4], 1, 3, false), read(3, [5, 6], 1)],
  ],
  [
    'a read of unknown outcome',
    true,
    [op<RegisterInput, RegisterOutput>(1, [0, 9], { op: 'read' }, undefined), write(2, [1, 2], 1)],
  ],
  [
    'a return and a call at one moment, which are concurrent',
    true,
    [write(1, [0, 1], 1), read(2, [1, 2], null)],
  ],
]

const entry = (value: string, modRevision: number, createRevision = modRevision, version = 1): KvEntry => ({
  value,
  modRevision,
  createRevision,
  version,
})
const put = (who: number, span: Span, value: string, revision?: number, key?: string): Kv =>
  op(who, span, { op: 'put', value }, revision === undefined ? undefined : { revision }, key)
const get = (who: number, span: Span, seen: KvEntry | null, revision?: number, key?: string): Kv =>
  op(who, span, { op: 'get' }, { entry: seen, ...(revision === undefined ? {} : { revision }) }, key)
const remove = (who: number, span: Span, deleted: boolean, revision: number): Kv =>
  op(who, span, { op: 'delete' }, { deleted, revision })
const cas = (who: number, span: Span, input: Omit<KvInput & { op: 'cas' }, 'op'>, output: KvOutput): Kv =>
  op(who, span, { op: 'cas', ...input }, output)

const KV: Table<Kv> = [
  ['a put and a get', true, [put(1, [0, 1], 'a', 1), get(1, [2, 3], entry('a', 1), 1)]],
  ['values alone', true, [put(1, [0, 1], 'a', 1), get(1, [2, 3], { value: 'a' })]],
  ['a stale get', false, [put(1, [0, 1], 'a', 1), put(1, [2, 3], 'b', 2), get(2, [4, 5], entry('a', 1), 2)]],
  ['a get of nothing after a put', false, [put(1, [0, 1], 'a', 1), get(2, [2, 3], null, 1)]],
  [
    'the right value at the wrong revision',
    false,
    [put(1, [0, 1], 'a', 2), get(2, [2, 3], entry('a', 1), 2)],
  ],
  [
    'a version that does not count',
    false,
    [put(1, [0, 1], 'a', 1), put(1, [2, 3], 'b', 2), get(2, [4, 5], entry('b', 2, 1, 1))],
  ],
  ['a put applied twice', false, [put(1, [0, 1], 'a', 1), get(2, [2, 3], entry('a', 2, 1, 2), 2)]],
  ['a revision that goes back', false, [put(1, [0, 1], 'a', 5), put(1, [2, 3], 'b', 4)]],
  ['a revision that goes back for a read', false, [put(1, [0, 1], 'a', 5), get(1, [2, 3], entry('a', 5), 4)]],
  ['two puts with one revision', false, [put(1, [0, 9], 'a', 5), put(2, [0, 9], 'b', 5)]],
  [
    'an unknown put whose revision a get tells',
    true,
    [put(1, [0, Infinity], 'a'), put(2, [1, 2], 'b', 4), get(2, [3, 4], entry('a', 6, 4, 2), 6)],
  ],
  [
    'an unknown put between revisions that leave no room',
    false,
    [
      put(1, [0, Infinity], 'a'),
      put(2, [1, 2], 'b', 4),
      get(2, [3, 4], entry('b', 5, 1, 3)),
      put(2, [5, 6], 'c', 5),
    ],
  ],
  [
    'an unknown put told at a revision that had passed',
    false,
    [put(2, [0, 1], 'b', 4), put(1, [2, Infinity], 'a'), get(2, [3, 4], entry('a', 3, 3, 1), 4)],
  ],
  ['a delete of nothing that says it deleted', false, [remove(1, [0, 1], true, 1)]],
  [
    'a delete that found nothing where something was',
    false,
    [put(1, [0, 1], 'a', 1), remove(1, [2, 3], false, 1)],
  ],
  [
    'a key created anew after a delete',
    true,
    [
      put(1, [0, 1], 'a', 1),
      remove(1, [2, 3], true, 2),
      put(1, [4, 5], 'b', 3),
      get(1, [6, 7], entry('b', 3, 3, 1), 3),
    ],
  ],
  [
    'a deleted key whose version goes on',
    false,
    [
      put(1, [0, 1], 'a', 1),
      remove(1, [2, 3], true, 2),
      put(1, [4, 5], 'b', 3),
      get(1, [6, 7], entry('b', 3, 1, 2), 3),
    ],
  ],
  [
    'a cas by revision',
    true,
    [
      put(1, [0, 1], 'a', 3),
      cas(1, [2, 3], { expected: { modRevision: 3 }, value: 'b' }, { succeeded: true, revision: 4 }),
    ],
  ],
  [
    'a cas by a revision that has passed',
    false,
    [
      put(1, [0, 1], 'a', 3),
      put(1, [2, 3], 'b', 4),
      cas(1, [4, 5], { expected: { modRevision: 3 }, value: 'c' }, { succeeded: true, revision: 5 }),
    ],
  ],
  [
    'two that create the same key',
    false,
    [
      cas(1, [0, 9], { expected: { absent: true }, value: 'a' }, { succeeded: true, revision: 1 }),
      cas(2, [0, 9], { expected: { absent: true }, value: 'b' }, { succeeded: true, revision: 2 }),
    ],
  ],
  [
    'a cas refused although its condition held',
    false,
    [
      put(1, [0, 1], 'a', 1),
      cas(
        1,
        [2, 3],
        { expected: { value: 'a' }, value: 'b' },
        { succeeded: false, current: entry('a', 1), revision: 1 },
      ),
    ],
  ],
  [
    'a refused cas that shows what was not there',
    false,
    [
      put(1, [0, 1], 'a', 1),
      cas(
        1,
        [2, 3],
        { expected: { value: 'x' }, value: 'b' },
        { succeeded: false, current: entry('c', 1), revision: 1 },
      ),
    ],
  ],
  [
    'revisions in the wrong order across keys',
    false,
    [put(1, [0, 1], 'a', 2, 'x'), put(1, [2, 3], 'b', 1, 'y')],
  ],
  [
    'revisions of concurrent puts of two keys',
    true,
    [put(1, [0, 9], 'a', 2, 'x'), put(2, [2, 3], 'b', 1, 'y')],
  ],
  ['one revision for puts of two keys', false, [put(1, [0, 9], 'a', 1, 'x'), put(2, [0, 9], 'b', 1, 'y')]],
  [
    'one revision for the parts of one request',
    true,
    [put(1, [0, 9], 'a', 1, 'x'), put(1, [0, 9], 'b', 1, 'y')],
  ],
  [
    'a read of an older store after a write of another key',
    false,
    [put(1, [0, 1], 'a', 7, 'x'), get(2, [2, 3], null, 6, 'y')],
  ],
]

const text = (who: number, span: Span, kind: 'put' | 'append', value: string): Append =>
  op(who, span, { op: kind, value }, {})
const show = (who: number, span: Span, value: string): Append => op(who, span, { op: 'get' }, { value })

const APPEND: Table<Append> = [
  [
    'appends in either order',
    true,
    [text(1, [0, 9], 'append', 'a'), text(2, [0, 9], 'append', 'b'), show(1, [10, 11], 'ba')],
  ],
  [
    'a lost append',
    false,
    [text(1, [0, 1], 'append', 'a'), text(2, [2, 3], 'append', 'b'), show(1, [4, 5], 'b')],
  ],
  ['an append applied twice', false, [text(1, [0, 1], 'append', 'a'), show(1, [2, 3], 'aa')]],
  [
    'an append before a put',
    true,
    [text(1, [0, 9], 'append', 'a'), text(2, [0, 9], 'put', 'b'), show(1, [10, 11], 'b')],
  ],
  [
    'two gets that disagree on the order',
    false,
    [
      text(1, [0, 9], 'append', 'a'),
      text(2, [0, 9], 'append', 'b'),
      show(3, [1, 3], 'a'),
      show(3, [10, 11], 'ba'),
    ],
  ],
  [
    'an unknown append that comes late',
    true,
    [
      op<AppendInput, AppendOutput>(1, [0, Infinity], { op: 'append', value: 'z' }, undefined),
      show(2, [1, 2], ''),
      text(2, [3, 4], 'append', 'a'),
      show(2, [5, 6], 'az'),
    ],
  ],
]

describe('the model of a register', () => {
  for (const [name, legal, history] of REGISTER) {
    it(`${legal ? 'allows' : 'finds'} ${name}`, () => {
      assert.equal(check(history, registerModel).verdict, legal ? 'linearizable' : 'violation')
    })
  }
})

describe('the model of a store with revisions', () => {
  for (const [name, legal, history] of KV) {
    it(`${legal ? 'allows' : 'finds'} ${name}`, () => {
      assert.equal(check(history, kvModel).verdict, legal ? 'linearizable' : 'violation')
    })
  }
})

describe('the model of a text', () => {
  for (const [name, legal, history] of APPEND) {
    it(`${legal ? 'allows' : 'finds'} ${name}`, () => {
      assert.equal(check(history, appendModel).verdict, legal ? 'linearizable' : 'violation')
    })
  }
})
