import { DURABILITY } from './table/durability.ts'
import { ELECTIONS } from './table/elections.ts'
import { COMPACTION } from './table/history.ts'
import { MEMORY } from './table/memory.ts'
import { READS } from './table/reads.ts'
import { REPLICATION } from './table/replication.ts'
import { SERVING } from './table/serving.ts'
import { SESSIONS } from './table/sessions.ts'
import { SNAPSHOTS } from './table/snapshots.ts'
import type { Mutant } from './mutant.ts'

/** All seeded bugs, in the order of the layers. */
export const MUTANTS: readonly Mutant[] = [
  ...ELECTIONS,
  ...REPLICATION,
  ...READS,
  ...DURABILITY,
  ...SNAPSHOTS,
  ...SESSIONS,
  ...MEMORY,
  ...COMPACTION,
  ...SERVING,
]
