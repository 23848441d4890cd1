import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Row } from '../../bench/measure.ts'
import { escapeHtml, linePlot } from '../../bench/plot.ts'
import { htmlReport } from '../../bench/report.ts'
import { tableOf } from '../../bench/table.ts'

function row(inFlight: number, opsPerSecond: number): Row {
  return {
    ...{ op: 'mixed', percent: 30, inFlight, opsPerSecond, valueBytes: 256, clients: 1, keys: 10 },
    ...{ p50: 1, p95: 2, p99: 3, p999: 4.5, errors: 6, acknowledged: 7, keysDistribution: 'uniform' },
    processes: [
      { process: 'n1', role: 'follower', cpuUsPerOp: 30, rssBytes: 1e8 },
      { process: 'n2', role: 'leader', cpuUsPerOp: 50, rssBytes: 2e8 },
      { process: 'n3', role: 'follower', cpuUsPerOp: 40, rssBytes: 1e8 },
    ],
  }
}

describe('the table', () => {
  it('has a line for each row, with what it cost', () => {
    const rows = tableOf([row(16, 12_345)]).split('\n')
    const found = /mixed 30 %.*256.*16.*12,345.*1\.00.*2\.00.*3\.00.*4\.50.*6.*50\.0.*35\.0.*│ +│.*200/
    assert.ok(rows.some((line) => found.test(line)))
  })
})

describe('a plot', () => {
  const points = [
    [1, 0],
    [16, 50],
    [1024, 100],
  ] as const

  it('puts the points where the axes say', () => {
    const svg = linePlot([{ name: 'put', points }], { title: 'T', x: 'X', y: 'Y', logarithmicX: true })
    const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [
      Number(x),
      Number(y),
    ])
    assert.deepEqual(circles, [
      [80, 310],
      [260, 175],
      [530, 40],
    ])
    assert.match(svg, /<path d="M80,310L260,175L530,40"/)
    assert.match(svg, />1,024<\/text>/)
  })

  it('marks moments', () => {
    const marks = [{ x: 16, text: 'killed' }]
    assert.match(
      linePlot([{ name: 'put', points }], { title: 'T', x: 'X', y: 'Y', marks }),
      />killed<\/text>/,
    )
  })

  it('of one point, or of zeros, has no NaN', () => {
    const options = { title: 'T', x: 'X', y: 'Y' }
    assert.doesNotMatch(linePlot([{ name: 'a', points: [[3, 0]] }], options), /NaN|Infinity/)
    const logarithmic = { ...options, logarithmicX: true }
    assert.doesNotMatch(linePlot([{ name: 'a', points: [[64, 5]] }], logarithmic), /NaN|Infinity/)
    assert.throws(() => linePlot([], options), RangeError)
  })

  it('takes no text for markup', () => {
    assert.equal(escapeHtml('<a href="x">&'), '&#60;a href=&#34;x&#34;&#62;&#38;')
    const svg = linePlot([{ name: '<script>', points }], { title: 'T', x: 'X', y: 'Y' })
    assert.doesNotMatch(svg, /<script>/)
  })
})

describe('the report', () => {
  const seconds = [
    { second: 1, acknowledged: 10, errors: 0 },
    { second: 2, acknowledged: 0, errors: 3, event: 'leader killed' },
  ]

  it('has a plot for each figure, and the rows', () => {
    const html = htmlReport('3 nodes', [row(16, 12_345), row(64, 20_000)])
    assert.equal(html.match(/<svg /g)?.length, 4)
    assert.match(html, /<td>mixed 30 %<\/td><td>256<\/td><td>16<\/td><td>12,345<\/td>/)
  })

  it('has the time line', () => {
    const html = htmlReport('3 nodes', [], { inFlight: 64, seconds, withoutServiceMs: 1234 })
    assert.equal(html.match(/<svg /g)?.length, 1)
    assert.match(html, /leader killed/)
    assert.match(html, /1234 ms/)
  })
})
