import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { check } from '../../src/check/check.ts'
import { startOf } from '../../src/check/explain.ts'
import { appendModel } from '../../src/check/models/append.ts'
import { kvModel } from '../../src/check/models/kv.ts'
import { registerModel } from '../../src/check/models/register.ts'
import { Search } from '../../src/check/search.ts'
import type { Model, Operation } from '../../src/check/types.ts'
import { Chance } from './support/builder.ts'
import { appendWorkload, kvWorkload, really, registerWorkload, spoiled } from './support/generate.ts'
import type { Workload } from './support/generate.ts'
import { appendMachine, bruteForce, kvMachine, registerMachine } from './support/oracle.ts'
import type { Machine } from './support/oracle.ts'

/** Small histories are compared with trying every order, so they are short and many. */
const SMALL_HISTORIES = 4000

/** The revisions of small histories stay below this. */
const REVISIONS = 14

/** How many optional operations are tried in every choice; with more, the search itself says. */
const FEW = 4

interface Case<State, Input, Output> {
  readonly model: Model<State, Input, Output>
  readonly workload: Workload<unknown, Input, Output>
}

function testModel<State, Input, Output>({ model, workload }: Case<State, Input, Output>): void {
  describe(`random histories of the model ${model.name}`, () => {
    it('that really happened are linearizable', () => {
      for (let seed = 1; seed <= 60; seed++) {
        const history = really(workload, new Chance(seed), 150, 5)
        assert.equal(check(history, model).verdict, 'linearizable', `seed ${seed}`)
      }
    })

    it('get the verdict that trying every order gives', () => {
      const verdicts = { linearizable: 0, violation: 0, undecided: 0 }
      for (let seed = 1; seed <= SMALL_HISTORIES; seed++) {
        const chance = new Chance(seed)
        const real = really(workload, chance, 2 + chance.below(6), 3)
        const history = seed % 4 === 0 ? real : spoiled(workload, chance, real)
        const { verdict } = check(history, model)
        const expected = bruteForce(workload.machine, history) ? 'linearizable' : 'violation'
        assert.equal(verdict, expected, `seed ${seed}: ${JSON.stringify(history, null, 1)}`)
        verdicts[verdict]++
      }
      // Both happen often, or the comparison says little.
      assert.ok(verdicts.violation > SMALL_HISTORIES / 8, JSON.stringify(verdicts))
      assert.ok(verdicts.linearizable > SMALL_HISTORIES / 4, JSON.stringify(verdicts))
    })

    it('show windows that are illegal, and legal had any one operation not happened', () => {
      let windows = 0
      for (let seed = 1; seed <= 300; seed++) {
        const chance = new Chance(seed)
        const history = spoiled(workload, chance, really(workload, chance, 40, 4))
        for (const { window } of check(history, model).violations) {
          windows++
          assert.equal(window.minimal, true)
          const { operations, context } = window
          const isIllegal = (some: typeof operations): boolean =>
            check([...some, ...context], model).violations.length > 0
          assert.ok(isIllegal(operations), `seed ${seed}: the window is legal`)
          for (const left of operations) {
            const rest = operations.filter((operation) => operation !== left)
            const optional = model.observes(left.input, left.output) ? context : [...context, left]
            assert.ok(
              isLegal(model, rest, optional, startOf(model, window)),
              `seed ${seed}: one operation is not needed`,
            )
          }
        }
      }
      assert.ok(windows > 50, `${windows} windows`)
    })
  })
}

/** Whether there is an order of the first operations and some of the others. */
function isLegal<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  optional: readonly Operation<Input, Output>[],
  start: State,
): boolean {
  if (optional.length > FEW) {
    return (
      new Search(model, [...operations, ...optional], { optional: new Set(optional), start }).run(
        1_000_000,
      ) === 'legal'
    )
  }
  const choices = optional.reduce<Operation<Input, Output>[][]>(
    (all, one) => [...all, ...all.map((some) => [...some, one])],
    [[]],
  )
  return choices.some(
    (chosen) => new Search(model, [...operations, ...chosen], { start }).run(1_000_000) === 'legal',
  )
}

testModel({
  model: registerModel,
  workload: registerWorkload(registerMachine as Machine<unknown, never, never>),
})
testModel({ model: appendModel, workload: appendWorkload(appendMachine as Machine<unknown, never, never>) })
testModel({
  model: kvModel,
  workload: kvWorkload(kvMachine(REVISIONS) as Machine<unknown, never, never>),
})
