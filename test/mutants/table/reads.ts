import { model, tests } from '../mutant.ts'
import type { Mutant } from '../mutant.ts'

/** Mistakes in linearizable reads (§6.4). Reads under a lease join the table when there are leases. */
export const READS: readonly Mutant[] = [
  {
    name: 'read-before-term-commits',
    mistake:
      'A new leader serves reads before its term’s first commit tells it what is committed (§6.4, step 1)',
    edits: [
      {
        file: 'src/raft/leader.ts',
        find: `    if (log.termAt(commitIndex) !== currentTerm) return\n`,
        replace: `    if (log.termAt(commitIndex) === undefined || currentTerm === 0) return\n`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'read-before-its-index-is-applied',
    mistake: 'A confirmed read is answered from a state machine that has not got there (§6.4, step 4)',
    edits: [
      {
        file: 'src/raft/reads.ts',
        find: `    while (this.#confirmed.length > 0 && this.#confirmed[0]!.index <= lastApplied) {`,
        replace: `    while (this.#confirmed.length > 0 && lastApplied >= 0) {`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'read-without-quorum',
    mistake: 'A leader reads from its own state without asking whether it still leads (§6.4, step 3)',
    edits: [
      {
        file: 'src/raft/leader.ts',
        find: `    this.#confirmReads() // a cluster of one needs nobody's word\n`,
        replace: `    if (this.#reads.confirm(this.#reads.context)) this.#beginReads()\n`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'read-confirmed-by-earlier-replies',
    mistake: 'Acknowledgements that were sent before the read confirm it (§6.4, step 3)',
    edits: [
      {
        file: 'src/raft/leader.ts',
        find: `    progress.readContext = Math.max(progress.readContext, reply.readContext)`,
        replace: `    progress.readContext = Math.max(this.#reads.context, reply.readContext)`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'read-joins-round-under-way',
    mistake: 'A read shares a round that had begun before it came',
    edits: [
      {
        file: 'src/raft/reads.ts',
        find: `    if (this.#underWay !== undefined || this.#waiting.length === 0) return false\n`,
        replace:
          `    if (this.#underWay !== undefined) {\n` +
          `      this.#underWay = { ...this.#underWay, ids: [...this.#underWay.ids, ...this.#waiting] }\n` +
          `      this.#waiting = []\n` +
          `      return false\n` +
          `    }\n` +
          `    if (this.#waiting.length === 0) return false\n`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'read-at-what-is-applied',
    mistake: 'The read index is what the leader has applied, not what is committed (§6.4, step 2)',
    edits: [
      {
        file: 'src/raft/leader.ts',
        find: `    if (!this.#reads.begin(commitIndex)) return\n`,
        replace: `    if (!this.#reads.begin(this.#state.lastApplied)) return\n`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'read-served-by-follower',
    mistake: 'Who does not lead (any more) serves a linearizable read from its own state',
    edits: [
      {
        file: 'src/raft/node.ts',
        find: `        else this.#state.refuseReads([input.id])\n`,
        replace: `        else this.#state.serveReads([input.id])\n`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'reads-forgotten-at-step-down',
    mistake: 'Reads that wait at a leader that steps down get no answer at all',
    edits: [
      {
        file: 'src/raft/leader.ts',
        find: `    this.#state.refuseReads(this.#reads.takeAll())\n`,
        replace: `    this.#reads.takeAll()\n`,
      },
    ],
    caughtBy: tests('raft/read-index'),
  },
]
