import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LogCutter } from '../../src/server/log-cutter.ts'
import type { LogCutterParts } from '../../src/server/log-cutter.ts'

const KEEP_BYTES = 10
const MiB = 1024 * 1024

/** A log of one byte an entry, and a leader with one follower. */
class Setting {
  readonly checkpointer = { index: 0 }
  readonly follower = { id: 'n2', matchIndex: 0 }
  leads = true
  bytes = 100
  lastIndex = 0
  heldIndex = Infinity
  readonly cutter: LogCutter

  constructor() {
    const setting = this as Setting
    const parts = {
      checkpointer: this.checkpointer,
      log: {
        get bytes() {
          return setting.bytes
        },
        cutPoint(upTo: number, keepBytes: number) {
          const index = Math.min(upTo, setting.lastIndex - keepBytes)
          return index > 0 ? { index, term: 1, checksum: 0 } : undefined
        },
      },
      raft: { view: () => ({ firstIndex: 1, followers: this.leads ? [this.follower] : [] }) },
      snapshots: {
        get heldIndex() {
          return setting.heldIndex
        },
      },
    }
    this.cutter = new LogCutter(parts as unknown as LogCutterParts, KEEP_BYTES)
  }

  /** Where it cuts when there is a checkpoint of everything so far. */
  cutAt(lastIndex: number): number | undefined {
    this.lastIndex = this.checkpointer.index = lastIndex
    return this.cutter.due()?.index
  }
}

describe('the cut of the log', () => {
  it('is behind the checkpoint, and leaves so much; once for each checkpoint', () => {
    const setting = new Setting()
    assert.equal(setting.cutAt(5), undefined)
    assert.equal(setting.cutAt(100), 90)
    assert.equal(setting.cutter.due(), undefined)
  })

  it('leaves what a follower lacks that is being brought a snapshot, and until it has caught up', () => {
    const setting = new Setting()
    setting.heldIndex = 40
    assert.equal(setting.cutAt(100), 40)
    setting.heldIndex = Infinity
    setting.follower.matchIndex = 40
    setting.cutter.brought('n2')
    assert.equal(setting.cutAt(200), 40, 'it has the snapshot, and lacks everything since')
    setting.follower.matchIndex = 150
    assert.equal(setting.cutAt(300), 150)
    setting.follower.matchIndex = 390
    assert.equal(setting.cutAt(400), 390, 'it has what goes: it has caught up')
    assert.equal(setting.cutAt(500), 490, 'and is a follower like any other')
  })

  it('gives up a follower that gets on no further: it is gone, and the disk is not filled for it', () => {
    const setting = new Setting()
    setting.follower.matchIndex = 40
    setting.cutter.brought('n2')
    assert.deepEqual(
      [100, 200, 300].map((index) => setting.cutAt(index)),
      [40, 40, 40],
    )
    setting.follower.matchIndex = 41
    assert.deepEqual(
      [400, 500, 600].map((index) => setting.cutAt(index)),
      [41, 41, 41],
      'slow, but it lives',
    )
    assert.equal(setting.cutAt(700), 690)
  })

  it('does not wait for one of those that were brought no snapshot', () => {
    const setting = new Setting()
    setting.follower.matchIndex = 1
    assert.equal(setting.cutAt(100), 90)
  })

  it('waits no longer where this node does not lead any more, or too much is kept already', () => {
    for (const change of [{ leads: false }, { bytes: 513 * MiB }]) {
      const setting = new Setting()
      setting.follower.matchIndex = 40
      setting.cutter.brought('n2')
      assert.equal(setting.cutAt(100), 40)
      Object.assign(setting, change)
      assert.equal(setting.cutAt(200), 190)
      Object.assign(setting, { leads: true, bytes: 100 })
      assert.equal(setting.cutAt(300), 290, 'it has to be brought another one anyway')
    }
  })
})
