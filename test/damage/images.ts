import { cpSync, readdirSync, rmSync, statSync } from 'node:fs'
import * as path from 'node:path'
import { EntryKind, LOG_START } from '../../src/raft/types.ts'
import type { LogPosition, Proposal } from '../../src/raft/types.ts'
import type { LoadedReplica } from '../../src/server/replica.ts'
import { readLiveFiles } from '../../src/storage/leveldb/live-files.ts'
import { encodeCommand, encodeSessionChange, encodeTimeStamp } from '../../src/wire/command.ts'
import { sealEntries } from '../../src/wire/entry.ts'
import type { Operation } from '../../src/wire/types.ts'
import { Dice } from '../sim/engine/dice.ts'
import { load, replay } from './content.ts'

/** A data directory as a crash leaves it, and copies of it from before. */
export interface Image {
  readonly directory: string
  /** Oldest first. */
  readonly older: readonly string[]
}

/** So many starts, each of which leaves a table in both databases and a new MANIFEST. */
const STARTS = 6
const BATCHES = 12
const ENTRIES = 25

/**
 * Makes a data directory with something in every kind of file: it is started several times, written to, checkpointed
 * and, at the end, left as `kill -9` would leave it.
 */
export async function makeImage(parent: string, seed: number, starts = STARTS): Promise<Image> {
  const work = path.join(parent, 'work')
  const older: string[] = []
  const dice = Dice.of(seed, 'content')
  let last: LogPosition = LOG_START
  for (let start = 1; start <= starts; start++) {
    const loaded = await load(work)
    await replay(loaded)
    for (let batch = 1; batch <= BATCHES; batch++) {
      last = await append(loaded, last, start, dice)
      if (batch % 5 === 0) await checkpoint(loaded)
      if (start > starts - 2 && batch % 4 === 0)
        older.push(copy(work, path.join(parent, `image-${older.length}`)))
    }
    if (start === 1) await loaded.directory.rememberPeer('n2', 1002)
    if (start === starts) older.push(copy(work, path.join(parent, `image-${older.length}`)))
    await loaded.directory.close()
  }
  const directory = older.pop()!
  for (const database of ['log', 'state-1']) await tidyUp(path.join(directory, database))
  return { directory, older }
}

/** Some entries in one batch, applied as if they were committed. */
export async function append(
  loaded: LoadedReplica,
  last: LogPosition,
  term: number,
  dice: Dice,
): Promise<LogPosition> {
  const { directory, machine } = loaded
  const entries = sealEntries(last, term, proposals(last, dice))
  const hardState = { currentTerm: term, votedFor: dice.pick(['n1', 'n2']) }
  await directory.logStore.append([{ id: last.index, hardState, entries, reset: undefined }])
  for (const entry of entries) machine.apply(entry)
  return machine.applied
}

async function checkpoint({ directory, machine }: LoadedReplica): Promise<void> {
  const frozen = machine.freeze()
  if (frozen === undefined) return
  await directory.stateStore.writeCheckpoint(frozen, 100_000)
  machine.checkpointWritten()
}

function proposals(last: LogPosition, dice: Dice): Proposal[] {
  return Array.from({ length: ENTRIES }, (_, i) => {
    if (i === 0) return { kind: EntryKind.Session, data: encodeSessionChange({ type: 'open', ttlMs: 0 }) }
    if (i === 1) return { kind: EntryKind.Time, data: encodeTimeStamp(last.index) }
    const session = i % 3 === 0 ? last.index + 1 : 0
    const command = { session, sequence: session === 0 ? 0 : i, firstUnacked: 0, operation: operation(dice) }
    return { kind: EntryKind.Command, data: encodeCommand(command) }
  })
}

function operation(dice: Dice): Operation {
  const key = Buffer.from(`key/${dice.below(400)}`)
  if (dice.chance(0.15)) return { type: 'delete', key }
  // Half of it compresses, so that both kinds of blocks are met.
  const value = Buffer.from(Array.from({ length: dice.below(300) }, (_, i) => (i % 2 ? 46 : dice.below(256))))
  return { type: 'put', key, value }
}

/** Removes tables that are not part of the database any more: damage to them would tell nothing. */
async function tidyUp(directory: string): Promise<void> {
  const { tables } = await readLiveFiles(directory, () => {})
  for (const file of readdirSync(directory)) {
    const number = /^(\d+)\.ldb$/.exec(file)?.[1]
    if (number !== undefined && !tables.has(Number(number))) rmSync(path.join(directory, file))
  }
}

/** Copies a directory as it is at one moment: again where LevelDB tidied up meanwhile. */
function copy(from: string, to: string): string {
  for (;;) {
    const before = listing(from)
    try {
      cpSync(from, to, { recursive: true })
    } catch (error) {
      if (listing(from) === before) throw error
    }
    if (listing(from) === before) return to
    rmSync(to, { recursive: true, force: true })
  }
}

function listing(directory: string): string {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  const sizes = files.sort().map((file) => {
    const stats = statSync(path.join(directory, file), { throwIfNoEntry: false })
    return `${file} ${stats?.isFile() ? stats.size : ''}`
  })
  return sizes.join('\n')
}
