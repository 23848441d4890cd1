import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { TransferError } from '../../src/transport/snapshot-transfer.ts'
import type { SnapshotAnswer, SnapshotSink, SnapshotSource } from '../../src/transport/snapshot-transfer.ts'
import type { TransportLab } from './transport-lab.ts'

/** A snapshot of so many chunks, each of which says its number. */
class CountedSource implements SnapshotSource {
  readonly offer = { term: 7, id: 42, meta: Buffer.from('what is in it') }
  readonly #count: number
  readonly #bytes: number
  /** From where it was asked to begin, each time. */
  readonly begins: number[] = []
  read = 0

  constructor(count: number, bytes = 1000) {
    this.#count = count
    this.#bytes = bytes
  }

  async *chunksAfter(chunks: number) {
    this.begins.push(chunks)
    for (let number = chunks + 1; number <= this.#count; number++) {
      this.read++
      await Promise.resolve()
      yield { bytes: Buffer.alloc(this.#bytes, `${number} `), last: number === this.#count }
    }
  }
}

/** Takes chunks, and remembers them over connections. */
class Shelf implements SnapshotSink {
  readonly chunksTaken: string[] = []
  readonly count: number
  finished = 0
  /** Called with the number of each chunk before it counts. */
  before: (number: number) => void | Promise<void> = () => {}

  constructor(count: number) {
    this.count = count
  }

  get chunks(): number {
    return this.chunksTaken.length
  }

  get complete(): boolean {
    return this.chunks === this.count
  }

  async add(chunk: Uint8Array): Promise<void> {
    await this.before(this.chunks + 1)
    this.chunksTaken.push(Buffer.from(chunk).toString().split(' ')[0]!)
  }

  async finish(): Promise<void> {
    this.finished++
  }
}

/** How every transport brings a snapshot. */
export function snapshotTransportConformance(
  name: string,
  makeLab: () => TransportLab | Promise<TransportLab>,
): void {
  describe(`${name}: a transport that brings a snapshot`, () => {
    let lab: TransportLab

    beforeEach(async () => {
      lab = await makeLab()
    })
    afterEach(() => lab.close())

    /** n1 brings n2 a snapshot, or the other way round; `answers` one after the other, the last again and again. */
    async function bring(source: SnapshotSource, answers: SnapshotAnswer[], from = 'n1', to = 'n2') {
      const offers: [string, number][] = []
      const offered = async (peer: string, { id }: { id: number }): Promise<SnapshotAnswer> => {
        offers.push([peer, id])
        return answers.length > 1 ? answers.shift()! : answers[0]!
      }
      const sender = await lab.start(from)
      const receiver = await lab.start(to, { offered })
      let delivered: boolean | undefined
      const transfer = sender.transport.sendSnapshot(to, source)
      const ended = transfer.done.then((result) => (delivered = result))
      return { sender, receiver, transfer, offers, ended, isOver: () => delivered !== undefined }
    }

    const expected = (count: number) => Array.from({ length: count }, (_, i) => `${i + 1}`)

    for (const [from, to] of [
      ['n1', 'n2'],
      ['n2', 'n1'],
    ] as const) {
      it(`carries every chunk in order, from ${from} to ${to}`, async () => {
        const shelf = new Shelf(20)
        const { offers, isOver, ended } = await bring(
          new CountedSource(20),
          [{ type: 'take', sink: shelf }],
          from,
          to,
        )
        await lab.until('it is there', isOver)
        assert.equal(await ended, true)
        assert.deepEqual(shelf.chunksTaken, expected(20))
        assert.equal(shelf.finished, 1)
        assert.deepEqual(offers, [[from, 42]])
      })
    }

    it('sends no more ahead than a window: the receiver’s pace is the sender’s', async () => {
      const source = new CountedSource(100, 256 * 1024)
      const shelf = new Shelf(100)
      let release = (): void => {}
      const gate = new Promise<void>((resolve) => (release = resolve))
      shelf.before = (number) => (number === 3 ? gate : undefined)
      const { isOver } = await bring(source, [{ type: 'take', sink: shelf }])
      await lab.until('it waits', () => shelf.chunks === 2 && source.read >= 6)
      assert.ok(source.read <= 8, `${source.read} chunks were read for ${shelf.chunks} taken`)
      release()
      await lab.until('it is there', isOver)
      assert.deepEqual(shelf.chunksTaken, expected(100))
    })

    it('goes on after a broken connection where the receiver is', async () => {
      const source = new CountedSource(40, 64 * 1024)
      const shelf = new Shelf(40)
      let cuts = 0
      shelf.before = (number) => {
        if (number !== 10 * (cuts + 1) || cuts === 2) return
        cuts++
        lab.cut('n2')
        setImmediate(() => lab.heal('n2'))
      }
      const { isOver, ended, offers } = await bring(source, [{ type: 'take', sink: shelf }])
      await lab.until('it is there', isOver)
      assert.equal(await ended, true)
      assert.deepEqual(shelf.chunksTaken, expected(40))
      assert.equal(offers.length, 3)
      assert.deepEqual(source.begins[0], 0)
      assert.ok(source.begins[1]! >= 9 && source.begins[2]! >= 19, `${source.begins.join()}`)
    })

    it('goes on after a chunk that came damaged', async () => {
      const shelf = new Shelf(8)
      let damaged = 0
      shelf.before = (number) => {
        if (number === 4 && damaged++ === 0) throw new TransferError('damaged', { resumable: true })
      }
      const { isOver, ended } = await bring(new CountedSource(8), [{ type: 'take', sink: shelf }])
      // What waits for a better day in the twin without time: something heals.
      await lab.until('it is there', () => {
        lab.heal('n2')
        return isOver()
      })
      assert.equal(await ended, true)
      assert.deepEqual(shelf.chunksTaken, expected(8))
    })

    it('ends where the receiver has it already, refuses it, or finds that it cannot be taken', async () => {
      const spoilt = new Shelf(8)
      spoilt.before = () => {
        throw new TransferError('not what it says', { resumable: false })
      }
      for (const [answer, wanted] of [
        [{ type: 'have' }, true],
        [{ type: 'refuse', reason: 'not now' }, false],
        [{ type: 'take', sink: spoilt }, false],
      ] as const) {
        const { sender, receiver, isOver, ended } = await bring(new CountedSource(8), [answer])
        await lab.until('it is over', isOver)
        assert.equal(await ended, wanted)
        await sender.stop()
        await receiver.stop()
      }
    })

    it('ends at once where it is cancelled, or the transport is closed', async () => {
      for (const end of ['cancel', 'close'] as const) {
        const shelf = new Shelf(100)
        const { sender, receiver, transfer, isOver, ended } = await bring(new CountedSource(100, 64 * 1024), [
          { type: 'take', sink: shelf },
        ])
        await lab.until('it is under way', () => shelf.chunks > 3)
        if (end === 'cancel') transfer.cancel()
        else await sender.transport.close()
        await lab.until('it is over', isOver)
        assert.equal(await ended, false)
        await sender.stop()
        await receiver.stop()
      }
    })

    it('says where the source cannot be read', async () => {
      const source = new CountedSource(8)
      source.chunksAfter = () => {
        throw new Error('the disk has failed')
      }
      const sender = await lab.start('n1')
      await lab.start('n2', { offered: async () => ({ type: 'take', sink: new Shelf(8) }) })
      const { done } = sender.transport.sendSnapshot('n2', source)
      let failure: unknown
      done.catch((error: unknown) => (failure = error))
      await lab.until('it is said', () => failure !== undefined)
      assert.match(String(failure), /the disk has failed/)
    })

    it('of another cluster, or to a stranger, is refused', async () => {
      const sender = await lab.start('n1', { clusterId: Buffer.from('another') })
      const receiver = await lab.start('n2', { offered: async () => assert.fail('it was offered') })
      let delivered: boolean | undefined
      void sender.transport
        .sendSnapshot('n2', new CountedSource(8))
        .done.then((result) => (delivered = result))
      await lab.until('it is over', () => delivered !== undefined)
      assert.equal(delivered, false)
      await receiver.stop()
    })

    it('holds up nothing else: messages go their own way meanwhile', async () => {
      const shelf = new Shelf(3)
      shelf.before = () => new Promise<void>(() => {})
      const { sender, receiver } = await bring(new CountedSource(3), [{ type: 'take', sink: shelf }])
      await lab.until(
        'they are connected',
        () => receiver.heard.isConnected('n1') && sender.heard.isConnected('n2'),
      )
      sender.transport.send([
        { type: 'heartbeat', from: 'n1', to: 'n2', term: 7, leaderCommit: 0, readContext: 1 },
      ])
      await lab.until('it has arrived', () => receiver.heard.messages.length === 1)
    })
  })
}
