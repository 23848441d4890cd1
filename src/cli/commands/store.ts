import type { AddCommand } from '../run.ts'
import { addCas } from './cas.ts'
import { addCompact } from './compact.ts'
import { addDelete } from './delete.ts'
import { addGet } from './get.ts'
import { addPut } from './put.ts'
import { addStatus } from './status.ts'

/** The commands that talk to a cluster: those that the shell knows as well. */
export const STORE_COMMANDS: readonly AddCommand[] = Object.freeze([
  addPut,
  addGet,
  addDelete,
  addCas,
  addCompact,
  addStatus,
])
