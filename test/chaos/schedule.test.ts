import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  describeStep,
  FAULT_KINDS,
  FaultsError,
  parseScenario,
  randomSchedule,
} from '../../src/chaos/index.ts'
import type { Step } from '../../src/chaos/index.ts'

const NODES = ['n1', 'n2', 'n3']

function draw(seed: number, kinds = FAULT_KINDS as readonly (typeof FAULT_KINDS)[number][]): Step[] {
  return randomSchedule({ seed, nodes: NODES, kinds, durationMs: 120_000 })
}

function waits(steps: readonly Step[]): number {
  return steps.reduce((sum, step) => sum + ('waitMs' in step ? step.waitMs : 0), 0)
}

describe('a random schedule', () => {
  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(draw(7), draw(7))
    assert.notDeepEqual(draw(7), draw(8))
  })

  it('takes about as long as it was asked to', () => {
    for (let seed = 0; seed < 50; seed++) {
      const total = waits(draw(seed))
      assert.ok(total >= 120_000 && total < 120_000 + 20_000, `${total}`)
    }
  })

  it('does every kind of fault that was asked for, and no other', () => {
    const doing = (steps: readonly Step[]) =>
      new Set(steps.flatMap((step) => ('do' in step ? [step.do] : [])))
    const all = new Set(Array.from({ length: 20 }, (_, seed) => [...doing(draw(seed))]).flat())
    for (const name of [
      'kill',
      'stop',
      'pause',
      'cut',
      'isolate',
      'split',
      'slow',
      'fillDisk',
      'heal',
    ] as const) {
      assert.ok(all.has(name), name)
    }
    assert.deepEqual([...doing(draw(1, ['pause']))].sort(), ['pause', 'resume'])
  })

  it('takes back what it did', () => {
    for (let seed = 0; seed < 50; seed++) {
      const open = new Set<string>()
      for (const step of draw(seed, ['kill', 'stop', 'pause'])) {
        if (!('do' in step) || !('node' in step)) continue
        const who = ('as' in step ? step.as : undefined) ?? step.node
        if (step.do === 'start' || step.do === 'resume') open.delete(who)
        else open.add(who)
      }
      assert.deepEqual([...open], [], `seed ${seed}`)
    }
  })
})

describe('a scenario file', () => {
  const of = (...steps: unknown[]) => parseScenario(JSON.stringify({ name: 'test', nodes: 3, steps }))

  it('is read into steps', () => {
    const { steps } = of(
      { wait: '1.5s' },
      { do: 'kill', node: 'leader', as: 'first', note: 'for people' },
      { expect: 'service', within: '5s' },
      { do: 'isolate', node: 'n2', direction: 'in' },
      { do: 'slow', node: 'n1', delayMs: 20, lossRate: 0.1 },
      { do: 'heal' },
      { expect: 'no-service', for: '300ms' },
      { expect: 'leader', within: '1m', not: 'first', termOf: 'first' },
    )
    assert.deepEqual(steps, [
      { waitMs: 1500 },
      { do: 'kill', node: 'leader', as: 'first' },
      { expect: 'service', withinMs: 5000 },
      { do: 'isolate', node: 'n2', direction: 'in' },
      { do: 'slow', node: 'n1', delayMs: 20, lossRate: 0.1 },
      { do: 'heal' },
      { expect: 'no-service', forMs: 300 },
      { expect: 'leader', withinMs: 60_000, not: 'first', termOf: 'first' },
    ])
  })

  const wrong: readonly [words: RegExp, step: unknown][] = [
    [/a step is an object/, 'kill'],
    [/one of "wait", "do" and "expect"/, { kill: 'n1' }],
    [/one of "wait", "do" and "expect"/, { do: 'heal', wait: '1s' }],
    [/there is no "do": "explode"/, { do: 'explode' }],
    [/"node" is missing/, { do: 'kill' }],
    [/it has no "nod"/, { do: 'kill', nod: 'n1', node: 'n1' }],
    [/"node" must be a text/, { do: 'kill', node: 1 }],
    [/"wait" must be a time such as/, { wait: 5 }],
    [/"within" must be a time such as/, { expect: 'service', within: 'soon' }],
    [/"lossRate" must be a number/, { do: 'slow', node: 'n1', delayMs: 1, lossRate: 1 }],
    [/"direction" must be/, { do: 'isolate', node: 'n1', direction: 'up' }],
    [/"role" must be/, { expect: 'role', node: 'n1', role: 'king', within: '1s' }],
    [/no earlier step remembers "x"/, { expect: 'leader', within: '1s', termOf: 'x' }],
    [/"leader" has a meaning already/, { do: 'kill', node: 'n1', as: 'leader' }],
  ]
  for (const [words, step] of wrong) {
    it(`is refused with the place: ${JSON.stringify(step)}`, () => {
      assert.throws(
        () => of({ wait: '1s' }, step),
        (error: Error) =>
          error instanceof FaultsError && /^step 2 /.test(error.message) && words.test(error.message),
      )
    })
  }

  it('is refused where it is none', () => {
    assert.throws(() => parseScenario('kill: n1'), /not JSON/)
    assert.throws(() => parseScenario('null'), /"name"/)
    assert.throws(() => parseScenario('{"name": "x", "steps": []}'), /"steps"/)
  })
})

describe('a step in words', () => {
  it('names the node that an earlier step gave a name to, and what is no name as it is meant', () => {
    const nodeOf = (name: string): string => (name === 'a1' ? 'n2' : name)
    assert.equal(describeStep({ do: 'start', node: 'a1' }, nodeOf), 'start n2')
    assert.equal(describeStep({ do: 'start', node: 'a1' }), 'start a1')
    assert.equal(describeStep({ do: 'kill', node: 'leader', as: 'a1' }, nodeOf), 'kill the leader')
    assert.equal(describeStep({ do: 'resume', node: 'all' }, nodeOf), 'resume all nodes')
  })
})
