import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { check, registerModel, renderHtml, renderText } from '../../src/check/index.ts'
import type { Operation, RegisterInput, RegisterOutput } from '../../src/check/index.ts'
import { layOut, placePoints } from '../../src/check/timeline.ts'
import { op } from './support/builder.ts'

type Register = Operation<RegisterInput, RegisterOutput>

const stale: Register[] = [
  op('a', [0, 1], { op: 'write', value: '<1>' }, {}, 'k&y'),
  op('a', [2, 3], { op: 'write', value: '<2>' }, {}, 'k&y'),
  op('b', [4, 5], { op: 'read' }, { value: '<1>' }, 'k&y'),
]

describe('a result as text', () => {
  it('shows the window as a timeline with a column a client', () => {
    const lines = renderText(check(stale, registerModel)).split('\n')
    assert.match(lines[0]!, /^NOT linearizable: 1 violation \(3 operations, 1 key, \d+ steps\)$/)
    assert.equal(lines[2], 'key "k&y": 2 operations of 3')
    assert.deepEqual(
      lines.slice(4, 9).map((line) => line.trimEnd()),
      [
        '  time  client a            client b',
        '     2  ┌ write "<2>" #1',
        '     3  └',
        '     4                      ┌ read → "<1>" ✗',
        '     5                      └ no order is left',
      ],
    )
  })

  it('is a line where there is nothing to show', () => {
    assert.match(renderText(check(stale.slice(0, 2), registerModel)), /^linearizable \(2 operations.*\)\n$/)
  })

  it('names the keys without an answer', () => {
    assert.match(renderText(check(stale, registerModel, { maxSteps: 1 })), /undecided.*"k&y"/s)
  })
})

describe('a result as a page', () => {
  const page = renderHtml(check(stale, registerModel), { title: 'Run <7>' })

  it('is whole in itself, and escapes what comes from the history', () => {
    assert.match(page, /^<!doctype html>/)
    assert.doesNotMatch(page, /(?:src|href)=|@import|url\(/)
    assert.doesNotMatch(page, /<7>|<1>|"<2>"/)
    assert.match(page, /Run &#60;7&#62;/)
    assert.match(page, /k&#38;y/)
  })

  it('draws a bar for each operation, the order through points, and where none is left', () => {
    const [window, around] = page.split('<details')
    assert.equal(window!.match(/class="bar /g)!.length, 2)
    assert.equal(around!.match(/class="bar /g)!.length, 3)
    assert.equal(window!.match(/class="point"/g)!.length, 1)
    assert.match(window!, /class="bar read blocked"/)
    assert.match(window!, /no order is left/)
  })

  it('says in its title what was found', () => {
    assert.match(page, /<title>[^<]*: not linearizable<\/title>/)
    const good = renderHtml(check(stale.slice(0, 2), registerModel))
    assert.match(good, /<title>History: linearizable<\/title>/)
    assert.doesNotMatch(good, /<svg/)
  })
})

describe('the layout of a timeline', () => {
  const operations = [
    op('a', [0, 9], { op: 'read' }, {}),
    op('b', [1, 2], { op: 'read' }, {}),
    op('a', [0, 0], { op: 'read' }, undefined),
    op('b', [3, 4], { op: 'read' }, {}),
  ]
  const layout = layOut(operations, () => 100)

  it('gives every bar the room for its words, and keeps the order of the events', () => {
    const [long, first, open, second] = operations.map((each) =>
      layout.bars.find((bar) => bar.operation === each)!,
    )
    for (const { left, right } of layout.bars) assert.ok(right - left >= 100)
    assert.ok(first!.right < second!.left && second!.right < long!.right)
    assert.equal(open!.right, layout.width)
  })

  it('lays what one client does at a time on lanes of their own', () => {
    assert.equal(layout.lanes, 3)
    assert.deepEqual(
      layout.clients.map(({ process, lane, lanes }) => [process, lane, lanes]),
      [
        ['a', 0, 2],
        ['b', 2, 1],
      ],
    )
  })

  it('places points within their bars, never to the left of the one before', () => {
    const bars = [operations[1]!, operations[0]!, operations[3]!].map((each) =>
      layout.bars.find((bar) => bar.operation === each)!,
    )
    const points = placePoints(bars)
    points.forEach((point, index) => {
      assert.ok(point > bars[index]!.left && point < bars[index]!.right)
      assert.ok(index === 0 || point >= points[index - 1]!)
    })
  })
})
