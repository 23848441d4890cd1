import { addBackup } from './commands/backup.ts'
import { addChaos } from './commands/chaos.ts'
import { addCheck } from './commands/check.ts'
import { addCluster } from './commands/cluster.ts'
import { addHealth } from './commands/health.ts'
import { addMaelstrom } from './commands/maelstrom.ts'
import { addRecover } from './commands/recover.ts'
import { addRestore } from './commands/restore.ts'
import { addServe } from './commands/serve.ts'
import { addShell } from './commands/shell.ts'
import { STORE_COMMANDS } from './commands/store.ts'
import type { AddCommand } from './run.ts'

/** Every command of `balsa`. */
export const COMMANDS: readonly AddCommand[] = Object.freeze([
  addServe,
  addCluster,
  ...STORE_COMMANDS,
  addShell,
  addHealth,
  addBackup,
  addRestore,
  addRecover,
  addCheck,
  addChaos,
  addMaelstrom,
])
