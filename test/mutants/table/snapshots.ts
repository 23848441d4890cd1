import { simulation, tests } from '../mutant.ts'
import type { Mutant } from '../mutant.ts'

/** Mistakes about cutting the log and bringing the state (§5). */
export const SNAPSHOTS: readonly Mutant[] = [
  {
    name: 'snapshot-moves-commit-index-back',
    mistake: 'An old snapshot is taken though more than it holds is committed here (Figure 5.3)',
    edits: [
      {
        file: 'src/raft/state.ts',
        find: `    if (position.index <= this.#commitIndex || this.#installing !== undefined) return\n`,
        replace: `    if (position.index <= this.log.boundary.index || this.#installing !== undefined) return\n`,
      },
    ],
    caughtBy: tests('raft/snapshots'),
  },
  {
    name: 'suffix-dropped-though-it-matches',
    mistake:
      'A snapshot discards the whole log, with entries behind it that were acknowledged (Figure 5.3, step 6)',
    edits: [
      {
        file: 'src/raft/state.ts',
        find: `    const keepSuffix = this.log.termAt(position.index) === position.term\n`,
        replace: `    const keepSuffix = this.log.termAt(position.index) === position.term && position.index === 0\n`,
      },
    ],
    caughtBy: tests('raft/snapshots'),
  },
  {
    name: 'suffix-kept-though-it-conflicts',
    mistake: 'A log that is longer than the snapshot keeps its end, whatever it holds (Figure 5.3, step 7)',
    edits: [
      {
        file: 'src/raft/log.ts',
        find: `    assert(this.termAt(index) === boundary.term, \`entry \${index} is not of the term \${boundary.term}\`)\n`,
        replace: ``,
      },
      {
        file: 'src/raft/state.ts',
        find: `    const keepSuffix = this.log.termAt(position.index) === position.term\n`,
        replace: `    const keepSuffix = this.log.lastIndex >= position.index\n`,
      },
    ],
    caughtBy: tests('raft/snapshots'),
  },
  {
    name: 'applied-while-snapshot-is-put-in',
    mistake: 'Committed entries are handed out while the state machine is being replaced',
    edits: [
      {
        file: 'src/raft/state.ts',
        find: `    if (this.#reset !== undefined || this.#installing !== undefined) return\n`,
        replace: ``,
      },
    ],
    caughtBy: tests('raft/snapshots'),
  },
  {
    name: 'log-cut-ahead-of-checkpoint',
    mistake: 'The log is cut behind what is applied, of which the checkpoint on disk may lack the end',
    edits: [
      {
        file: 'src/server/log-cutter.ts',
        find: `    const { index } = checkpointer\n`,
        replace: `    const index = Math.max(checkpointer.index, raft.view().lastApplied)\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'state-swapped-before-its-batch',
    mistake: 'The state machine is replaced before the log batch that makes the snapshot count is on disk',
    edits: [
      {
        file: 'src/raft/state.ts',
        find: `    this.#reset = { boundary: position, keepSuffix, directory }\n`,
        replace: `    this.#reset = { boundary: position, keepSuffix, directory }\n    this.#install = this.#reset\n`,
      },
      {
        file: 'src/raft/state.ts',
        find: `reset, handedOut: false }`,
        replace: `reset, handedOut: true }`,
      },
    ],
    caughtBy: tests('raft/snapshots'),
  },
  {
    name: 'boundary-checksum-lost',
    mistake: 'The entry before the log’s first is known by index and term only: the chain has no beginning',
    edits: [
      {
        file: 'src/storage/level-log-store.ts',
        find: `    const boundary = piece?.boundary ?? state.boundary\n`,
        replace: `    const boundary = piece === undefined ? state.boundary : { ...piece.boundary, checksum: 0 }\n`,
      },
    ],
    caughtBy: tests('storage/log-cut'),
  },
  {
    name: 'cut-leaves-records-behind',
    mistake: 'A piece of the log that is cut off ends behind records that were not looked for any more',
    edits: [
      {
        file: 'src/storage/log-cutting.ts',
        find: `  if (keys.length < MOST_RECORDS) return`,
        replace: `  if (keys.length <= MOST_RECORDS) return`,
      },
    ],
    caughtBy: tests('storage/log-cut'),
  },
  {
    name: 'cut-log-stays-on-disk',
    mistake: 'What was cut off the log is left to LevelDB, which may keep it for gigabytes',
    edits: [
      {
        file: 'src/storage/level-log-store.ts',
        find: `    if (this.#goneBytes < RECLAIM_BYTES || this.#reclaiming) return\n`,
        replace: `    if (this.#goneBytes < 1000 * RECLAIM_BYTES || this.#reclaiming) return\n`,
      },
    ],
    caughtBy: tests('storage/log-cut'),
  },
  {
    name: 'snapshot-vouched-for-by-an-older-write',
    mistake: 'A write that was on its way before the snapshot came makes what it brought durable',
    edits: [
      {
        file: 'src/raft/state.ts',
        find: `      this.durability.truncated(position.index)\n`,
        replace: ``,
      },
    ],
    caughtBy: tests('raft/snapshots'),
  },
]
