import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ChaosResult, ChaosTarget, NodeView } from '../../src/chaos/index.ts'
import { FAULT_KINDS, FaultsError, renderChaosReport } from '../../src/chaos/index.ts'
import { Injector } from '../../src/chaos/injector.ts'
import { Meter } from '../../src/chaos/meter.ts'
import { agreement } from '../../src/chaos/settling.ts'
import type { Action } from '../../src/chaos/steps.ts'
import { Watcher } from '../../src/chaos/watcher.ts'
import type { Connector } from '../../src/client/connector.ts'
import type { Clock } from '../../src/clock.ts'
import type { StatusResponse } from '../../src/wire/proto.ts'

/** A clock that shows what it is set to; its timers run soon. */
function handClock() {
  const clock = {
    time: 0,
    now: () => clock.time,
    after(_milliseconds: number, run: () => void) {
      const timer = setImmediate(run)
      return { cancel: () => clearImmediate(timer) }
    },
    soon: (run: () => void) => void setImmediate(run),
  }
  return clock satisfies Clock
}

const NODES = ['n1', 'n2', 'n3']
const ENDPOINTS = new Map(NODES.map((id) => [id, `${id}:1`]))

/** Nodes that answer as told; who is told nothing does not answer. */
function watch(answers: Record<string, Partial<StatusResponse>>, clock: Clock): Watcher {
  const connector: Pick<Connector, 'status'> = {
    status: (endpoint) => {
      const id = endpoint.split(':')[0]!
      const answer = answers[id]
      if (answer === undefined) return Promise.reject(new Error('down'))
      return Promise.resolve({
        id,
        leader: '',
        lastApplied: 0,
        lastIndex: 0,
        stateHash: '',
        ...answer,
      } as StatusResponse)
    },
  }
  return new Watcher({ endpoints: ENDPOINTS, connector, clock })
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

describe('the watcher', () => {
  it('knows a leader only where a majority follows it, and keeps every leader of every term', async () => {
    const clock = handClock()
    const answers: Record<string, Partial<StatusResponse>> = { n1: { role: 'leader', term: 3, leader: 'n1' } }
    const watcher = watch(answers, clock)
    await until(() => watcher.view('n1').role === 'leader')
    assert.equal(watcher.leader(), undefined)
    answers.n2 = { role: 'follower', term: 3, leader: 'n1' }
    await until(() => watcher.leader()?.id === 'n1')
    answers.n2 = { role: 'leader', term: 3, leader: 'n2' }
    await until(() => watcher.view('n2').role === 'leader')
    assert.deepEqual(watcher.leaders, new Map([[3, new Set(['n1', 'n2'])]]))
    clock.time = 500
    delete answers.n1
    await until(() => watcher.view('n1').role === 'unreachable')
    await watcher.stop()
    const roles = watcher.spans().filter(({ id }) => id === 'n1')
    assert.deepEqual(
      roles.map(({ role, fromMs, toMs }) => [role, fromMs, toMs]),
      [
        ['unreachable', 0, 0],
        ['leader', 0, 500],
        ['unreachable', 500, 500],
      ],
    )
  })
})

describe('the injector', () => {
  async function withInjector(
    test: (injector: Injector, calls: string[], clock: ReturnType<typeof handClock>) => Promise<void>,
    supports = FAULT_KINDS as readonly (typeof FAULT_KINDS)[number][],
  ): Promise<void> {
    const clock = handClock()
    const calls: string[] = []
    const call =
      (name: string) =>
      (...args: unknown[]) => {
        calls.push([name, ...args.filter((arg) => typeof arg === 'string')].join(' '))
        return Promise.resolve()
      }
    const names = ['kill', 'stop', 'start', 'pause', 'resume', 'cut', 'slow', 'fillDisk', 'heal'] as const
    const methods = Object.fromEntries(names.map((name) => [name, call(name)]))
    const target = {
      nodes: NODES,
      endpoints: ENDPOINTS,
      supports: new Set(supports),
      ...methods,
    } as unknown as ChaosTarget
    const follower = { role: 'follower', term: 2, leader: 'n2' }
    const watcher = watch({ n1: follower, n2: { ...follower, role: 'leader' }, n3: follower }, clock)
    await until(() => watcher.leader() !== undefined)
    try {
      await test(new Injector(target, watcher, clock), calls, clock)
    } finally {
      await watcher.stop()
    }
  }

  it('does it to whom it is meant for, by role and by name', () =>
    withInjector(async (injector, calls) => {
      const actions: Action[] = [
        { do: 'kill', node: 'leader', as: 'x' },
        { do: 'pause', node: 'follower' },
        { do: 'start', node: 'x' },
        { do: 'isolate', node: 'n3', direction: 'out' },
        { do: 'split', nodes: ['n3', 'n1'] },
      ]
      for (const action of actions) await injector.run(action)
      assert.deepEqual(calls, [
        'kill n2',
        'pause n1',
        'start n2',
        ...['cut n3 n1', 'cut n3 n2'],
        ...['cut n1 n2', 'cut n2 n1', 'cut n3 n2', 'cut n2 n3'],
      ])
      assert.deepEqual(injector.remembered('x'), { node: 'n2', term: 2 })
    }))

  it('keeps account of what is in force', () =>
    withInjector(async (injector, _calls, clock) => {
      await injector.run({ do: 'kill', node: 'n1' })
      await injector.run({ do: 'isolate', node: 'n2' })
      assert.deepEqual(injector.current, ['n1 killed', 'n2 cut off'])
      assert.deepEqual(injector.running, ['n2', 'n3'])
      clock.time = 100
      await injector.run({ do: 'heal' })
      await injector.run({ do: 'start', node: 'all' })
      assert.deepEqual(injector.current, [])
      assert.deepEqual(injector.running, NODES)
      assert.deepEqual(
        injector.spans().map(({ kind, nodes, fromMs, toMs }) => [kind, ...nodes, fromMs, toMs]),
        [
          ['cut', 'n2', 0, 100],
          ['kill', 'n1', 0, 100],
        ],
      )
    }))

  it('takes a second slowness of a node for another that replaces the first', () =>
    withInjector(async (injector) => {
      await injector.run({ do: 'slow', node: 'n1', delayMs: 5, lossRate: 0 })
      await injector.run({ do: 'slow', node: 'n1', delayMs: 9, lossRate: 0.1 })
      assert.deepEqual(injector.current, ['n1 slow (9 ms, 10 % lost)'])
    }))

  it('starts no node that nobody ended: that it is gone is for the verdict to see', () =>
    withInjector(async (injector, calls) => {
      await injector.run({ do: 'start', node: 'n1' })
      assert.deepEqual(calls, [])
      await injector.run({ do: 'fillDisk', node: 'n1' })
      assert.deepEqual(injector.expectedToLive, ['n2', 'n3'])
      await injector.run({ do: 'start', node: 'n1' })
      assert.deepEqual(calls, ['fillDisk n1', 'start n1'])
    }))

  it('refuses what the target cannot do, and whom nobody knows', () =>
    withInjector(
      async (injector) => {
        await assert.rejects(injector.run({ do: 'isolate', node: 'n1' }), /cannot cut n1 off .*no "cut"/)
        await assert.rejects(injector.run({ do: 'kill', node: 'old' }), FaultsError)
      },
      ['kill'],
    ))
})

describe('the meter', () => {
  it('counts by second, and finds the times without a success', () => {
    const clock = handClock()
    const meter = new Meter(clock)
    for (const [at, outcome, latency] of [
      [100, 'ok', 1],
      [200, 'ok', 3],
      [900, 'unknown', 700],
      [1500, 'ok', 5],
      [1600, 'failed', 9],
    ] as const) {
      clock.time = at
      meter.ended(outcome, latency)
    }
    clock.time = 2100
    assert.deepEqual(meter.seconds(), [
      { ok: 2, failed: 0, unknown: 1, p50: 1, p99: 3 },
      { ok: 1, failed: 1, unknown: 0, p50: 5, p99: 5 },
    ])
    assert.deepEqual(meter.gaps(), [
      { fromMs: 200, toMs: 1500 },
      { fromMs: 1500, toMs: 2100 },
    ])
    meter.rested()
    assert.deepEqual(meter.gaps(), [{ fromMs: 200, toMs: 1500 }])
  })
})

describe('agreement', () => {
  const view = (
    id: string,
    lastApplied: number,
    stateHash: string,
    change: Partial<NodeView> = {},
  ): NodeView => ({
    ...{ id, role: 'follower', term: 1, leader: 'n1', lastApplied, lastIndex: 9, stateHash },
    ...change,
  })

  it('is there where all have applied all, and hold the same', () => {
    const same = [view('n1', 9, 'a'), view('n2', 9, 'a')]
    assert.equal(agreement(same, ['n1', 'n2']), undefined)
    assert.equal(agreement([...same, view('n3', 4, 'x')], ['n1', 'n2']), undefined)
    assert.match(agreement([...same, view('n3', 4, 'x')], NODES)!, /not applied the same: .*n3 4 of 9/)
    assert.match(agreement([...same, view('n3', 9, 'x')], NODES)!, /states differ after entry 9/)
    assert.match(
      agreement([...same, view('n3', 9, 'a', { role: 'unreachable' })], NODES)!,
      /n3 does not answer/,
    )
  })
})

describe('the report', () => {
  it('shows the verdict and what is wrong, and takes no text for markup', () => {
    const result: ChaosResult = {
      verdict: 'violation',
      problems: [{ kind: 'lost', text: 'acknowledged, and not there: <key>' }],
      ...{ name: 'a & b', seed: 1, nodes: NODES, durationMs: 2000, healedMs: 1500 },
      operations: { ok: 5, failed: 0, unknown: 0, errors: {} },
      unique: { acknowledged: 3, unknown: 0, failed: 0 },
      checked: { verdict: 'linearizable', operations: 2, keys: 1, steps: 2 },
      ...{ terms: 1, loggedTerms: 1, stateHash: null, skipped: 0 },
      faults: [{ kind: 'kill', label: 'n1 killed', nodes: ['n1'], fromMs: 500, toMs: 1000 }],
      roles: [{ id: 'n1', role: 'leader', term: 1, fromMs: 0, toMs: 2000 }],
      seconds: [
        { ok: 5, failed: 0, unknown: 0, p50: 1, p99: 2 },
        { ok: 0, failed: 0, unknown: 0, p50: null, p99: null },
      ],
      gaps: [],
      expectations: [{ text: 'a leader', atMs: 0, tookMs: 5, wrong: 'nobody leads' }],
    }
    const page = renderChaosReport(result)
    for (const words of [
      'a &amp; b',
      '&lt;key&gt;',
      'verdict violation',
      'n1 killed',
      'nobody leads',
      '1 problem',
    ]) {
      assert.ok(page.includes(words), words)
    }
    assert.ok(!page.includes('<key>') && !page.includes('NaN'))
  })
})
