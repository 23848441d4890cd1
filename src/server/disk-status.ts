import type { Logger } from 'pino'
import type { DataDirectory, DirectoryUsage } from '../storage/data-directory.ts'
import type { DiskSpace } from '../storage/disk.ts'
import type { Checkpointer } from './checkpointer.ts'
import type { SpaceGuard } from './space-guard.ts'

/** What a node's data takes of its disk, in bytes, and what is left. */
export interface DiskStatus extends DirectoryUsage, DiskSpace {
  /** Below the limit: no writes. */
  readonly lowOnSpace: boolean
  /** Since the state was last brought up to date on disk, in milliseconds. */
  readonly checkpointAgeMs: number
}

/** Looks at a node's disk; undefined where that cannot be, which the log tells. */
export async function diskStatusOf(
  directory: DataDirectory,
  guard: SpaceGuard,
  checkpointer: Checkpointer,
  logger: Logger,
): Promise<DiskStatus | undefined> {
  try {
    const [usage, space] = await Promise.all([directory.usage(), directory.space()])
    const lowOnSpace = guard.lowSpaceBytes !== undefined
    return { ...usage, ...space, lowOnSpace, checkpointAgeMs: Math.round(checkpointer.ageMs) }
  } catch (error) {
    logger.warn({ err: error }, 'the disk cannot be looked at')
    return undefined
  }
}
