import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { systemClock } from '../../clock.ts'
import type { Restoring } from '../../storage/backup/restoring.ts'
import type { BackupSummary } from '../../storage/backup/reading.ts'
import { counted, openBackupFile, summaryJson, summaryWords, syncPath } from '../backup-file.ts'
import { writeClusterFile } from '../cluster/cluster-file.ts'
import { layoutCluster, quote } from '../cluster/layout.ts'
import { write } from '../context.ts'
import type { Invocation } from '../context.ts'
import { UsageError } from '../failure.ts'
import { globalOptions } from '../global-options.ts'
import { showProgress } from '../progress.ts'

const DEFAULT_NODES = 3
const DEFAULT_BASE_PORT = 7001

interface RestoreFlags {
  readonly dir?: string
  readonly nodes?: number
  readonly node?: string
  readonly data?: string
  readonly members?: string[]
  readonly clusterName?: string
}

/** What is restored where, and what to say in the end. */
interface Plan extends Pick<Restoring, 'clusterName' | 'members' | 'nodes'> {
  /** Called when all nodes are restored. */
  finish(): Promise<void>
  /** Takes back what was made. */
  abandon(): void
  /** How to go on. */
  readonly advice: string
}

/** `balsa restore FILE`: makes the data directories of a new cluster from a backup. */
export function addRestore(program: Command, invocation: Invocation): void {
  const command = program
    .command('restore')
    .description('make a new cluster of a backup: a local one, or one node of one')
    .argument('<file>', 'a file that `balsa backup` wrote')
    .addOption(new Option('--dir <dir>', 'a new directory, for `balsa cluster start --dir`'))
    .addOption(
      new Option(
        '--nodes <n>',
        `how many nodes the new cluster has, 1 to 9 (default ${DEFAULT_NODES})`,
      ).argParser(parseNodes),
    )
    .addOption(
      new Option('--node <id>', 'restore this node only, for `balsa serve --id`; with --data').conflicts(
        'dir',
      ),
    )
    .addOption(new Option('--data <dir>', "that node's new data directory"))
    .addOption(
      new Option('--members <ids>', 'the ids of all nodes of the new cluster, with commas').argParser(
        (text) => text.split(',').map((id) => id.trim()),
      ),
    )
    .addOption(
      new Option(
        '--cluster-name <name>',
        "the new cluster's name (default: the old one's and a random suffix)",
      ),
    )
  command.action(async (file: string, flags: RestoreFlags) => await restore(file, flags, command, invocation))
}

async function restore(
  file: string,
  flags: RestoreFlags,
  command: Command,
  invocation: Invocation,
): Promise<void> {
  const { restoreBackup } = await import('../../storage/backup/restoring.ts')
  const { context } = invocation
  const { json } = globalOptions(command, context.env)
  const { size, bytes } = await openBackupFile(file)
  const plan = flags.node === undefined ? await planLocal(file, flags, context.self) : planNode(flags)
  const progress = showProgress(context.stderr, 'Restoring', size)
  let summary: BackupSummary
  try {
    const source = counted(bytes, (count) => progress.at(count))
    summary = await restoreBackup({ ...plan, source, name: file, clock: systemClock({ keepAlive: true }) })
    await plan.finish()
  } catch (error) {
    plan.abandon()
    throw error
  } finally {
    progress.stop()
  }
  const { clusterName, nodes } = plan
  const done = { clusterName, nodes: nodes.map(({ id }) => id), backup: summaryJson(summary) }
  const words = `Restored ${summaryWords(summary)},\nas the new cluster "${clusterName}". ${plan.advice}`
  await write(context.stdout, `${json ? JSON.stringify(done) : words}\n`)
}

/** A directory for `cluster start`: filled under another name, so that there is nothing to start before its end. */
async function planLocal(file: string, flags: RestoreFlags, self: readonly string[]): Promise<Plan> {
  if (flags.dir === undefined) {
    throw new UsageError(
      'where to? Give --dir DIR for a cluster on this machine, or --node ID --data DIR for one node',
    )
  }
  if (flags.data !== undefined || flags.members !== undefined)
    throw new UsageError('--data and --members go with --node')
  const dir = resolve(flags.dir)
  const partial = `${dir}.partial`
  assertEmpty(dir)
  if (existsSync(partial))
    throw new UsageError(`${partial} is left of a restore that did not end: delete it first`)
  const clusterName = flags.clusterName ?? newName(await oldName(file))
  const layout = layoutCluster({
    nodes: flags.nodes ?? DEFAULT_NODES,
    dir,
    basePort: DEFAULT_BASE_PORT,
    clusterName,
    self,
    env: {},
  })
  return {
    clusterName,
    members: layout.map(({ id }) => id),
    nodes: layout.map(({ id }) => ({ id, directory: join(partial, id) })),
    advice: `Start it:\n  npx balsa cluster start --dir ${quote(flags.dir)}`,
    async finish() {
      const nodes = layout.map(({ id, clientAddress, peerAddress, dataDir, restartCommand }) => {
        return { id, pid: null, clientAddress, peerAddress, dataDir, restartCommand }
      })
      writeClusterFile(partial, { clusterName, nodes })
      await syncPath(join(partial, 'cluster.json'))
      await syncPath(partial)
      if (existsSync(dir)) rmdirSync(dir)
      renameSync(partial, dir)
      await syncPath(dirname(dir))
    },
    abandon: () => rmSync(partial, { recursive: true, force: true }),
  }
}

/** One node's data directory, which may be a mount: filled in place, its identity last. */
function planNode({ node, data, members, clusterName, nodes }: RestoreFlags): Plan {
  if (nodes !== undefined) throw new UsageError('--nodes goes with --dir; with --node give --members n1,n2,…')
  if (node === undefined || data === undefined || members === undefined || clusterName === undefined) {
    throw new UsageError(
      'one node of a cluster needs --data DIR, --members n1,n2,… and --cluster-name NAME, ' +
        'the last two the same for all of its nodes',
    )
  }
  if (!members.includes(node)) throw new UsageError(`${node} is none of the members ${members.join(', ')}`)
  const directory = resolve(data)
  assertEmpty(directory)
  const existed = existsSync(directory)
  return {
    clusterName,
    members,
    nodes: [{ id: node, directory }],
    advice: `Restore the other members from the same file; start each with\n  npx balsa serve --id ${quote(node)} --data ${quote(data)} --cluster-name ${quote(clusterName)} --peers …`,
    finish: async () => {},
    abandon() {
      for (const name of namesIn(directory)) rmSync(join(directory, name), { recursive: true, force: true })
      if (!existed) rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** What a file system puts at its root is not counted. */
function namesIn(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory).filter((name) => name !== 'lost+found') : []
}

function assertEmpty(directory: string): void {
  let names: string[]
  try {
    names = namesIn(directory)
  } catch (error) {
    throw new UsageError(`${directory} cannot be used: ${(error as Error).message}`)
  }
  if (names.length === 0) return
  throw new UsageError(
    `${directory} is not empty. A backup is restored into a new or empty directory: name another, or move this one away`,
  )
}

async function oldName(file: string): Promise<string> {
  const { partsOf } = await import('../../storage/backup/format.ts')
  const { bytes } = await openBackupFile(file)
  for await (const part of partsOf(bytes, file)) if (part.type === 'head') return part.head.clusterName
  return ''
}

/** The old name with a suffix of its own, which replaces that of an earlier restore. */
function newName(name: string): string {
  return `${name.replace(/-r[0-9a-f]{8}$/, '')}-r${randomBytes(4).toString('hex')}`
}

function parseNodes(text: string): number {
  if (!/^[1-9]$/.test(text)) throw new InvalidArgumentError('Give a whole number from 1 to 9.')
  return Number(text)
}
