import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { recomputeStateHash } from '../../src/kv/state-hash.ts'
import type { KvStateMachine } from '../../src/kv/state-machine.ts'
import type { ApplyResult, Expectation, KeyRecord, Operation } from '../../src/kv/types.ts'
import { Pack } from '../../src/kv/pack.ts'
import { nameOf, StoredRecord } from '../../src/kv/record.ts'
import { bytes, changesOf, LogMaker, MemoryReader, restore } from './support.ts'

const KEYS = ['a', 'b', 'ba', 'c', '']
const LIMITS = {
  maxSessions: 3,
  maxAnswersPerSession: 4,
  maxAnswerBytesPerSession: 500,
  defaultSessionTtlMs: 100,
  minSessionTtlMs: 1,
}

type EntryStep =
  | { type: 'command'; operation: Operation; client: number; back: number; unacked: number }
  | { type: 'open'; ttlMs: number }
  | { type: 'close'; client: number }
  | { type: 'time'; ms: number }
type Step = EntryStep | { type: 'checkpoint' } | { type: 'restart' } | { type: 'lag' }

const key = fc.constantFrom(...KEYS).map(bytes)
const value = fc.constantFrom('', 'x', 'y', 'long '.repeat(30)).map(bytes)
const expected: fc.Arbitrary<Expectation> = fc.oneof(
  fc.record({ type: fc.constant('value' as const), value }),
  fc.record({ type: fc.constant('modRevision' as const), modRevision: fc.nat(30) }),
  fc.record({ type: fc.constant('absent' as const) }),
)
const operation: fc.Arbitrary<Exclude<Operation, { type: 'compact' }>> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('put' as const), key, value }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), key }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('cas' as const), key, expected, newValue: value }) },
  fc.record({
    type: fc.constant('putMany' as const),
    puts: fc.array(fc.record({ key, value }), { maxLength: 3 }),
  }),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constant('command' as const),
      operation,
      client: fc.nat(4),
      back: fc.nat(4),
      unacked: fc.nat(5),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('open' as const), ttlMs: fc.nat(200) }) },
  fc.record({ type: fc.constant('close' as const), client: fc.nat(4) }),
  fc.record({ type: fc.constant('time' as const), ms: fc.nat(2000) }),
  fc.constantFrom({ type: 'checkpoint' as const }, { type: 'restart' as const }, { type: 'lag' as const }),
)
const steps = fc.array(step, { minLength: 20, maxLength: 120 })

/** Turns a step into an entry. Clients repeat themselves, overtake each other and skip: `back` says how far. */
class Clients {
  readonly log = new LogMaker()
  readonly #sessions: number[] = []
  readonly #sequences = new Map<number, number>()

  entry(step: EntryStep) {
    if (step.type === 'time') return this.log.time(step.ms)
    if (step.type === 'open') {
      const entry = this.log.open(step.ttlMs)
      this.#sessions.push(entry.index)
      return entry
    }
    const session = this.#sessions.at(-1 - step.client) ?? (step.client === 4 ? 999 : 0)
    if (step.type === 'close') return this.log.close(session)
    if (session === 0) return this.log.command(step.operation)
    const next = (this.#sequences.get(session) ?? 0) + 1
    const sequence = Math.max(0, next - step.back)
    this.#sequences.set(session, Math.max(next - 1, sequence))
    return this.log.command(step.operation, session, sequence, Math.max(0, sequence - step.unacked + 1))
  }
}

describe('determinism', () => {
  it('a replica that checkpoints, restarts and replays equals one that does not', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        const clients = new Clients()
        const plain = await restore(new MemoryReader(), LIMITS)
        const store = new MemoryReader()
        const tuning = { packChanges: 3, cacheBytes: 3000 }
        let other = await restore(store, LIMITS, tuning)
        const results: ApplyResult[] = []
        const hashes = [plain.stateHash()]
        let writing: ReturnType<KvStateMachine['freeze']>
        const finish = () => {
          if (writing === undefined) return
          store.write(changesOf(writing))
          other.checkpointWritten()
          writing = undefined
        }
        for (const each of script) {
          if (each.type === 'lag') writing ??= other.freeze()
          else if (each.type === 'checkpoint') {
            finish()
            writing = other.freeze()
            finish()
            assert.equal(await recomputeStateHash(store), other.stateHash())
          } else if (each.type === 'restart') {
            writing = undefined
            other = await restore(store, LIMITS, tuning)
            assert.equal(other.stateHash(), hashes[other.applied.index])
            for (const entry of clients.log.entries.slice(other.applied.index)) {
              assert.deepEqual(other.apply(entry), results[entry.index - 1])
            }
          } else {
            const entry = clients.entry(each)
            results.push(plain.apply(entry))
            assert.deepEqual(other.apply(entry), results.at(-1))
            hashes.push(plain.stateHash())
          }
          assert.equal(other.stateHash(), plain.stateHash())
        }
        for (const each of KEYS) assert.deepEqual(other.get(bytes(each)), plain.get(bytes(each)))
        assert.equal(other.sessionCount, plain.sessionCount)
        finish()
      }),
      { seed: 3, numRuns: 150 },
    )
  })
})

/** The naive twin: a Map, no sessions, and a list of all changes. */
class Model {
  revision = 0
  readonly keys = new Map<string, KeyRecord>()
  readonly changes: { revision: number; key: string; after?: KeyRecord; before?: KeyRecord }[] = []

  apply(
    operation: Exclude<Operation, { type: 'compact' }>,
  ): { revision: number; succeeded: boolean; current?: KeyRecord } | undefined {
    if (operation.type === 'putMany') {
      const names = operation.puts.map(({ key }) => String(key))
      if (names.length === 0 || new Set(names).size < names.length) return undefined
      this.revision++
      for (const each of operation.puts) this.#put(String(each.key), each.value)
      return { revision: this.revision, succeeded: true }
    }
    const name = String(operation.key)
    const before = this.keys.get(name)
    if (operation.type === 'delete') {
      if (before === undefined) return { revision: this.revision, succeeded: false }
      this.revision++
      this.keys.delete(name)
      this.changes.push({ revision: this.revision, key: name, before })
      return { revision: this.revision, succeeded: true }
    }
    if (operation.type === 'cas') {
      const { expected } = operation
      const holds =
        expected.type === 'absent'
          ? before === undefined
          : before !== undefined &&
            (expected.type === 'value'
              ? String(before.value) === String(expected.value)
              : before.modRevision === expected.modRevision)
      if (!holds) return { revision: this.revision, succeeded: false, ...(before && { current: before }) }
    }
    this.revision++
    this.#put(name, operation.type === 'cas' ? operation.newValue : operation.value)
    return { revision: this.revision, succeeded: true }
  }

  #put(name: string, value: Uint8Array): void {
    const before = this.keys.get(name)
    const after = {
      value,
      createRevision: before?.createRevision ?? this.revision,
      modRevision: this.revision,
      version: (before?.version ?? 0) + 1,
      lease: 0,
    }
    this.keys.set(name, after)
    this.changes.push({ revision: this.revision, key: name, after, ...(before && { before }) })
  }
}

describe('against a naive model', () => {
  it('every answer, every key and all of history are the same', async () => {
    const script = fc.array(fc.tuple(operation, fc.nat(9)), { minLength: 10, maxLength: 100 })
    await fc.assert(
      fc.asyncProperty(script, async (operations) => {
        const model = new Model()
        const log = new LogMaker()
        const store = new MemoryReader()
        const machine = await restore(store, {}, { packChanges: 4, cacheBytes: 2000 })
        const checkpoint = () => {
          const frozen = machine.freeze()
          if (frozen === undefined) return
          store.write(changesOf(frozen))
          machine.checkpointWritten()
        }
        for (const [each, dice] of operations) {
          const wanted = model.apply(each)
          const result = machine.apply(log.command(each))
          if (wanted === undefined) assert.ok('refused' in result && result.refused === 'INVALID_ARGUMENT')
          else {
            assert.ok(!('refused' in result))
            assert.equal(result.revision, wanted.revision)
            assert.equal(result.succeeded, wanted.succeeded)
            const { key, ...current } = result.current ?? {}
            assert.deepEqual(current, wanted.current ?? {})
            assert.deepEqual(key, wanted.current && each.type === 'cas' ? each.key : undefined)
          }
          if (dice === 0) checkpoint()
          for (const name of KEYS) assert.deepEqual(machine.get(bytes(name)), model.keys.get(name))
        }
        checkpoint()
        assert.deepEqual(history(store), model.changes)
      }),
      { seed: 4, numRuns: 100 },
    )
  })
})

/**
 * All of history as the model has it; a previous tombstone counts as none. A pack does not hold what a change made of
 * its key: that is what the key's next change replaced, or the present.
 */
function history(store: MemoryReader): Model['changes'] {
  const after = new Map<string, KeyRecord | undefined>()
  for (const [storeKey, record] of store.under('k')) {
    const present = StoredRecord.decode(nameOf(storeKey.subarray(1)), storeKey.subarray(1), record)
    if (!present.isTombstone) after.set(present.key.toString(), present.toKeyRecord())
  }
  const changes = store.under('v').flatMap(([storeKey, record]) => [...new Pack(storeKey, record).changes()])
  return changes
    .toReversed()
    .map(({ revision, key: bytes, isDeletion, previous }) => {
      const key = bytes.toString()
      const made = after.get(key)
      const before = previous?.isTombstone === false ? previous.toKeyRecord() : undefined
      after.set(key, before)
      assert.equal(isDeletion, made === undefined)
      return { revision, key, ...(made && { after: made }), ...(before && { before }) }
    })
    .toReversed()
}
