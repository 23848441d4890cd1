import { tests } from '../mutant.ts'
import type { Mutant } from '../mutant.ts'

/** Mistakes in the arena that records lie in: bytes that are somebody else's by the time that they are used. */
export const MEMORY: readonly Mutant[] = [
  {
    name: 'slab-given-up-that-a-checkpoint-needs',
    mistake: 'Room is used again though the checkpoint that is being written has not come to its records yet',
    edits: [
      {
        file: 'src/kv/record-arena.ts',
        find: `      if (slab.pins === 0 && !this.#isLargeAndUsed(slab))`,
        replace: `      if (!this.#isLargeAndUsed(slab))`,
      },
    ],
    caughtBy: tests('kv/record-arena', 'kv/key-space'),
  },
  {
    name: 'replaced-key-leaves-with-its-old-slab',
    mistake:
      'With a slab go all keys that were ever put into it, those whose records lie elsewhere by now too',
    edits: [
      {
        file: 'src/kv/record-arena.ts',
        find: `      if (slot.slab !== slab) continue\n`,
        replace: ``,
      },
    ],
    caughtBy: tests('kv/record-arena', 'kv/key-space'),
  },
  {
    name: 'stale-view-not-noticed',
    mistake: 'A slab is given up and nothing shows it: who still looks at it sees the records of other keys',
    edits: [
      {
        file: 'src/kv/record-arena.ts',
        find: `    slab.generation++\n`,
        replace: ``,
      },
    ],
    caughtBy: tests('kv/record-arena', 'kv/key-space'),
  },
  {
    name: 'kept-answer-not-copied',
    mistake: 'A session keeps what a failed comparison found where it lay, not a copy of it',
    edits: [
      {
        file: 'src/kv/state-machine.ts',
        find: `current: current?.detached() }\n`,
        replace: `current }\n`,
      },
    ],
    caughtBy: tests('kv/key-space'),
  },
]
