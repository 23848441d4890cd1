import type { RevisionMarks } from './revision-marks.ts'

/** How much of history is kept: its newest revisions or its newest time, whichever is more, but not more than that. */
export interface RetentionPolicy {
  /** So many of the newest revisions. */
  readonly historyRevisions: number
  /** What was newer than that many milliseconds of cluster time. */
  readonly historyMs: number
  /** No more than about so many bytes, whatever the other two say. */
  readonly maxHistoryBytes: number
}

/** Where a store stands. */
export interface RetentionState {
  readonly revision: number
  readonly clusterTimeMs: number
  /** How many bytes of history were written in its whole life. */
  readonly historyBytes: number
  readonly marks: RevisionMarks
}

/** The revision that history can be compacted to; at or below the last compaction where there is nothing to do. */
export function compactionTarget(policy: RetentionPolicy, state: RetentionState): number {
  const { revision, clusterTimeMs, historyBytes, marks } = state
  const beyondBoth = Math.min(
    revision - policy.historyRevisions,
    marks.revisionAt(clusterTimeMs - policy.historyMs),
  )
  return Math.max(0, beyondBoth, marks.revisionWithin(policy.maxHistoryBytes, historyBytes))
}
