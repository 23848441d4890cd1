import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silence } from '../../bench/silence.ts'
import type { Run } from '../../bench/etcd/pairs.ts'
import { ratiosOf, ratioTable, runTable, silenceTable, throughputPlot } from '../../bench/etcd/report.ts'

function run(pair: number, system: string, load: Run['load'], opsPerSecond: number): Run {
  return {
    ...{ pair, system, load, op: 'put', inFlight: 16, opsPerSecond },
    ...{ p50: 1, p95: 2, p99: pair, errors: 0, leaderCpuUs: undefined, leaderRssBytes: 5e6 },
  }
}

const RUNS = [
  run(1, 'etcd', 'unary', 1000),
  run(1, 'balsa', 'unary', 500),
  run(1, 'balsa', 'library', 4000),
  run(2, 'etcd', 'unary', 2000),
  run(2, 'balsa', 'unary', 2000),
  run(2, 'balsa', 'library', 6000),
  run(3, 'etcd', 'unary', 1000),
  run(3, 'balsa', 'unary', 800),
  run(3, 'balsa', 'library', 5000),
]

describe('the ratio to etcd', () => {
  it('is pair by pair under h2load, and to the best of etcd for the library', () => {
    assert.deepEqual(ratiosOf(RUNS), [
      { load: 'library', op: 'put', inFlight: 16, median: 2.5, min: 2, max: 3, count: 3 },
      { load: 'unary', op: 'put', inFlight: 16, median: 0.8, min: 0.5, max: 1, count: 3 },
    ])
  })

  it('leaves out what was not measured on both', () => {
    assert.deepEqual(ratiosOf(RUNS.filter(({ system }) => system === 'balsa')), [])
    assert.equal(ratiosOf(RUNS.filter(({ load }) => load === 'unary')).length, 1)
  })

  it('is printed with its spread', () => {
    const rows = ratioTable(ratiosOf(RUNS)).split('\n')
    assert.ok(rows.some((row) => /library.*put.*16.*2\.50.*2\.00.*3\.00.*3/.test(row)))
  })
})

describe('the table of runs', () => {
  it('has medians, and says where something is not known', () => {
    const rows = runTable(RUNS).split('\n')
    assert.ok(rows.some((row) => /etcd.*unary.*put.*16.*1,000.*1\.00.*2\.00.*0.*\?.*5\.00/.test(row)))
  })
})

describe('the plot', () => {
  it('has a line for each system and load, with the medians, and a plot for each operation', () => {
    const more = RUNS.map((one) => ({ ...one, inFlight: 64 }))
    const gets = [...RUNS, ...more].map((one) => ({ ...one, op: 'get' as const, opsPerSecond: 7 }))
    const svg = throughputPlot([...RUNS, ...more, ...gets])
    assert.equal(svg.match(/<path /g)!.length, 6)
    assert.equal(svg.match(/<circle /g)!.length, 12)
    for (const text of ['puts a second', 'gets a second', 'etcd, unary', 'balsa, library'])
      assert.ok(svg.includes(`>${text}</text>`), text)
  })
})

describe('the time without service', () => {
  const ack = (ended: number) => ({ began: ended - 1, ended })

  it('is the longest silence that ended after the kill', () => {
    assert.equal(silence([ack(10), ack(400), ack(420), ack(1700), ack(1710)], 425), 1280)
  })

  it('is not shortened by what was on its way at the kill', () => {
    assert.equal(silence([ack(420), ack(426), ack(1700)], 425), 1274)
  })

  it('is the same whatever order the answers are told in', () => {
    assert.equal(silence([ack(1700), ack(420)], 425), 1280)
  })

  it('needs service on both sides', () => {
    assert.throws(() => silence([], 425), RangeError)
    assert.throws(() => silence([ack(500)], 425), RangeError)
    assert.throws(() => silence([ack(400)], 425), RangeError)
  })

  it('is printed for each system that was measured', () => {
    const table = silenceTable({ etcd: [], balsa: [1500, 1600, 1400] })
    assert.match(table, /balsa.*1,500.*1,600.*1,400.*1,600.*3/)
    assert.doesNotMatch(table, /etcd/)
  })
})
