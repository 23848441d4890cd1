import { createHash } from 'node:crypto'
import { pino } from 'pino'
import { systemClock } from '../../src/clock.ts'
import { decodeMeta, Prefix } from '../../src/kv/layout.ts'
import { Pack } from '../../src/kv/pack.ts'
import { resolveConfig } from '../../src/server/config.ts'
import type { NodeConfig } from '../../src/server/config.ts'
import { loadReplica } from '../../src/server/replica.ts'
import type { LoadedReplica } from '../../src/server/replica.ts'
import { NodeDisk } from '../../src/storage/node-disk.ts'

const MEMBERS = 'n1=127.0.0.1:8001,n2=127.0.0.1:8002,n3=127.0.0.1:8003'

/** The configuration of the node whose directory is damaged. */
export function configFor(directory: string): NodeConfig {
  return resolveConfig({ flags: { id: 'n1', data: directory, peers: MEMBERS } }).config
}

/** Opens and verifies a data directory as a node does before it serves. Throws a StopError. */
export async function load(directory: string): Promise<LoadedReplica> {
  const config = configFor(directory)
  const disk = await NodeDisk.open(directory)
  return loadReplica(config, { disk, clock: systemClock(), logger: pino({ level: 'silent' }) })
}

/** Parts of what a directory holds, each as a digest of all of it. */
export interface Content {
  readonly identity: string
  readonly peers: string
  /** Term, vote, boundary and every entry. */
  readonly log: string
  /** Every record of the state once the whole log is applied, and its hash. */
  readonly state: string
}

/** The complete logical content of a data directory that a node would serve from. Throws a StopError. */
export async function contentOf(directory: string): Promise<Content> {
  const loaded = await load(directory)
  try {
    await replay(loaded)
    return {
      identity: digest(JSON.stringify(loaded.directory.identity)),
      peers: digest(JSON.stringify([...loaded.directory.peerIncarnations()].sort())),
      log: await logOf(loaded),
      state: await stateOf(loaded),
    }
  } finally {
    await loaded.directory.close()
  }
}

/** Applies the rest of the log, up to some entry at most, and writes the checkpoint of it. */
export async function replay(
  { directory, machine, recovered }: LoadedReplica,
  upTo = Infinity,
): Promise<void> {
  const last = Math.min(recovered.last.index, upTo)
  while (machine.applied.index < last) {
    const { entries } = await directory.logStore.read(machine.applied.index + 1, last, 1024 * 1024)
    for (const entry of entries) machine.apply(entry)
  }
  const checkpoint = machine.freeze()
  if (checkpoint === undefined) return
  await directory.stateStore.writeCheckpoint(checkpoint, 100_000)
  machine.checkpointWritten()
}

async function logOf({ directory, recovered }: LoadedReplica): Promise<string> {
  const { hardState, boundary, last } = recovered
  const hash = createHash('sha256').update(JSON.stringify([hardState, boundary, last]))
  for (let from = boundary.index + 1; from <= last.index;) {
    const { entries } = await directory.logStore.read(from, last.index, 1024 * 1024)
    for (const entry of entries) hash.update(entry.encoded)
    from += entries.length
  }
  return hash.digest('hex')
}

/**
 * Every record of the state. How changes are cut into packs, and with that their directory and their bytes, depends
 * on when checkpoints were made; the changes do not.
 */
async function stateOf({ directory, machine }: LoadedReplica): Promise<string> {
  const hash = createHash('sha256').update(machine.stateHash())
  for await (const page of directory.stateStore.scan(new Uint8Array(0))) {
    for (const [key, value] of page) {
      if (key[0] === Prefix.History) {
        for (const { revision, key: changed, isDeletion, previous } of new Pack(key, value).changes()) {
          hash.update(JSON.stringify([revision, changed.toString('hex'), isDeletion]))
          if (previous !== undefined) hash.update(previous.stored)
        }
      } else if (key[0] === Prefix.Meta) {
        const { applied, revision, compactedRevision, clusterTimeMs } = decodeMeta(value)
        hash.update(JSON.stringify([applied, revision, compactedRevision, clusterTimeMs]))
      } else if (key[0] !== Prefix.Directory) hash.update(key).update(value)
    }
  }
  return hash.digest('hex')
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
