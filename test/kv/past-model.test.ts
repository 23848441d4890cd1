import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { KvStateMachine } from '../../src/kv/state-machine.ts'
import type { KeyRecord, Operation } from '../../src/kv/types.ts'
import { bytes, changesOf, readAt, Replica, restore } from './support.ts'

/** Everything that ever was, by key: what a store would be that forgot nothing. */
class FullHistory {
  readonly versions = new Map<string, { revision: number; record: KeyRecord | undefined }[]>()

  learn(machine: KvStateMachine, keys: readonly string[]): void {
    for (const key of keys) {
      const record = machine.get(bytes(key))
      const list = this.versions.get(key) ?? []
      this.versions.set(key, list)
      list.push({
        revision: machine.revision,
        record: record && { ...record, value: Buffer.from(record.value) },
      })
    }
  }

  at(key: string, revision: number): KeyRecord | undefined {
    return this.versions.get(key)?.findLast((version) => version.revision <= revision)?.record
  }
}

type Step =
  | { type: 'write'; operation: Operation }
  | { type: 'compact'; back: number }
  | { type: 'checkpoint' | 'freeze' | 'written' | 'crash' }

const KEYS = ['a', 'b', 'ab', 'c']

const key = fc.constantFrom(...KEYS).map(bytes)
const value = fc.nat(99).map((number) => bytes(`${number}`))
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('put' as const), key, value }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('delete' as const), key }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('putMany' as const),
      puts: fc.uniqueArray(fc.record({ key, value }), {
        minLength: 1,
        maxLength: 3,
        selector: (each) => each.key.toString(),
      }),
    }),
  },
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 14, arbitrary: fc.record({ type: fc.constant('write' as const), operation }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('compact' as const), back: fc.nat(12) }) },
  {
    weight: 5,
    arbitrary: fc
      .constantFrom('checkpoint' as const, 'freeze' as const, 'written' as const, 'crash' as const)
      .map((type) => ({ type })),
  },
)

describe('against a store that forgets nothing', () => {
  it('every revision that is not compacted reads the same, over checkpoints and crashes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 120 }), async (steps) => {
        const full = new FullHistory()
        const tuning = { packChanges: 3, cacheBytes: 2000 }
        const replica = await Replica.create({}, tuning)
        const { log, store } = replica
        let { machine } = replica
        let writing: ReturnType<KvStateMachine['freeze']>
        let compacted = 0
        const hashes = new Map([[0, machine.stateHash()]])
        const finish = (): void => {
          if (writing === undefined) return
          store.write(changesOf(writing))
          machine.checkpointWritten()
          writing = undefined
        }
        const apply = (each: Operation): void => {
          machine.apply(log.command(each))
          hashes.set(machine.applied.index, machine.stateHash())
        }
        for (const each of steps) {
          if (each.type === 'write') {
            apply(each.operation)
            full.learn(machine, KEYS)
          } else if (each.type === 'compact') {
            const revision = Math.max(0, machine.revision - each.back)
            apply({ type: 'compact', revision })
            compacted = Math.max(compacted, revision)
          } else if (each.type === 'crash') {
            writing = undefined
            machine = await restore(store, {}, tuning)
            assert.equal(machine.stateHash(), hashes.get(machine.applied.index))
            for (const entry of log.entries.slice(machine.applied.index)) machine.apply(entry)
          } else {
            if (each.type !== 'freeze') finish()
            if (each.type !== 'written') writing ??= machine.freeze()
            if (each.type === 'checkpoint') finish()
          }
          assert.equal(machine.stateHash(), hashes.get(machine.applied.index))
          assert.equal(machine.compactedRevision, compacted)
        }
        for (let revision = 1; revision <= machine.revision; revision++) {
          const found = readAt(machine, KEYS, revision)
          if (revision < compacted) assert.equal('refused' in found && found.refused, 'COMPACTED')
          else {
            assert.deepEqual(
              found,
              KEYS.map((each) => full.at(each, revision)),
              `revision ${revision}`,
            )
          }
        }
      }),
      { seed: 5, numRuns: 150 },
    )
  })
})
