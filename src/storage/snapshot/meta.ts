import { decodeMeta } from '../../kv/layout.ts'
import { combinedHash } from '../../kv/state-hash.ts'
import type { SnapshotMeta } from './snapshot.ts'

/**
 * What a snapshot says about itself, from the sealed record of its state store. Throws DamagedDataError where that
 * is not what was written, or of a format that this version does not know.
 */
export function decodeSnapshotMeta(encoded: Uint8Array): SnapshotMeta {
  const meta = decodeMeta(encoded)
  const { applied, revision, compactedRevision, clusterTimeMs, presentHash, sessionsHash } = meta
  const stateHash = combinedHash(presentHash, sessionsHash, meta)
  return { position: applied, revision, compactedRevision, clusterTimeMs, stateHash, encoded }
}
