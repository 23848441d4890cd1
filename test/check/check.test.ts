import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { check } from '../../src/check/check.ts'
import { kvModel } from '../../src/check/models/kv.ts'
import { registerModel } from '../../src/check/models/register.ts'
import type { RegisterInput, RegisterOutput } from '../../src/check/models/register.ts'
import { Search } from '../../src/check/search.ts'
import type { Operation } from '../../src/check/types.ts'
import { Chance, op } from './support/builder.ts'
import { kvWorkload, really, registerWorkload } from './support/generate.ts'
import { kvMachine, registerMachine } from './support/oracle.ts'
import type { Machine } from './support/oracle.ts'

type Register = Operation<RegisterInput, RegisterOutput>

/** Concurrent writes of many values, and then a read of none of them: every subset has to be tried. */
function hard(key: string, writes: number): Register[] {
  const values = Array.from({ length: writes }, (_, index) => index)
  return [
    ...values.map((value) => op(`w${value}`, [0, 100], { op: 'write', value } as const, {}, key)),
    ...values.map((value) => op(`r${value}`, [0, 100], { op: 'read' } as const, { value }, key)),
    op('last', [200, 201], { op: 'cas', expected: 0, value: 1 } as const, { succeeded: true }, key),
    op('end', [202, 203], { op: 'read' } as const, { value: 0 }, key),
  ]
}

const bad: Register[] = [
  op(1, [0, 1], { op: 'write', value: 1 }, {}, 'bad'),
  op(1, [2, 3], { op: 'write', value: 2 }, {}, 'bad'),
  op(2, [4, 5], { op: 'read' }, { value: 1 }, 'bad'),
]

describe('check', () => {
  it('is undecided where the steps end first, and says for which key', () => {
    const result = check(hard('x', 12), registerModel, { maxSteps: 50 })
    assert.equal(result.verdict, 'undecided')
    assert.deepEqual(result.undecided, ['x'])
    assert.deepEqual(result.violations, [])
    assert.ok(result.steps <= 50, `${result.steps} steps`)
  })

  it('lets no hard key take the steps of the others', () => {
    const keys = Array.from({ length: 5 }, (_, index) => hard(`hard ${index}`, 14)).flat()
    const result = check([...keys, ...bad], registerModel, { maxSteps: 150_000 })
    assert.equal(result.verdict, 'violation')
    assert.deepEqual(
      result.violations.map(({ key }) => key),
      ['bad'],
    )
  })

  it('reports every key that fails, each by itself', () => {
    const other = bad.map((operation) => ({ ...operation, key: 'other' }))
    const result = check([...bad, ...other], registerModel)
    assert.deepEqual(result.violations.map(({ key }) => key).sort(), ['bad', 'other'])
    assert.equal(result.operations, 6)
    assert.equal(result.keys, 2)
  })

  it('takes the operations in any order', () => {
    assert.equal(check([...bad].reverse(), registerModel).verdict, 'violation')
  })

  it('shows a stale read as the write that it missed and the read', () => {
    const before = Array.from({ length: 40 }, (_, index) =>
      op(3, [index - 100, index - 99.5], { op: 'write', value: 7 } as const, {}, 'bad'),
    )
    const after = Array.from({ length: 40 }, (_, index) =>
      op(3, [index + 10, index + 10.5], { op: 'write', value: 7 } as const, {}, 'bad'),
    )
    const [violation] = check([...before, ...bad, ...after], registerModel).violations
    const { window, explanation, history } = violation!
    assert.deepEqual(window.operations, [bad[1], bad[2]])
    assert.deepEqual(window.context, [])
    assert.deepEqual(window.order, [bad[1]])
    assert.equal(window.blocked, bad[2])
    assert.equal(window.isAnyStart, true)
    assert.equal(window.minimal, true)
    assert.equal(history.length, 83)
    assert.match(
      explanation,
      /^Whatever the key held before, one order goes as far as any: write 2 \(client 1\)/,
    )
    assert.match(explanation, /then the key holds 2\. But read → 1 \(client 2\) has no place/)
  })

  it('shows the read of what was never written alone', () => {
    const never = op(2, [4, 5], { op: 'read' } as const, { value: 9 }, 'x')
    const [violation] = check(
      [op(1, [0, 1], { op: 'write', value: 1 } as const, {}, 'x'), never],
      registerModel,
    ).violations
    assert.deepEqual(violation!.window.operations, [never])
    assert.match(violation!.explanation, /Nothing that the other operations did makes it legal/)
  })

  it('finds a window where the whole search is too hard', () => {
    const chance = new Chance(301)
    const workload = registerWorkload(registerMachine)
    const history = really(workload, chance, 300, 5)
    const target = history[Math.floor(history.length * 0.9)]!
    const wrong = { ...target, output: workload.spoil(chance, target.input, target.output!) }
    const spoiled = history.map((operation) => (operation === target ? wrong : operation))
    assert.equal(new Search(registerModel, spoiled).run(500_000), 'running')
    const { verdict, violations } = check(spoiled, registerModel)
    assert.equal(verdict, 'violation')
    assert.equal(violations[0]!.window.operations.length, 2)
  })

  it('checks long histories of a store quickly', () => {
    const machine = kvMachine(3) as Machine<unknown, never, never>
    const history = really(kvWorkload(machine), new Chance(7), 3000, 8, 0.01)
    const result = check(history, kvModel)
    assert.equal(result.verdict, 'linearizable')
    assert.ok(result.steps < 1_000_000, `${result.steps} steps`)
  })
})
