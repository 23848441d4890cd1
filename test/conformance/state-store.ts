import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { KvStateMachine } from '../../src/kv/state-machine.ts'
import type { StateChange } from '../../src/kv/types.ts'
import type { StateStore } from '../../src/storage/state-store.ts'
import { LogMaker, put } from '../kv/support.ts'

/** A place where states are kept. */
export interface StateStoreHost {
  /** A store over a new, empty state, not opened yet. */
  create(): Promise<StateStore>
  /** Closes the store and gives one, not opened yet, over the same state. */
  reopen(store: StateStore): Promise<StateStore>
  close(): Promise<void>
}

const bytes = (...values: (number | string)[]) =>
  Buffer.concat(values.map((value) => (typeof value === 'string' ? Buffer.from(value) : Buffer.of(value))))

async function scanned(store: StateStore, prefix: Uint8Array): Promise<[string, string][]> {
  const rows: [string, string][] = []
  for await (const page of store.scan(prefix)) {
    assert.ok(page.length > 0, 'no page is empty')
    for (const [key, value] of page) {
      rows.push([Buffer.from(key).toString('latin1'), Buffer.from(value).toString('latin1')])
    }
  }
  return rows
}

/** What every state store must do. */
export function stateStoreConformance(name: string, open: () => Promise<StateStoreHost>): void {
  describe(`state store: ${name}`, () => {
    let host: StateStoreHost
    before(async () => (host = await open()))
    after(() => host.close())

    async function withStore(run: (store: StateStore) => Promise<void>): Promise<void> {
      const store = await host.create()
      await store.open()
      try {
        await run(store)
      } finally {
        await store.close()
      }
    }

    it('begins empty', () =>
      withStore(async (store) => {
        assert.equal(store.get(bytes('a')), undefined)
        assert.deepEqual(await scanned(store, bytes()), [])
      }))

    it('gives space back without a change to what it holds', () =>
      withStore(async (store) => {
        const rows = Array.from({ length: 300 }, (_, i) => [bytes('r', i >> 8, i & 255), bytes('x')] as const)
        await store.write(rows)
        await store.write(rows.slice(0, 200).map(([key]) => [key, undefined] as const))
        await store.reclaim(rows[0]![0], rows[199]![0])
        assert.equal((await scanned(store, bytes('r'))).length, 100)
        assert.equal(store.get(rows[199]![0]), undefined)
        assert.deepEqual(Buffer.from(store.get(rows[200]![0])!), bytes('x'))
      }))

    it('gives back what was written, empty values included, and forgets what was deleted', () =>
      withStore(async (store) => {
        await store.write([
          [bytes('a'), bytes('1')],
          [bytes('b'), bytes()],
          [bytes('c'), bytes('3')],
        ])
        await store.write([
          [bytes('a'), bytes('2')],
          [bytes('c'), undefined],
          [bytes('d'), undefined],
        ])
        assert.deepEqual(Buffer.from(store.get(bytes('a'))!), bytes('2'))
        assert.equal(store.get(bytes('b'))?.length, 0)
        assert.equal(store.get(bytes('c')), undefined)
      }))

    it('lets the last change of a key in a batch count', () =>
      withStore(async (store) => {
        await store.write([
          [bytes('a'), bytes('1')],
          [bytes('a'), undefined],
          [bytes('b'), undefined],
          [bytes('b'), bytes('2')],
        ])
        assert.deepEqual(await scanned(store, bytes()), [['b', '2']])
      }))

    it('scans by prefix in the order of the bytes', () =>
      withStore(async (store) => {
        const keys = [
          bytes('k'),
          bytes('k', 0),
          bytes('k', 0x7f),
          bytes('k', 0x80),
          bytes('k', 0xff, 0xff),
          bytes('l'),
        ]
        await store.write(
          [bytes('j', 0xff), ...keys, bytes(0xff), bytes(0xff, 0xff, 1)].map((key) => [key, bytes('v')]),
        )
        const names = async (prefix: Uint8Array) => (await scanned(store, prefix)).map(([key]) => key)
        assert.deepEqual(
          await names(bytes('k')),
          keys.slice(0, 5).map((key) => key.toString('latin1')),
        )
        assert.deepEqual(await names(bytes(0xff)), ['\xff', '\xff\xff\x01'])
        assert.deepEqual(await names(bytes(0xff, 0xff)), ['\xff\xff\x01'])
        assert.deepEqual(await names(bytes('k', 0xff)), ['k\xff\xff'])
        assert.equal((await names(bytes())).length, 9)
      }))

    it('writes and scans more than a page and a slice, and keeps it', async () => {
      const changes: StateChange[] = Array.from({ length: 3500 }, (_, i) => [
        bytes('k', String(i).padStart(5, '0')),
        Buffer.alloc(400, i),
      ])
      let store = await host.create()
      await store.open()
      let taken = 0
      function* counted(): Generator<StateChange> {
        for (const change of changes) {
          taken++
          yield change
        }
      }
      await store.write(counted())
      assert.equal(taken, changes.length)
      store = await host.reopen(store)
      await store.open()
      const rows = await scanned(store, bytes('k'))
      assert.equal(rows.length, changes.length)
      assert.deepEqual(rows[3000], ['k03000', Buffer.alloc(400, 3000).toString('latin1')])
      await store.close()
    })

    it('shows nothing of a checkpoint, to scans and snapshots, before all of it is there', () =>
      withStore(async (store) => {
        const machine = await KvStateMachine.restore(store)
        const log = new LogMaker()
        for (let i = 0; i < 300; i++) machine.apply(log.command(put(`key ${i}`, 'x'.repeat(100))))
        let written = false
        const writing = store.writeCheckpoint(machine.freeze()!, 1000).then(() => (written = true))
        while (!written) {
          const [rows, snapshot] = await Promise.all([scanned(store, bytes('k')), store.snapshot()])
          assert.ok(rows.length === 0 || rows.length === 300, `${rows.length} rows`)
          assert.ok(snapshot === undefined || snapshot.meta.position.index === 300)
          await snapshot?.close()
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
        await writing
        machine.checkpointWritten()
        assert.equal((await KvStateMachine.restore(store)).stateHash(), machine.stateHash())
      }))

    it('shows nothing any more where a checkpoint failed half-way', () =>
      withStore(async (store) => {
        await store.write([[bytes('k', 'a'), bytes('1')]])
        function* failing(): Generator<StateChange> {
          yield [bytes('k', 'a'), bytes('2')]
          throw new Error('half-way')
        }
        await assert.rejects(store.writeCheckpoint({ early: failing(), final: [] }, 1), /half-way/)
        await scanned(store, bytes('k')).then(
          (rows) => assert.deepEqual(rows, [['ka', '1']], 'nothing was written'),
          (error: unknown) => assert.match(String(error), /half-way/),
        )
      }))

    it('opens with the checkpoint before one that was cut off after keys were written', async () => {
      let store = await host.create()
      await store.open()
      const machine = await KvStateMachine.restore(store)
      const log = new LogMaker()
      const putAll = (value: string): void => {
        for (let i = 0; i < 100; i++) machine.apply(log.command(put(`key ${i}`, value.repeat(100))))
      }
      putAll('a')
      await store.writeCheckpoint(machine.freeze()!, 1000)
      machine.checkpointWritten()
      const hash = machine.stateHash()
      const rows = await scanned(store, bytes())
      putAll('b')
      function* cutOff(): Generator<StateChange> {
        throw new Error('cut off')
      }
      await assert.rejects(
        store.writeCheckpoint({ early: machine.freeze()!.early, final: cutOff() }, 1000),
        /cut off/,
      )
      store = await host.reopen(store)
      await store.open()
      assert.deepEqual(await scanned(store, bytes()), rows)
      assert.equal((await KvStateMachine.restore(store)).stateHash(), hash)
      await store.close()
    })

    it('can leave a scan early', () =>
      withStore(async (store) => {
        await store.write(Array.from({ length: 2500 }, (_, i) => [bytes(String(i)), bytes('v')]))
        for await (const page of store.scan(bytes())) {
          assert.ok(page.length < 2500)
          break
        }
        await store.write([[bytes('x'), bytes('y')]])
      }))

    it('writes nothing where the changes fail half-way', () =>
      withStore(async (store) => {
        function* failing(): Generator<StateChange> {
          yield [bytes('a'), bytes('1')]
          throw new Error('half-way')
        }
        await assert.rejects(store.write(failing()), /half-way/)
        assert.equal(store.get(bytes('a')), undefined)
      }))

    it('refuses to be used before it is open', async () => {
      const store = await host.create()
      assert.throws(() => store.get(bytes('a')), /before it is open/)
    })
  })
}
