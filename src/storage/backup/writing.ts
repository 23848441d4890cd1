import type { BackupHead } from '../../wire/proto.ts'
import { StateBuilder } from '../snapshot/builder.ts'
import { decodeSnapshotMeta } from '../snapshot/meta.ts'
import { BackupEncoder } from './format.ts'
import type { BackupFileHead } from './format.ts'
import { nowhere, tallyOf } from './reading.ts'
import type { BackupSummary } from './reading.ts'

export interface BackupWriting {
  readonly head: BackupHead
  readonly chunks: AsyncIterable<Uint8Array>
  readonly createdAt: Date
  /** Takes the next bytes of the file. */
  write(bytes: Uint8Array): Promise<void>
  /** Called after every chunk, with what there is so far. */
  progress?(bytes: number, keys: number): void
}

/**
 * Writes a backup as it comes from a node, and checks it as it goes: what is written is known to be whole. Throws
 * SnapshotError where what comes is not what it says, and what `write` and `chunks` throw.
 */
export async function writeBackup(writing: BackupWriting): Promise<BackupSummary> {
  const { head: given, chunks, createdAt } = writing
  const meta = decodeSnapshotMeta(given.meta)
  const head: BackupFileHead = {
    clusterName: given.clusterName,
    clusterId: Buffer.from(given.clusterId).toString('hex'),
    nodeId: given.nodeId,
    version: given.version,
    createdAt: createdAt.toISOString(),
    revision: meta.revision,
    index: meta.position.index,
    term: meta.position.term,
    meta: Buffer.from(given.meta).toString('base64'),
  }
  const encoder = new BackupEncoder()
  const builder = new StateBuilder(meta, nowhere())
  await writing.write(encoder.begin(head))
  for await (const chunk of chunks) {
    await builder.add(chunk)
    await writing.write(encoder.chunk(chunk))
    writing.progress?.(builder.cursor!.bytes, builder.keys)
  }
  await builder.finish()
  const tally = tallyOf(builder)
  await writing.write(encoder.end(tally))
  return { head, meta, tally }
}
