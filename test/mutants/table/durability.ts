import { model, simulation, tests } from '../mutant.ts'
import type { Mutant } from '../mutant.ts'

/** Mistakes about what is on disk: too early, in the wrong order, half, or not at all. */
export const DURABILITY: readonly Mutant[] = [
  {
    name: 'append-acknowledged-before-fsync',
    mistake: 'A follower acknowledges entries that its disk does not hold yet (§3.8)',
    edits: [
      {
        file: 'src/raft/follower.ts',
        find: `    this.#state.sendAfterWrite({
      type: 'appendReply',`,
        replace: `    this.#state.send({
      type: 'appendReply',`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'leader-counts-itself-before-fsync',
    mistake: 'A leader counts its own entry before it is on its disk (§10.2.1)',
    edits: [
      {
        file: 'src/raft/leader.ts',
        find: `      voter === id ? durability.persistedIndex : this.#progress.get(voter)?.matchIndex,`,
        replace: `      voter === id ? Math.max(log.lastIndex, durability.persistedIndex) : this.#progress.get(voter)?.matchIndex,`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'completion-of-replaced-write-counted',
    mistake:
      'The completion of a write whose entries were truncated meanwhile vouches for what stands there now',
    edits: [
      {
        file: 'src/raft/durability.ts',
        find: `    for (const write of this.#waiting) write.upTo = Math.min(write.upTo, from - 1)\n`,
        replace: ``,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'persisted-index-survives-truncation',
    mistake: 'What replaces durable entries passes for durable itself',
    edits: [
      {
        file: 'src/raft/durability.ts',
        find: `    this.#persistedIndex = Math.min(this.#persistedIndex, from - 1)\n`,
        replace: ``,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'applied-before-own-fsync',
    mistake: 'The state machine is ahead of its own log: a checkpoint may hold what the log then loses',
    edits: [
      {
        file: 'src/raft/state.ts',
        find: `    const upTo = Math.min(this.#commitIndex, this.durability.persistedIndex)`,
        replace: `    const upTo = this.#commitIndex`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'hard-state-after-entries',
    mistake: 'The term is written after the entries that it should precede (Figure 3.1, persistent state)',
    edits: [
      {
        file: 'src/raft/state.ts',
        find:
          `    const hardState = this.#hardStateChanged\n` +
          `      ? { currentTerm: this.#currentTerm, votedFor: this.#votedFor }\n` +
          `      : undefined\n` +
          `    const entries = this.#entries\n` +
          `    this.#hardStateChanged = false\n`,
        replace:
          `    const entries = this.#entries\n` +
          `    const hardState =\n` +
          `      this.#hardStateChanged && entries.length === 0\n` +
          `        ? { currentTerm: this.#currentTerm, votedFor: this.#votedFor }\n` +
          `        : undefined\n` +
          `    this.#hardStateChanged &&= hardState === undefined\n`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'promises-not-held-back',
    mistake: 'The driver sends votes and acknowledgements without waiting for the disk (§3.8)',
    edits: [
      {
        file: 'src/server/log-writer.ts',
        find: `    if (this.#writes.length > 0) this.#promises.push(...messages)\n    else if (this.#underWay !== undefined) this.#underWay.push(...messages)\n    else return messages\n    return []\n`,
        replace: `    return messages\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'promises-released-with-write-before',
    mistake: 'A promise that waits for the next write is released with the one that is under way',
    edits: [
      {
        file: 'src/server/log-writer.ts',
        find: `    if (this.#writes.length > 0) this.#promises.push(...messages)\n    else if (this.#underWay !== undefined) this.#underWay.push(...messages)\n`,
        replace: `    if (this.#underWay !== undefined) this.#underWay.push(...messages)\n    else if (this.#writes.length > 0) this.#promises.push(...messages)\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'promises-of-a-term-that-is-over',
    mistake: 'An entry is acknowledged that was replaced within its own batch and never came to the disk',
    edits: [
      {
        file: 'src/server/log-writer.ts',
        find: `    this.#underWay = promises.filter(({ term }) => term >= this.#term)\n`,
        replace: `    this.#underWay = promises\n`,
      },
    ],
    caughtBy: tests('server/log-writer'),
  },
  {
    name: 'failed-fsync-taken-for-done',
    mistake: 'A write that fails is reported durable, and the node goes on (fsyncgate, 2018)',
    edits: [
      {
        file: 'src/server/log-writer.ts',
        find: `      (error: unknown) => this.#events.failed(error),\n`,
        replace: `      () => {\n        const promises = this.#underWay!\n        this.#underWay = undefined\n        this.#events.written(writes.at(-1)?.id, promises)\n      },\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'log-not-synced',
    mistake: 'The log is written without an fsync: a power loss takes back what was acknowledged (§3.8)',
    edits: [
      {
        file: 'src/storage/level-log-store.ts',
        find: `    await batch.write({ sync: true })\n    this.#mark.write(next)\n`,
        replace: `    await batch.write({ sync: false })\n    this.#mark.write(next)\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'checkpoint-not-synced',
    mistake: 'A checkpoint is written without an fsync: one that is lost leaves a hole under the next',
    edits: [
      {
        file: 'src/storage/level-state-store.ts',
        find: `    return this.#batch.write({ sync: true })\n`,
        replace: `    return this.#batch.write({ sync: false })\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'half-checkpoint-stays',
    mistake:
      'What a crash left of a checkpoint that it cut off stays, and the log is applied again on top of it',
    edits: [
      {
        file: 'src/storage/level-state-store.ts',
        find: `    await takeBackUnfinished(database)\n`,
        replace: `    if (disk.path === '') await takeBackUnfinished(database)\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'taken-back-to-the-last-change',
    mistake: 'A key that changed twice in a checkpoint that is taken back gets what its last change replaced',
    edits: [
      {
        file: 'src/storage/unfinished-checkpoint.ts',
        find: `    if (seen.has(name)) continue\n`,
        replace: ``,
      },
    ],
    caughtBy: tests('storage/checkpoint-crash'),
  },
  {
    name: 'keys-before-their-history',
    mistake: 'A checkpoint writes keys before the history that they are taken back by',
    edits: [
      {
        file: 'src/kv/state-machine.ts',
        find: `    function* early(): Iterable<StateChange> {\n`,
        replace: `    function* early(): Iterable<StateChange> {\n      yield* records.changes()\n`,
      },
    ],
    caughtBy: tests('storage/checkpoint-crash'),
  },
  {
    name: 'scan-sees-half-a-checkpoint',
    mistake: 'A snapshot of the state is taken while a checkpoint is half written',
    edits: [
      {
        file: 'src/storage/level-state-store.ts',
        find: `    while (this.#checkpoint !== undefined) await this.#checkpoint\n`,
        replace: ``,
      },
    ],
    caughtBy: tests('conformance/state-store'),
  },
  {
    name: 'state-record-after-entries',
    mistake: 'Entries and the record of what the log holds are written one after the other, not in one batch',
    edits: [
      {
        file: 'src/storage/level-log-store.ts',
        find: `    batch.put(...stateRecord(next))\n    await batch.write({ sync: true })\n`,
        replace:
          `    await batch.write({ sync: true })\n` +
          `    await this.#database.batch().put(...stateRecord(next)).write({ sync: true })\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'mark-before-log',
    mistake: 'The witness is written before what it is to witness: a crash in between looks like damage',
    edits: [
      {
        file: 'src/storage/level-log-store.ts',
        find: `    await batch.write({ sync: true })\n    this.#mark.write(next)\n`,
        replace: `    this.#mark.write(next)\n    await batch.write({ sync: true })\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'mark-in-one-slot',
    mistake: 'Both copies of the mark go to the same place: a torn write leaves none',
    edits: [
      {
        file: 'src/storage/mark.ts',
        find: `    this.#next = 1 - this.#next\n`,
        replace: ``,
      },
    ],
    caughtBy: tests('storage/log-damage'),
  },
  {
    name: 'written-again-after-failed-fsync',
    mistake:
      'After a failed write the log takes the next one, although nobody knows what the first left behind',
    edits: [
      {
        file: 'src/storage/level-log-store.ts',
        find: `    if (this.#failure !== undefined) throw this.#failure\n`,
        replace: `    if (this.#failure !== undefined) this.#failure = undefined\n`,
      },
    ],
    caughtBy: tests('storage/log-damage'),
  },
  {
    name: 'entry-crc-not-checked',
    mistake: 'The checksum of an entry is written and never compared: flipped bits are served',
    edits: [
      {
        file: 'src/wire/entry.ts',
        find: `  if (seed !== undefined && crc32(reader.buffer.subarray(body, covered), seed) !== checksum) {`,
        replace: `  if (seed !== undefined && crc32(reader.buffer.subarray(body, covered), seed) < 0) {`,
      },
    ],
    caughtBy: tests('storage/log-damage', 'wire/entry'),
  },
  {
    name: 'truncated-records-left-behind',
    mistake: 'Truncation forgets the records behind the first one that it replaces',
    edits: [
      {
        file: 'src/storage/level-log-store.ts',
        find: `        for (const [later] of records) batch.del(later)\n`,
        replace: `        batch.del(records[0]![0])\n`,
      },
    ],
    caughtBy: tests('conformance/log-store'),
  },
  {
    name: 'hole-in-write-ahead-file-taken-for-its-end',
    mistake: 'A flaw in the middle of a write-ahead file passes for what a crash leaves, as LevelDB has it',
    edits: [
      {
        file: 'src/storage/leveldb/record-log.ts',
        find: `      if (this.#flaw !== undefined) this.#damage ??= this.#flaw\n`,
        replace: ``,
      },
    ],
    caughtBy: tests('storage/leveldb'),
  },
  {
    name: 'lost-end-of-an-older-write-ahead-file-passed-over',
    mistake: 'What a write-ahead file lost at its end is not missed where another file goes on',
    edits: [
      {
        file: 'src/storage/leveldb/verify.ts',
        find: `next === undefined ? sequence > lastSequence + 1 : sequence !== next`,
        replace: `next === undefined && sequence > lastSequence + 1`,
      },
    ],
    caughtBy: tests('storage/leveldb'),
  },
  {
    name: 'recovery-forgets-the-vote',
    mistake: 'A state that is made anew takes term and vote back to where the state ends',
    edits: [
      {
        file: 'src/storage/recovery/rebuild.ts',
        find: `  return term > hardState.currentTerm ? { currentTerm: term, votedFor: undefined } : undefined`,
        replace: `  return term > 0 || hardState.currentTerm > 0 ? { currentTerm: term, votedFor: undefined } : undefined`,
      },
    ],
    caughtBy: tests('storage/recovery'),
  },
  {
    name: 'recovery-drops-what-the-log-holds-behind-the-state',
    mistake: 'A state that is made anew resets the log to its end, and with it forgets acknowledged entries',
    edits: [
      {
        file: 'src/storage/recovery/rebuild.ts',
        find: `  const keepSuffix = await holds(store, recovered, position)`,
        replace: `  const keepSuffix = (await holds(store, recovered, position)) && position.index === recovered.last.index`,
      },
    ],
    caughtBy: tests('storage/recovery'),
  },
  {
    name: 'states-judged-by-a-majority-of-answers',
    mistake: 'Two nodes that answer of five are taken for a majority that tells whose state is damaged',
    edits: [
      {
        file: 'src/server/state-digests.ts',
        find: `count > members / 2`,
        replace: `count > (peers.size + 1) / 2 && members > 0`,
      },
    ],
    caughtBy: tests('server/upkeep'),
  },
]
