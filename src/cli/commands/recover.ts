import { existsSync, renameSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { Option } from 'commander'
import { systemClock } from '../../clock.ts'
import { DamagedError } from '../../errors.ts'
import type { Identity } from '../../storage/identity.ts'
import type { NodeDisk } from '../../storage/node-disk.ts'
import type { Examination } from '../../storage/recovery/examination.ts'
import type { WholeLog } from '../../storage/recovery/rebuild.ts'
import { SnapshotError } from '../../storage/snapshot/snapshot.ts'
import { syncPath } from '../backup-file.ts'
import { quote } from '../cluster/layout.ts'
import { write } from '../context.ts'
import type { CliContext, Invocation } from '../context.ts'
import { UsageError } from '../failure.ts'
import { globalOptions } from '../global-options.ts'
import { showProgress } from '../progress.ts'

interface RecoverFlags {
  readonly data?: string
  readonly yes?: boolean
  readonly setAside?: boolean
  readonly rebuild?: boolean
}

/** What was found, what it means, and what is or would be done about it. */
interface Report {
  readonly directory: string
  readonly node: string | null
  readonly damaged: 'nothing' | 'state' | 'promises'
  readonly found: string
  readonly meaning: string
  readonly remedy: string
  readonly done: boolean
}

const DAMAGED = 4

/** `balsa recover --data DIR`: explains what is damaged, and repairs what can safely be repaired. */
export function addRecover(program: Command, invocation: Invocation): void {
  const command = program
    .command('recover')
    .description(
      'check the data of a node that does not run: tell what is damaged, and repair what safely can be',
    )
    .addOption(new Option('--data <dir>', "the node's data directory").makeOptionMandatory())
    .addOption(
      new Option('--yes', 'do what is safe: rebuild a damaged state from the log, or from another node'),
    )
    .addOption(
      new Option(
        '--set-aside',
        'with a damaged log: rename the directory, so that a new one can take its place',
      ),
    )
    .addOption(
      new Option(
        '--rebuild',
        "treat the state as damaged though its checksums fit: other nodes' states are not the same",
      ),
    )
  command.action(async (flags: RecoverFlags) => {
    const { context } = invocation
    const { endpoints, json } = globalOptions(command, context.env)
    const report = await recover(flags, endpoints, context)
    await write(context.stdout, json ? `${JSON.stringify(report)}\n` : wordsOf(report))
    if (report.damaged !== 'nothing' && !report.done) invocation.exitCode = DAMAGED
  })
}

async function recover(
  flags: RecoverFlags,
  endpoints: readonly string[],
  context: CliContext,
): Promise<Report> {
  const directory = resolve(flags.data!)
  if (!existsSync(directory)) throw new UsageError(`there is no directory ${directory}`)
  // Loaded where it is needed: no other command shall wait for LevelDB.
  const { NodeDisk } = await import('../../storage/node-disk.ts')
  const { examine } = await import('../../storage/recovery/examination.ts')
  const progress = new Checking(context)
  const disk = await NodeDisk.open(directory, {
    verifying: (name, bytes, of) => progress.at(name, bytes, of),
  })
  const found = await examine(disk, systemClock({ keepAlive: true })).finally(() => progress.stop())
  try {
    if (found.damage === undefined && flags.rebuild !== true) return nothing(directory, found)
    if (found.damage?.part === 'promises') return await promises(directory, found, flags)
    return await state(disk, found, flags, endpoints, context)
  } finally {
    await found.close()
  }
}

function nothing(directory: string, { identity, log }: Examination): Report {
  return {
    ...about(directory, identity),
    damaged: 'nothing',
    found: `Nothing is damaged: identity, mark, log (${entriesOf(log!)}) and state are as they were written.`,
    meaning: '',
    remedy: 'There is nothing to be done.',
    done: false,
  }
}

async function promises(directory: string, found: Examination, flags: RecoverFlags): Promise<Report> {
  const { identity } = found
  const report = {
    ...about(directory, identity),
    damaged: 'promises' as const,
    found: found.damage!.error.message,
    meaning:
      'The node may have forgotten a vote that it gave, or an entry that it acknowledged. If it came back as its old ' +
      'self, the cluster could elect two leaders in one term or lose a write that a client was told is safe. So ' +
      'this cannot be repaired from the other nodes. ' +
      (identity?.members.length === 1
        ? 'It was the only node of its cluster: what it held is in backups only.'
        : 'The rest of the cluster goes on while a majority of its nodes runs, and holds all that was acknowledged.'),
  }
  const way =
    identity?.members.length === 1
      ? 'Then restore a backup (`balsa restore FILE`).'
      : 'Then the node comes back as a new member with an empty directory, once members can be changed; under its old ' +
        'id the others refuse it, for their safety, as long as they know the old one.'
  if (flags.setAside !== true) {
    const remedy = `\`balsa recover --data ${quote(directory)} --set-aside\` renames the directory and deletes nothing. ${way}`
    return { ...report, remedy, done: false }
  }
  await found.close()
  const aside = unusedName(directory)
  renameSync(directory, aside)
  await syncPath(dirname(directory))
  return { ...report, remedy: `The directory is ${aside} now, with all that is in it. ${way}`, done: true }
}

async function state(
  disk: NodeDisk,
  found: Examination,
  flags: RecoverFlags,
  endpoints: readonly string[],
  context: CliContext,
): Promise<Report> {
  const log = found.log!
  const report = {
    ...about(disk.path, found.identity),
    damaged: 'state' as const,
    found:
      found.damage?.error.message ??
      "The state's checksums fit. You say that it is not the state of the other nodes.",
    meaning:
      `The log is whole (${entriesOf(log)}): no vote and nothing that this node acknowledged is forgotten. Only the ` +
      'state that is made from it is damaged, and it can be made again. The node keeps its id.',
  }
  const ownLog = log.recovered.boundary.index === 0
  const source = ownLog
    ? 'the node makes it anew from its log when it starts'
    : `a copy of another node's state takes its place (the log begins after entry ${log.recovered.boundary.index}, so it is not enough), asked for at ${endpoints.join(', ')}`
  if (flags.yes !== true) {
    const again = `balsa recover --data ${quote(disk.path)}${found.damage === undefined ? ' --rebuild' : ''} --yes${ownLog ? '' : ' --endpoints HOST:PORT,…'}`
    return { ...report, remedy: `\`${again}\` sets the damaged state aside, and ${source}.`, done: false }
  }
  const { rebuildFromLog } = await import('../../storage/recovery/rebuild.ts')
  const aside = ownLog
    ? await rebuildFromLog(disk, systemClock({ keepAlive: true }), log)
    : await fromPeer(disk, found.identity!, log, endpoints, context)
  const kept =
    aside === undefined ? '' : `The damaged state is ${disk.path}/${aside} now; delete it when you like. `
  const remedy = ownLog
    ? `${kept}Start the node: it makes the state anew from its log.`
    : `${kept}The state of another node is in its place. Start the node.`
  return { ...report, remedy, done: true }
}

async function fromPeer(
  disk: NodeDisk,
  identity: Identity,
  log: WholeLog,
  endpoints: readonly string[],
  context: CliContext,
): Promise<string | undefined> {
  const { rebuildFromPeer } = await import('../../storage/recovery/rebuild.ts')
  const { head, chunks } = await context.openBackup(endpoints)
  if (!Buffer.from(head.clusterId).equals(identity.clusterId)) {
    throw new UsageError(
      `${head.nodeId} is of the cluster "${head.clusterName}", this directory of "${identity.clusterName}": ` +
        'name nodes of its own cluster with --endpoints',
    )
  }
  const progress = showProgress(context.stderr, `State from ${head.nodeId}`, head.estimatedBytes)
  async function* shown(): AsyncGenerator<Uint8Array> {
    let bytes = 0
    for await (const chunk of chunks) {
      yield chunk
      progress.at((bytes += chunk.length))
    }
  }
  try {
    return await rebuildFromPeer(disk, systemClock({ keepAlive: true }), log, {
      meta: head.meta,
      chunks: shown(),
    })
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error
    throw new DamagedError(`What ${head.nodeId} sent is no whole state: ${error.message}. Try again`, {
      cause: error,
    })
  } finally {
    progress.stop()
  }
}

/** Shows how far the check of each database is. */
class Checking {
  readonly #context: CliContext
  #shown: { readonly name: string; readonly progress: ReturnType<typeof showProgress> } | undefined

  constructor(context: CliContext) {
    this.#context = context
  }

  at(name: string, bytes: number, ofBytes: number): void {
    if (this.#shown?.name !== name) {
      this.stop()
      this.#shown = { name, progress: showProgress(this.#context.stderr, `Checking ${name}`, ofBytes) }
    }
    this.#shown.progress.at(bytes)
  }

  stop(): void {
    this.#shown?.progress.stop()
    this.#shown = undefined
  }
}

function about(
  directory: string,
  identity: Identity | undefined,
): { directory: string; node: string | null } {
  return { directory, node: identity?.nodeId ?? null }
}

function entriesOf({ recovered }: WholeLog): string {
  const { boundary, last, hardState } = recovered
  const entries =
    last.index === boundary.index ? 'no entries' : `entries ${boundary.index + 1} to ${last.index}`
  return `${entries}, term ${hardState.currentTerm}`
}

function unusedName(directory: string): string {
  for (let number = 1; ; number++) {
    const name = `${directory}.damaged-${number}`
    if (!existsSync(name)) return name
  }
}

function wordsOf({ directory, node, damaged, found, meaning, remedy }: Report): string {
  const whose = node === null ? '' : `, node ${node}`
  if (damaged === 'nothing') return `${directory}${whose}\n${found}\n`
  return `${directory}${whose}\n\nDamaged: ${found}\n\nWhat it means: ${meaning}\n\nWhat to do: ${remedy}\n`
}
