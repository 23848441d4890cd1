import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pino } from 'pino'
import { DiskError } from '../../src/errors.ts'
import { resolveConfig } from '../../src/server/config.ts'
import { loadReplica, Replica } from '../../src/server/replica.ts'
import type { Database, DatabaseOptions } from '../../src/storage/disk.ts'
import type { TransportHandler } from '../../src/transport/transport.ts'
import { ManualClock } from '../client/manual-clock.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { RecordedWrite } from './support/driven.ts'

/** A disk on which, from the moment that the test says so, writes fail, or one does and the rest never end. */
class BreakableDisk extends MemoryDisk {
  state: 'works' | 'fails' | 'failsOnce' | 'hangs' = 'works'

  override async openDatabase(name: string, options: DatabaseOptions): Promise<Database> {
    const database = await super.openDatabase(name, options)
    return {
      getSync: (key) => database.getSync(key),
      get: (key) => database.get(key),
      iterator: (range) => database.iterator(range),
      snapshot: () => database.snapshot(),
      compactRange: (from, upTo) => database.compactRange(from, upTo),
      close: () => this.#perform(() => database.close()),
      batch: () => {
        const batch = database.batch()
        const write = batch.write.bind(batch)
        batch.write = (options) => this.#perform(() => write(options))
        return batch
      },
    }
  }

  override async replaceFile(name: string, content: Uint8Array): Promise<void> {
    await this.#perform(() => super.replaceFile(name, content))
  }

  async #perform(change: () => Promise<void>): Promise<void> {
    const { state } = this
    if (state === 'failsOnce') this.state = 'hangs'
    if (state === 'fails' || state === 'failsOnce') throw new DiskError('the disk has failed')
    if (state === 'hangs') await new Promise(() => {})
    await change()
  }
}

class Fixture {
  readonly clock = new ManualClock()
  readonly disk = new BreakableDisk()
  replica!: Replica
  handler!: TransportHandler

  static async start(peers: string): Promise<Fixture> {
    const fixture = new Fixture()
    const { clock, disk } = fixture
    const logger = pino({ level: 'silent' })
    const flags = { id: 'n1', peers, checkpointIntervalMs: '3600000' }
    const { config } = resolveConfig({ flags })
    const loaded = await loadReplica(config, { disk, clock, logger })
    fixture.replica = new Replica(config, loaded, {
      transport: {
        start: async (handler) => void (fixture.handler = handler),
        send: () => {},
        sendSnapshot: () => ({ done: Promise.resolve(false), cancel: () => {} }),
        close: async () => {},
      },
      clock,
      logger,
      seed: 1,
      clientAddress: 'n1:7001',
    })
    await fixture.replica.start()
    return fixture
  }

  /** A lone node that leads and has something for its checkpoint. */
  static async serving(): Promise<Fixture> {
    const fixture = await Fixture.start('n1=127.0.0.1:8001')
    await fixture.clock.advance(3000)
    const write = new RecordedWrite('k')
    fixture.replica.front.command(write.data, {
      result: (result) => write.succeed(result),
      fail: (detail) => write.fail(detail),
    })
    await fixture.clock.settle()
    assert.ok(write.succeeded, JSON.stringify(write.answers))
    return fixture
  }
}

describe('a replica that stops', () => {
  it('writes a last checkpoint, and says that nothing was wrong', async () => {
    const { replica, clock } = await Fixture.serving()
    assert.equal(replica.view().checkpointIndex, 0)
    const { lastApplied } = replica.view()
    await replica.stop()
    assert.equal(await replica.stopped, undefined)
    assert.equal(replica.view().checkpointIndex, lastApplied)
    assert.equal(clock.timerCount, 0)
  })

  it('names the disk where the last checkpoint cannot be written: no clean end', async () => {
    const { replica, disk, clock } = await Fixture.serving()
    disk.state = 'fails'
    await replica.stop()
    assert.ok((await replica.stopped) instanceof DiskError)
    assert.equal(clock.timerCount, 0)
  })
})

describe('a replica whose disk fails', () => {
  it('stops by itself', async () => {
    const { replica, disk, clock } = await Fixture.serving()
    disk.state = 'fails'
    await clock.advance(20_000) // a time stamp is due
    assert.ok((await replica.stopped) instanceof DiskError)
  })

  it('ends soon even where the disk then hangs', async () => {
    const { replica, disk, clock } = await Fixture.serving()
    disk.state = 'failsOnce'
    let reason: unknown
    void replica.stopped.then((error) => (reason = error))
    await clock.advance(20_000)
    assert.equal(disk.state, 'hangs')
    assert.ok(reason instanceof DiskError)
  })

  it('stops where it cannot remember a peer: what that peer says must not count', async () => {
    const { replica, disk, handler, clock } = await Fixture.start('n1=127.0.0.1:8001,n2=127.0.0.1:8002')
    disk.state = 'fails'
    const peer = { id: 'n2', incarnation: 7, clientAddress: '' }
    await assert.rejects(handler.admit(peer), DiskError)
    await clock.settle()
    assert.ok((await replica.stopped) instanceof DiskError)
  })
})
