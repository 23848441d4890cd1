import { simulation, tests } from '../mutant.ts'
import type { Mutant } from '../mutant.ts'

/** Mistakes in the state machine: exactly-once (§6.3), checkpoints, determinism. */
export const SESSIONS: readonly Mutant[] = [
  {
    name: 'nondeterministic-apply',
    mistake:
      'Applying an entry looks at the clock of the node that applies it (§6.3: time goes through the log)',
    edits: [
      {
        file: 'src/kv/state-machine.ts',
        find: `      this.#sessions.passTime(clusterTimeMs)\n`,
        replace: `      this.#sessions.passTime(Math.round(clusterTimeMs + performance.now()))\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'apply-depends-on-cache',
    mistake: 'What an entry does depends on what this node happens to hold in memory',
    edits: [
      {
        file: 'src/kv/key-space.ts',
        find: `    StoredRecord.check(storeKey, record)\n`,
        replace: `    if (this.#dirty.length > 0 && this.#frozen !== undefined) return undefined\n    StoredRecord.check(storeKey, record)\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'retry-applied-again',
    mistake:
      'The state machine does not know a repeated command: a retry after a change of leader is applied twice (§6.3)',
    edits: [
      {
        file: 'src/kv/sessions.ts',
        find: `    if (answer !== undefined) return { outcome: 'duplicate', answer }\n`,
        replace: `    if (answer !== undefined && answer.sequence > sequence) return { outcome: 'duplicate', answer }\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'only-last-answer-remembered',
    mistake: 'A session remembers its newest answer only, but has many writes under way (§6.3)',
    edits: [
      {
        file: 'src/kv/session.ts',
        find: `    this.#answers.set(answer.sequence, answer)\n`,
        replace: `    this.#answers.clear()\n    this.#answers.set(answer.sequence, answer)\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'failed-cas-not-remembered',
    mistake:
      'The answer of a compare-and-swap that failed is not kept: its retry may succeed, after the client was told no',
    edits: [
      {
        file: 'src/kv/state-machine.ts',
        find: `    this.#sessions.keep(admission.session, answer)\n`,
        replace: `    if (succeeded) this.#sessions.keep(admission.session, answer)\n`,
      },
    ],
    caughtBy: tests('kv/sessions'),
  },
  {
    name: 'acknowledged-sequence-applied-again',
    mistake:
      'A late duplicate of a write whose answer was acknowledged, and so forgotten, is applied again (§6.3)',
    edits: [
      {
        file: 'src/kv/sessions.ts',
        find: `    if (sequence < session.firstUnacked) {`,
        replace: `    if (sequence < firstUnacked) {`,
      },
    ],
    caughtBy: tests('kv/sessions'),
  },
  {
    name: 'session-table-lost-on-restart',
    mistake: 'Sessions are not part of what survives a restart (§6.3)',
    edits: [
      {
        file: 'src/kv/state-machine.ts',
        find:
          `    const sessions = await Sessions.restore(reader, limits)\n` +
          `    if (sessions.hash !== meta.sessionsHash)\n` +
          `      throw damaged(META_KEY, 'the sessions do not have the hash it names')\n`,
        replace: `    const sessions = new Sessions(limits)\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'evicted-session-treated-as-new',
    mistake:
      'A session that is not known is made anew, and what its lost predecessor applied is applied again (§6.3)',
    edits: [
      {
        file: 'src/kv/sessions.ts',
        find:
          `    const session = this.#sessions.get(command.session)\n` +
          `    if (session === undefined) return refuse('SESSION_EXPIRED', unknownSession(command.session))\n`,
        replace:
          `    if (!this.#sessions.has(command.session)) this.open(command.session, 0)\n` +
          `    const session = this.#sessions.get(command.session)!\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'activity-dated-back',
    mistake:
      'A session counts as idle from the time stamp before its last command on, which may be long past: it expires in use',
    edits: [
      {
        file: 'src/kv/state-machine.ts',
        find: `      this.#clusterTimeMs = clusterTimeMs\n      this.#sessions.passTime(clusterTimeMs)\n`,
        replace: `      this.#sessions.passTime(clusterTimeMs, this.#clusterTimeMs)\n      this.#clusterTimeMs = clusterTimeMs\n`,
      },
      {
        file: 'src/kv/sessions.ts',
        find: `  passTime(clusterTimeMs: number): void {\n`,
        replace: `  passTime(clusterTimeMs: number, before: number): void {\n`,
      },
      {
        file: 'src/kv/sessions.ts',
        find: `this.#noteStamp(session, clusterTimeMs)\n`,
        replace: `this.#noteStamp(session, before)\n`,
      },
    ],
    caughtBy: tests('kv/sessions'),
  },
  {
    name: 'applied-index-ahead-of-data',
    mistake:
      'A checkpoint names the index applied when it is written, but holds the data of when it was frozen',
    edits: [
      {
        file: 'src/kv/state-machine.ts',
        find: `    const meta = encodeMeta({\n      applied: this.#applied,\n`,
        replace: `    const encoded = (): Uint8Array => encodeMeta({\n      applied: this.#applied,\n`,
      },
      {
        file: 'src/kv/state-machine.ts',
        find: `    const bytes = this.unwrittenBytes + meta.length\n`,
        replace: `    const bytes = this.unwrittenBytes\n`,
      },
      {
        file: 'src/kv/state-machine.ts',
        find: `      yield [META_KEY, meta]\n`,
        replace: `      yield [META_KEY, encoded()]\n`,
      },
    ],
    caughtBy: tests('kv/checkpoint'),
  },
  {
    name: 'checkpoint-not-atomic',
    mistake: 'The applied index is not written in one batch with the data that it names',
    edits: [
      {
        file: 'src/storage/level-state-store.ts',
        find: `    for (const change of final) if (batch.add(change)) await this.#turn()\n`,
        replace:
          `    for (const change of final) {\n` +
          `      await batch.write()\n` +
          `      batch = new SlicedBatch(this.#opened().batch())\n` +
          `      batch.add(change)\n` +
          `    }\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'change-lost-during-checkpoint',
    mistake:
      'What is written while a checkpoint is on its way to the disk is in neither that one nor the next',
    edits: [
      {
        file: 'src/kv/key-space.ts',
        find: `    this.#epoch++\n`,
        replace: ``,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'cluster-time-goes-back',
    mistake: 'Time in the log may go back: a new leader’s stamp is taken as it comes',
    edits: [
      {
        file: 'src/kv/state-machine.ts',
        find: `    if (clusterTimeMs > this.#clusterTimeMs) {`,
        replace: `    if (clusterTimeMs !== this.#clusterTimeMs) {`,
      },
    ],
    caughtBy: tests('kv/operations'),
  },
]
