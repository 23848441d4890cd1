import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EntryKind, LOG_START } from '../../src/raft/types.ts'
import type { LogEntry } from '../../src/raft/types.ts'
import { Applying } from '../../src/server/applying.ts'
import { sealEntries } from '../../src/wire/entry.ts'
import { ManualClock } from '../client/manual-clock.ts'
import { endOf } from '../support/entries.ts'
import { Driven, RecordedWrite } from './support/driven.ts'

function entries(count: number): readonly LogEntry[] {
  const { data } = new RecordedWrite('k')
  return sealEntries(
    LOG_START,
    1,
    Array.from({ length: count }, () => ({ kind: EntryKind.Command, data })),
  )
}

/** From now on it takes so many milliseconds to apply an entry. `first` runs when the first one is applied. */
function slow({ machine, clock }: Driven, milliseconds: number, first = (): void => {}): void {
  const apply = machine.apply.bind(machine)
  let count = 0
  machine.apply = (entry) => {
    clock.spend(milliseconds)
    if (++count === 1) first()
    return apply(entry)
  }
}

describe('applying', () => {
  it('goes on for a while, at least an entry at a time, in the order of the log', () => {
    const clock = new ManualClock()
    const applied: number[] = []
    let milliseconds = 8
    const applying = new Applying(clock, ({ index }) => {
      clock.spend(milliseconds)
      applied.push(index)
    })
    assert.equal(applying.turn(), undefined)
    applying.handOut(entries(6))
    assert.deepEqual([applying.turn()?.index, applying.waiting], [3, true])
    assert.throws(() => applying.handOut(entries(1)), /handed out when those before them are applied/)
    milliseconds = 1000
    assert.equal(applying.turn()?.index, 4)
    milliseconds = 0
    assert.deepEqual([applying.turn()?.index, applying.waiting], [6, false])
    assert.deepEqual(applied, [1, 2, 3, 4, 5, 6])
    applying.handOut(entries(2))
    applying.drop()
    assert.deepEqual([applying.turn(), applying.waiting], [undefined, false])
  })

  it('leaves the driver room between entries that take long, and answers each when it is applied', async () => {
    const driven = await Driven.leading()
    const writes = Array.from({ length: 5 }, (_, i) => new RecordedWrite(`k${i}`))
    const answered = (): number => writes.filter(({ answers }) => answers.length > 0).length
    const seen: number[] = []
    const look = (): void => {
      seen.push(answered())
      if (answered() < 5) driven.clock.soon(look)
    }
    slow(driven, 10, () => driven.clock.soon(look))
    for (const write of writes) driven.driver.write(write)
    await driven.clock.settle()
    assert.ok(writes.every(({ succeeded }) => succeeded))
    assert.deepEqual(seen, [2, 4, 5], 'two at a time, and something else in between')
    assert.deepEqual(driven.failures, [])
  })

  it('ends where a snapshot takes the place of what is left', async () => {
    const driven = await Driven.create(['n1', 'n2', 'n3'])
    const log = entries(12)
    const snapshot = { from: 'n2', term: 1, position: endOf(log), directory: 'snapshot' } as const
    let received: Promise<boolean> | undefined
    slow(driven, 30, () => {
      // In between: the first entry is applied, and the others are waiting for their turn.
      queueMicrotask(() => {
        received = driven.driver.receiveSnapshot(snapshot)
      })
    })
    const previous = { prevLogIndex: 0, prevLogTerm: 0, prevChecksum: 0 }
    const append = { type: 'append', from: 'n2', to: 'n1', term: 1, ...previous } as const
    await driven.receive({ ...append, entries: log.slice(0, 8), leaderCommit: 8 })
    assert.equal(await received, true)
    await driven.clock.settle()
    assert.ok(driven.machine.applied.index < 8, 'not all of them were applied')
    assert.deepEqual(driven.failures, [])
  })
})
