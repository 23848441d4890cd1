import { EntryKind, LOG_START } from '../../../src/raft/types.ts'
import { sealEntries } from '../../../src/wire/entry.ts'
import type { LogEntry, LogPosition, Proposal, Term } from '../../../src/raft/types.ts'

/** A command of the model's state machine: `set KEY VALUE` or `delete KEY`. */
export function command(text: string): Proposal {
  return { kind: EntryKind.Command, data: Buffer.from(text) }
}

/** What an entry says, for people. */
export function textOf(entry: Pick<LogEntry, 'kind' | 'data'>): string {
  return entry.kind === EntryKind.NoOp ? 'no-op' : Buffer.from(entry.data).toString()
}

/**
 * Entries of the given terms after `previous`. The same terms after the same entries make the same entries, so
 * that logs written down as terms (as in Figure 3.6) agree just where their terms do.
 */
export function entriesOfTerms(terms: readonly Term[], previous: LogPosition = LOG_START): LogEntry[] {
  const entries: LogEntry[] = []
  for (const term of terms) {
    const last = entries.at(-1) ?? previous
    entries.push(...sealEntries(last, term, [command(`set k${last.index + 1} t${term}`)]))
  }
  return entries
}
