import type { Command } from 'commander'
import { Option } from 'commander'
import { DamagedError } from '../../errors.ts'
import type { BackupSummary } from '../../storage/backup/reading.ts'
import { SnapshotError } from '../../storage/snapshot/snapshot.ts'
import {
  backupStream,
  counted,
  newBackupFile,
  openBackupFile,
  summaryJson,
  summaryWords,
} from '../backup-file.ts'
import { write } from '../context.ts'
import type { Invocation } from '../context.ts'
import { UsageError } from '../failure.ts'
import { globalOptions } from '../global-options.ts'
import { showProgress } from '../progress.ts'

/** `balsa backup FILE`: a consistent copy of a running cluster; `balsa backup verify FILE`: is it whole? */
export function addBackup(program: Command, invocation: Invocation): void {
  const command = program
    .command('backup')
    .description('write a consistent copy of a running cluster to a file; see also `balsa restore`')
    .argument('<file>', 'where to; - writes to standard output')
    .addOption(new Option('--force', 'replace the file if there is one'))
  command.action(async (file: string, { force = false }: { force?: boolean }) => {
    await backUp(file, force, command, invocation)
  })
  const verify = command
    .command('verify')
    .description('check a backup as a restore would, and tell what it holds; exits with 4 if it is damaged')
    .argument('<file>', 'a file that `balsa backup` wrote')
  verify.action(async (file: string) => await verifyFile(file, verify, invocation))
}

async function backUp(file: string, force: boolean, command: Command, invocation: Invocation): Promise<void> {
  const { writeBackup } = await import('../../storage/backup/writing.ts')
  const { context } = invocation
  const { endpoints, json } = globalOptions(command, context.env)
  if (file === '-' && context.stdout.isTTY === true) {
    throw new UsageError('a backup is no text for a terminal: name a file, or send it on with a pipe')
  }
  const target = file === '-' ? backupStream(context.stdout) : await newBackupFile(file, force)
  try {
    const { head, chunks } = await context.openBackup(endpoints)
    const progress = showProgress(context.stderr, `Backup from ${head.nodeId}`, head.estimatedBytes)
    let summary: BackupSummary
    try {
      summary = await writeBackup({
        head,
        chunks,
        createdAt: new Date(),
        write: (bytes) => target.write(bytes),
        progress: (bytes, keys) => progress.at(bytes, keys),
      })
    } finally {
      progress.stop()
    }
    await target.finish()
    const words = json ? JSON.stringify(summaryJson(summary)) : `Backed up ${summaryWords(summary)}`
    // Standard output is the backup's where it was asked for.
    if (file !== '-') await write(context.stdout, `${words}\n`)
    else if (!json) await write(context.stderr, `${words}\n`)
  } catch (error) {
    await target.abandon()
    if (!(error instanceof SnapshotError)) throw error
    throw new DamagedError(
      `What came from the cluster is no whole backup: ${error.message}. Try again, from another node`,
      { cause: error },
    )
  }
}

async function verifyFile(file: string, command: Command, invocation: Invocation): Promise<void> {
  const { nowhere, readBackup } = await import('../../storage/backup/reading.ts')
  const { context } = invocation
  const { json } = globalOptions(command, context.env)
  const { size, bytes } = await openBackupFile(file)
  const progress = showProgress(context.stderr, 'Verifying', size)
  let summary: BackupSummary
  try {
    const source = counted(bytes, (count) => progress.at(count))
    summary = await readBackup(source, { name: file, site: nowhere() })
  } finally {
    progress.stop()
  }
  const words = json ? JSON.stringify(summaryJson(summary)) : `${file} is whole: ${summaryWords(summary)}`
  await write(context.stdout, `${words}\n`)
}
